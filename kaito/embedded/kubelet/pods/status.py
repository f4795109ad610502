"""A pod's status from what its kubelet knows: pure functions.

Source of the rules: pkg/kubelet/kubelet_pods.go (getPhase, convertToAPIContainerStatuses) and
pkg/kubelet/status/generate.go of Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kaito.embedded.addresses import HOST_ADDRESS
from kaito.embedded.kubelet.pods.records import ContainerRecord
from kaito.embedded.kubelet.pods.resizing import PENDING
from kaito.kube.objects import format_time

Status = dict[str, Any]


@dataclass(frozen=True)
class PodState:
    """What, beside its containers, decides a pod's status."""

    pod_ip: str = ""
    initialized: bool = False
    """Its init containers were done once."""
    sandbox_ready: bool = False
    """It has an address, folders and volumes."""
    terminal: bool = False
    """No container runs any more, and none will."""
    phase: str = ""
    """Set when the kubelet itself failed the pod (evicted, deadline, refused)."""
    reason: str = ""
    message: str = ""
    start_time: datetime | None = None
    rejected: bool = False
    """The node did not take it: nothing is told about its containers."""
    resize_pending: tuple[str, str] | None = None
    """Reason and message while a change of its resources cannot be carried out."""


def container_status(record: ContainerRecord, *, has_init: bool, terminal: bool = False) -> Status:
    """The status of one container; in a ``terminal`` pod none waits for another start."""
    status: Status = {
        "name": record.name,
        "image": record.spec["image"],
        "imageID": record.image_id,
        "restartCount": record.restart_count,
        "ready": False,
        "state": _state(record, has_init=has_init, terminal=terminal),
        "lastState": {},
    }
    last = record.last
    if record.terminated is not None and "terminated" not in status["state"]:
        last = record.terminated
    if last is not None:
        status["lastState"] = {"terminated": last.as_state()}
    if record.kind != "ephemeral":
        live = record.run if record.running and record.run is not None and record.run.created else None
        status["started"] = live is not None and live.started
        status["ready"] = live is not None and live.ready and record.kind != "init"
    if record.kind == "init" and record.terminated is not None and "terminated" in status["state"]:
        status["ready"] = record.terminated.exit_code == 0
    if record.run is not None:
        status["containerID"] = record.run.container_id
    elif record.terminated is not None and record.terminated.container_id:
        status["containerID"] = record.terminated.container_id
    if mounts := record.spec.get("volumeMounts"):
        status["volumeMounts"] = [_mount(mount) for mount in mounts]
    resources = record.resources
    if record.run is not None or record.terminated is not None:
        status["resources"] = {}
    if resources:
        status["resources"] = {key: resources[key] for key in ("limits", "requests") if key in resources}
        if requests := resources.get("requests"):
            status["allocatedResources"] = dict(requests)
    return status


def _mount(mount: Mapping[str, Any]) -> Status:
    shown: Status = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        shown |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return shown


def _mark_missing(statuses: Sequence[Status]) -> None:
    """Containers without an end in a pod that is over have an unknown one. Source: status_manager.go TerminatePod."""
    for status in statuses:
        if "terminated" not in status["state"]:
            status["state"] = {
                "terminated": {
                    "exitCode": 137,
                    "reason": "ContainerStatusUnknown",
                    "message": "The container could not be located when the pod was terminated",
                    "startedAt": None,
                    "finishedAt": None,
                }
            }


def _state(record: ContainerRecord, *, has_init: bool, terminal: bool) -> Status:
    run = record.run
    if terminal and record.terminated is not None:
        return {"terminated": record.terminated.as_state()}
    if record.running and run is not None and run.created:
        return {"running": {"startedAt": format_time(run.started_at)}}
    if record.waiting is not None:
        reason, message = record.waiting
        return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}
    if record.terminated is not None:
        return {"terminated": record.terminated.as_state()}
    return {"waiting": {"reason": "PodInitializing" if has_init else "ContainerCreating"}}


