"""Pods and pod templates."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.kinds.printing.text import NONE, age, containers, created, labels, name

Json = dict[str, Any]
COMPLETED: Final = {
    "Succeeded": ("Succeeded", "The pod has completed successfully."),
    "Failed": ("Failed", "The pod failed."),
}


def conditions(pod: Json) -> list[Json]:
    """The row's own conditions: kubectl hides completed pods by them where it is asked to."""
    found = COMPLETED.get(pod.get("status", {}).get("phase", ""))
    return [{"type": "Completed", "status": "True", "reason": found[0], "message": found[1]}] if found else []


def pod_row(pod: Json, now: datetime) -> list[Any]:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    summary = _Summary(pod)
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{summary.restarts} ({age(summary.last_restart, now)} ago)"
    gates = spec.get("readinessGates") or ()
    true = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    return [
        name(pod),
        f"{summary.ready}/{summary.total}",
        summary.reason,
        restarts,
        age(created(pod), now),
        next((ip.get("ip") for ip in status.get("podIPs") or ()), None) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{sum(gate.get('conditionType') in true for gate in gates)}/{len(gates)}" if gates else NONE,
    ]


class _Summary:
    """What one line can say of a pod: ready containers, restarts and the reason that stands under STATUS."""

    def __init__(self, pod: Json) -> None:
        self._pod = pod
        spec, status = pod.get("spec", {}), pod.get("status", {})
        self._conditions = {c.get("type"): c for c in status.get("conditions") or ()}
        init = {c.get("name"): c for c in spec.get("initContainers") or ()}
        self._sidecars = {n for n, c in init.items() if c.get("restartPolicy") == "Always"}
        self._init_count = len(init)
        self.total = len(spec.get("containers") or ()) + len(self._sidecars)
        self.ready = 0
        self.restarts = 0
        self.last_restart = ""
        self.reason: str = status.get("reason") or status.get("phase", "")
        if self._conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
            self.reason = "SchedulingGated"
        sidecar_restarts, sidecar_last = self._sidecar_restarts(status.get("initContainerStatuses") or [])
        initializing = self._initialize(status.get("initContainerStatuses") or [])
        if not initializing or self._conditions.get("Initialized", {}).get("status") == "True":
            self.restarts, self.last_restart = sidecar_restarts, sidecar_last
            self._run(status.get("containerStatuses") or [])
        if pod.get("metadata", {}).get("deletionTimestamp"):
            if status.get("reason") == "NodeLost":
                self.reason = "Unknown"
            elif status.get("phase") not in ("Succeeded", "Failed"):
                self.reason = "Terminating"

    def _sidecar_restarts(self, statuses: list[Json]) -> tuple[int, str]:
        mine = [s for s in statuses if s.get("name") in self._sidecars]
        return sum(s.get("restartCount", 0) for s in mine), max((_last(s) for s in mine), default="")

    def _initialize(self, statuses: list[Json]) -> bool:
        for index, status in enumerate(statuses):
            self.restarts += status.get("restartCount", 0)
            self.last_restart = max(self.last_restart, _last(status))
            state = status.get("state", {})
            ended, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
            if ended is not None and ended.get("exitCode", 0) == 0:
                continue
            if status.get("name") in self._sidecars and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            if ended is not None:
                self.reason = f"Init:{_ending(ended)}"
            elif waiting and waiting != "PodInitializing":
                self.reason = f"Init:{waiting}"
            else:
                self.reason = f"Init:{index}/{self._init_count}"
            return True
        return False

    def _run(self, statuses: list[Json]) -> None:
        running = False
        for status in reversed(statuses):
            self.restarts += status.get("restartCount", 0)
            self.last_restart = max(self.last_restart, _last(status))
            state = status.get("state", {})
            waiting, ended = state.get("waiting") or {}, state.get("terminated")
            if waiting.get("reason"):
                self.reason = waiting["reason"]
            elif ended is not None:
                self.reason = _ending(ended)
            elif status.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            ready = self._conditions.get("Ready", {}).get("status") == "True"
            self.reason = "Running" if ready else "NotReady"


def _last(status: Json) -> str:
    ended = status.get("lastState", {}).get("terminated") or {}
    return str(ended.get("finishedAt") or "")


def _ending(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def pod_template_row(template: Json, now: datetime) -> list[Any]:
    del now
    body = template.get("template") or {}
    return [name(template), *containers(body), labels(body.get("metadata", {}).get("labels"))]
