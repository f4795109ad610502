"""Watches a namespace while a scenario runs: phases, progress, evidence, and why something does not get on."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from kaito.cluster.loglines import parse_event
from kaito.kube.client import Client
from kaito.kube.clock import Clock
from kaito.kube.errors import ApiError
from kaito.kube.informer import Change, Informer
from kaito.kube.objects import Key, condition_is, get_condition, key_of
from kaito.kube.resources import EVENTS, NODE_CLAIMS, NODES, PODS, SERVICES, WORKSPACES
from kaito.scenario.evidence import Evidence, Interval

LOG_TAIL = 20
"""Lines kept of each container's log, for saying why a run failed."""
STUCK_REASONS = frozenset(
    {
        "ImagePullError",
        "ContainerStartError",
        "ContainerCrashLoopBackOff",
        "ContainerOOMKilled",
        "FailedMount",
        "InvalidNodeRequest",
    }
)
"""Condition reasons that time alone does not mend."""


class Listener(Protocol):
    """Told of what can be shown while a scenario runs."""

    def note(self, subject: str, text: str) -> None:
        """Something about `subject` (node, job, service, …) changed."""
        ...

    def loss(self, step: int, steps: int | None, loss: float) -> None:
        """The tuner reported its loss."""
        ...


class Observer:
    """Follows workspaces, nodes, pods, services and logs of one namespace; use `run` as a background task."""

    def __init__(self, client: Client, namespace: str, evidence: Evidence, listener: Listener, clock: Clock) -> None:
        self.phases: list[Interval] = []
        self.log_tails: dict[tuple[str, str], deque[str]] = {}
        """The last lines of each container's log, by (pod, container)."""
        self.changed = asyncio.Event()
        """Set at every change; whoever waits clears it."""
        self._client = client
        self._namespace = namespace
        self._evidence = evidence
        self._listener = listener
        self._clock = clock
        self._informers = {
            resource.plural: Informer(client, resource, namespace if resource.namespaced else None)
            for resource in (WORKSPACES, NODE_CLAIMS, NODES, PODS, SERVICES, EVENTS)
        }
        self._shown: dict[str, str] = {}
        self._followed: set[tuple[str, str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        handlers: dict[str, Callable[[Change], None]] = {
            "workspaces": self._workspace_changed,
            "nodes": self._node_changed,
            "pods": self._pod_changed,
            "services": self._service_changed,
            "events": self._event_recorded,
        }
        for plural, handler in handlers.items():
            self._informers[plural].add_handler(handler)
        for informer in self._informers.values():
            informer.add_handler(lambda _: self.changed.set())

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for informer in self._informers.values():
                    group.create_task(informer.run())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_synced(self) -> None:
        """Return once every first list is there."""
        await asyncio.gather(*(informer.synced.wait() for informer in self._informers.values()))

    def pods(self, matches: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The namespace's pods for which `matches` holds."""
        return [pod for pod in self._informers["pods"].list() if matches(pod)]

    def why_stuck(self, name: str) -> str | None:
        """Why a workspace will not get on by itself: a job that failed for good, a pod that cannot start."""
        workspace = self._informers["workspaces"].get(name, self._namespace)
        if workspace is None:
            return None
        succeeded = get_condition(workspace, "WorkspaceSucceeded")
        if succeeded and succeeded["status"] == "False" and succeeded.get("reason") == "workspaceFailed":
            return f"workspace {name} failed: {succeeded.get('message')}"
        for kind in ("InferenceReady", "JobStarted", "ResourceReady"):
            condition = get_condition(workspace, kind)
            if condition and condition["status"] != "True" and condition.get("reason") in STUCK_REASONS:
                return f"workspace {name}: {condition['reason']}: {condition.get('message')}"
        return None

    def last_words(self, name: str) -> list[str]:
        """What is known about a workspace that did not become ready: its conditions, its pods' last log lines."""
        lines = []
        workspace = self._informers["workspaces"].get(name, self._namespace)
        for condition in (workspace or {}).get("status", {}).get("conditions") or ():
            if condition["status"] != "True":
                lines.append(f"{condition['type']} {condition['status']}: {condition.get('message')}")
        for pod in self._informers["pods"].list():
            for status in _container_statuses(pod):
                ended = (status.get("state") or {}).get("terminated") or {}
                waiting = (status.get("state") or {}).get("waiting") or {}
                tail = self.log_tails.get((pod["metadata"]["name"], status["name"]))
                if ended.get("exitCode"):
                    said = ended.get("message") or (tail[-1] if tail else "")
                    lines.append(f"pod {pod['metadata']['name']}, {status['name']}: exit {ended['exitCode']}: {said}")
                elif waiting.get("message"):
                    lines.append(f"pod {pod['metadata']['name']}, {status['name']}: {waiting['message']}")
        return lines

    # ---- phases

    def _begin(self, phase: str) -> None:
        if all(known.name != phase for known in self.phases):
            now = self._clock.now()
            self.phases.append(Interval(phase, now.isoformat(timespec="milliseconds"), self._clock.monotonic()))
            self._listener.note("phase", phase)

    def _end(self, phase: str) -> None:
        for known in self.phases:
            if known.name == phase:
                known.end(self._clock.now(), self._clock.monotonic())

    def _show(self, subject: str, key: str, text: str) -> None:
        if self._shown.get(key) != text:
            self._shown[key] = text
            self._listener.note(subject, text)

    # ---- changes

    def _workspace_changed(self, change: Change) -> None:
        workspace, name = change.object, change.object["metadata"]["name"]
        if change.type == "DELETED":
            self._show("workspace", f"workspace/{name}", f"{name}: deleted")
            return
        tuning = bool(workspace.get("tuning"))
        self._begin(f"provision {name}")
        if condition_is(workspace, "ResourceReady"):
            self._end(f"provision {name}")
            if not tuning:
                self._begin(f"serve {name}")
        if tuning and condition_is(workspace, "WorkspaceSucceeded"):
            self._begin(f"serve {name}")
        if condition_is(workspace, "WorkspaceReady"):
            self._end(f"serve {name}")
        conditions = (workspace.get("status") or {}).get("conditions") or ()
        true = [entry["type"] for entry in conditions if entry["status"] == "True"]
        self._show("workspace", f"workspace/{name}", f"{name}: {', '.join(true) or 'nothing is ready yet'}")
        stuck = self.why_stuck(name)
        if stuck:
            self._show("problem", f"stuck/{name}", stuck)

    def _node_changed(self, change: Change) -> None:
        node, name = change.object, change.object["metadata"]["name"]
        instance_type = (node["metadata"].get("labels") or {}).get("node.kubernetes.io/instance-type")
        if not instance_type:
            return
        if change.type == "DELETED":
            self._show("node", f"node/{name}", f"{name}: gone")
            return
        gpus = ((node.get("status") or {}).get("capacity") or {}).get("nvidia.com/gpu", "0")
        state = "Ready" if condition_is(node, "Ready") else "not ready"
        self._show("node", f"node/{name}", f"{name} ({instance_type}): {state}, {gpus} GPU")

    def _service_changed(self, change: Change) -> None:
        service, name = change.object, change.object["metadata"]["name"]
        address = service["spec"].get("clusterIP")
        if change.type == "DELETED" or address in (None, "", "None"):
            return
        ports = ", ".join(
            f"{port['port']}/{port.get('protocol', 'TCP')}" for port in service["spec"].get("ports") or ()
        )
        self._show("service", f"service/{name}", f"{name}: {address} {ports}")

    def _event_recorded(self, change: Change) -> None:
        event = change.object
        if event.get("type") != "Warning" or change.type == "DELETED":
            return
        involved = event.get("involvedObject") or {}
        kind, name = str(involved.get("kind", "")).lower(), involved.get("name")
        text = f"{kind}/{name}: {event.get('reason')}: {event.get('message')}"
        if text not in self._evidence.warnings:
            self._evidence.warnings.append(text)

    def _pod_changed(self, change: Change) -> None:
        pod, name = change.object, change.object["metadata"]["name"]
        if change.type == "DELETED":
            self._show("pod", f"pod/{name}", f"{name}: gone")
            return
        states = []
        for status in _container_statuses(pod):
            state = status.get("state") or {}
            kind = next(iter(state), "waiting")
            reason = state.get(kind, {}).get("reason") if kind != "running" else None
            states.append(f"{status['name']} {reason or kind}")
            if kind != "waiting":
                self._follow(pod, status)
        self._show("pod", f"pod/{name}", f"{name}: {', '.join(states) or 'pending'}")

    # ---- logs

    def _follow(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        run = (key_of(pod).name, status["name"], status.get("containerID") or "")
        if run in self._followed:
            return
        self._followed.add(run)
        task = asyncio.create_task(self._read_log(key_of(pod), status["name"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_log(self, pod: Key, container: str) -> None:
        tail = self.log_tails.setdefault((pod.name, container), deque(maxlen=LOG_TAIL))
        pending = b""
        with contextlib.suppress(ApiError):  # The pod may be gone before its log was read to the end.
            async for chunk in self._client.logs(pod.name, pod.namespace, container, follow=True):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self._log_line(container, line.decode(errors="replace"), tail)
        if pending:
            self._log_line(container, pending.decode(errors="replace"), tail)

    def _log_line(self, container: str, line: str, tail: deque[str]) -> None:
        if line.strip():
            tail.append(line.strip())
        event = parse_event(line)
        if event is not None:
            self._take(container, event)
            self.changed.set()

    def _take(self, container: str, event: dict[str, Any]) -> None:
        """Turn what the runtime reports into evidence and progress."""
        name, tuning, adapter = event["event"], self._evidence.tuning, self._evidence.adapter
        self._evidence.events[name] = self._evidence.events.get(name, 0) + 1
        if name == "tuning-started":
            self._begin(f"tune {container}")
            tuning.method = event.get("method")
            tuning.quantized_layers = int(event.get("four_bit_layers") or 0)
        elif name == "step":
            step, loss = int(event["step"]), float(event["loss"])
            if not tuning.loss or tuning.loss[-1][0] < step:
                tuning.loss.append((step, loss))
                self._listener.loss(step, int(event["steps"]) if event.get("steps") else None, loss)
        elif name == "tuning-completed":
            self._end(f"tune {container}")
            self._begin("push")
        elif name == "pushed":
            self._end("push")
            adapter.reference, adapter.pushed_digest = str(event.get("image", "")), event.get("digest")
            self._listener.note("adapter", f"pushed {adapter.reference} as {adapter.pushed_digest}")
        elif name == "pulled":
            adapter.pulled_digests.append(str(event.get("digest", "")))
            self._listener.note("adapter", f"pulled {event.get('image')} as {event.get('digest')}")


def _container_statuses(pod: dict[str, Any]) -> list[dict[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