def pod_phase(
    restart_policy: str,
    init: Sequence[tuple[str, Status]],
    main: Sequence[Status],
    *,
    terminal: bool,
    initialized: bool,
) -> str:
    """The phase. ``init`` pairs the kind (``init`` or ``sidecar``) with the status. Source: getPhase."""
    pending_init = failed_init = pending_sidecars = running = waiting = stopped = succeeded = 0
    for kind, status in init:
        state = status["state"]
        last = (status.get("lastState") or {}).get("terminated")
        if kind == "init":
            if "terminated" in state:
                failed_init += state["terminated"]["exitCode"] != 0
            elif "waiting" in state and last is not None:
                failed_init += last["exitCode"] != 0
            else:
                pending_init += 1
        elif "running" in state:
            pending_sidecars += not status.get("started")
            running += 1
        elif "waiting" in state and last is None:
            pending_sidecars += 1
            waiting += 1
    for status in main:
        state = status["state"]
        if "running" in state:
            running += 1
        elif "terminated" in state:
            stopped += 1
            succeeded += state["terminated"]["exitCode"] == 0
        elif (status.get("lastState") or {}).get("terminated") is not None:
            stopped += 1
        else:
            waiting += 1
    if failed_init and restart_policy == "Never":
        return "Failed"
    if pending_init or (pending_sidecars and not initialized) or waiting:
        return "Pending"
    if running:
        return "Running"
    if not stopped:
        return "Pending"
    if terminal:
        return "Succeeded" if stopped == succeeded else "Failed"
    if restart_policy == "Always":
        return "Running"
    if stopped == succeeded:
        return "Succeeded"
    return "Failed" if restart_policy == "Never" else "Running"


def pod_status(pod: Mapping[str, Any], records: Sequence[ContainerRecord], state: PodState, *, now: datetime) -> Status:
    """The fields of ``status`` that the kubelet owns, conditions of others kept as they are in ``pod``."""
    spec = pod["spec"]
    before = pod.get("status") or {}
    if state.rejected:
        return _rejected(pod, state)
    has_init = bool(spec.get("initContainers"))
    init = [
        (record.kind, container_status(record, has_init=has_init, terminal=state.terminal))
        for record in records
        if record.kind in ("init", "sidecar")
    ]
    main = [
        container_status(record, has_init=has_init, terminal=state.terminal)
        for record in records
        if record.kind == "main"
    ]
    ephemeral = [
        container_status(record, has_init=has_init, terminal=state.terminal)
        for record in records
        if record.kind == "ephemeral"
    ]
    if state.terminal and (state.initialized or not has_init):
        _mark_missing(main)
    phase = state.phase or pod_phase(
        spec.get("restartPolicy") or "Always", init, main, terminal=state.terminal, initialized=state.initialized
    )
    if state.terminal and phase not in ("Succeeded", "Failed"):
        phase = "Failed"  # a pod that is over without having run; source: status_manager.go TerminatePod
    if before.get("phase") in ("Succeeded", "Failed"):
        phase = before["phase"]  # a pod never leaves a terminal phase
    if phase in ("Succeeded", "Failed"):
        for one in (*[status for _, status in init], *main):
            one["ready"] = one["ready"] and "terminated" in one["state"]
    status: Status = {
        "observedGeneration": pod["metadata"].get("generation") or 1,
        "phase": phase,
        "conditions": _conditions(pod, init, main, phase, state, now=now),
        "hostIP": HOST_ADDRESS,
        "hostIPs": [{"ip": HOST_ADDRESS}],
        "containerStatuses": main,
    }
    if has_init:
        status["initContainerStatuses"] = [status for _, status in init]
    if ephemeral:
        status["ephemeralContainerStatuses"] = ephemeral
    if state.pod_ip:
        status |= {"podIP": state.pod_ip, "podIPs": [{"ip": state.pod_ip}]}
    if state.start_time:
        status["startTime"] = before.get("startTime") or format_time(state.start_time)
    for name, value in (("reason", state.reason), ("message", state.message)):
        if value:
            status[name] = value
    return status


def _rejected(pod: Mapping[str, Any], state: PodState) -> Status:
    """The status of a pod that was not let in. Source: kubelet.go rejectPod."""
    before = pod.get("status") or {}
    phase = "Succeeded" if before.get("phase") == "Succeeded" else "Failed"
    status: Status = {"observedGeneration": pod["metadata"].get("generation") or 1, "phase": phase}
    for name, value in (("reason", state.reason), ("message", state.message)):
        if value:
            status[name] = value
    if state.start_time:
        status["startTime"] = before.get("startTime") or format_time(state.start_time)
    return status


def _conditions(
    pod: Mapping[str, Any],
    init: Sequence[tuple[str, Status]],
    main: Sequence[Status],
    phase: str,
    state: PodState,
    *,
    now: datetime,
) -> list[Status]:
    known = {condition["type"]: condition for condition in (pod.get("status") or {}).get("conditions") or ()}
    containers_ready = _containers_ready(init, main, phase)
    wanted = {
        "PodReadyToStartContainers": (state.sandbox_ready and not state.terminal, "", ""),
        "Initialized": _initialized(init, main, phase, state),
        "Ready": _ready(pod, known, containers_ready),
        "ContainersReady": containers_ready,
    }
    generation = pod["metadata"].get("generation") or 1
    result: list[Status] = []
    for kind, (true, reason, message) in wanted.items():
        condition: Status = {
            "type": kind,
            "observedGeneration": generation,
            "status": "True" if true else "False",
            "lastProbeTime": None,
            "lastTransitionTime": format_time(now),
        }
        if reason:
            condition["reason"] = reason
        if message:
            condition["message"] = message
        old = known.get(kind)
        if old is not None and old.get("status") == condition["status"]:
            condition["lastTransitionTime"] = old.get("lastTransitionTime") or condition["lastTransitionTime"]
        result.append(condition)
    if state.resize_pending is not None:
        reason, message = state.resize_pending
        old = known.get(PENDING) or {}
        pending = {"type": PENDING, "observedGeneration": generation, "status": "True", "reason": reason}
        now_text = format_time(now)
        times = {key: old.get(key) or now_text for key in ("lastProbeTime", "lastTransitionTime")}
        result.append(pending | {"message": message} | times)
    known.pop(PENDING, None)
    scheduled = {"status": "True", "lastProbeTime": None, "lastTransitionTime": format_time(now)}
    for kind, condition in ({"PodScheduled": scheduled} | known).items():
        if kind == "PodScheduled":
            result.append({**condition, "type": kind, "observedGeneration": generation})
        elif kind not in wanted:
            result.append(dict(condition))
    return result


def _containers_ready(init: Iterable[tuple[str, Status]], main: Sequence[Status], phase: str) -> tuple[bool, str, str]:
    if phase == "Failed":
        return False, "PodFailed", ""
    if phase == "Succeeded":
        return False, "PodCompleted", ""
    counted = [status for kind, status in init if kind == "sidecar"] + list(main)
    unready = [status["name"] for status in counted if not status["ready"]]
    if unready:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return True, "", ""


def _ready(
    pod: Mapping[str, Any], known: Mapping[str, Status], containers: tuple[bool, str, str]
) -> tuple[bool, str, str]:
    if not containers[0]:
        return containers
    missing = []
    for gate in pod["spec"].get("readinessGates") or ():
        condition = known.get(gate["conditionType"])
        if condition is None:
            missing.append(f'corresponding condition of pod readiness gate "{gate["conditionType"]}" does not exist.')
        elif condition.get("status") != "True":
            missing.append(
                f'the status of pod readiness gate "{gate["conditionType"]}" is not "True", but {condition["status"]}'
            )
    if missing:
        return False, "ReadinessGatesNotReady", ", ".join(missing)
    return True, "", ""


def _initialized(
    init: Sequence[tuple[str, Status]], main: Sequence[Status], phase: str, state: PodState
) -> tuple[bool, str, str]:
    if phase == "Succeeded":
        return True, "PodCompleted", ""
    if state.initialized or _any_main_started(main):
        return True, "", ""
    incomplete = []
    for kind, status in init:
        if kind == "sidecar":
            if not status.get("started"):
                incomplete.append(status["name"])
        elif not status["ready"]:
            incomplete.append(status["name"])
    if incomplete:
        return False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"
    return True, "", ""


def _any_main_started(main: Sequence[Status]) -> bool:
    return any(
        "running" in status["state"] or "terminated" in status["state"] or status.get("lastState") for status in main
    )
