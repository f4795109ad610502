"""Why a pod does not run: Kaito's classification, with the words of the container that failed.

Source: Kaito 0.12 `pkg/workspace/controllers` (pod failure reasons). The order of the checks is part of it. Ours adds
the container's termination message, which is where a failing `kaito-runtime` leaves its sentence.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaito.api import exitcodes
from kaito.operator.manifests import names
from kaito.operator.workspace.conditions import shortened

_IMAGE_PULL = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_START = frozenset(
    {
        "CreateContainerConfigError",
        "PreCreateHookError",
        "CreateContainerError",
        "PreStartHookError",
        "RunContainerError",
        "PostStartHookError",
    }
)

_SIGNALS = {int(one): one.name for one in signal.Signals}
_PROGRESS = re.compile(r"\blevel=(debug|info|warning)\b")
"""A log line that reports progress is nobody's last word."""


@dataclass(frozen=True)
class Failure:
    """A condition's reason and message."""

    reason: str
    message: str


def pod_failure(pods: Iterable[Mapping[str, Any]], mount_troubles: Mapping[str, str] | None = None) -> Failure | None:
    """The first failure that the pods show, in Kaito's order of importance; None while they are merely not ready.

    `mount_troubles`: by pod name, why a volume cannot be mounted. A pod's status does not tell that, only its events
    do, and Kaito shows nothing.
    """
    pods = list(pods)
    for check in (_out_of_memory, _image_pull, _start_error, _crash_loop, _evicted, _unschedulable):
        for pod in pods:
            failure = check(pod)
            if failure is not None:
                return Failure(failure.reason, shortened(failure.message))
    for pod in pods:
        trouble = (mount_troubles or {}).get(pod["metadata"]["name"])
        if trouble and not has_started(pod):
            return Failure("FailedMount", shortened(f'pod "{pod["metadata"]["name"]}" cannot start: {trouble}'))
    return None


def has_started(pod: Mapping[str, Any]) -> bool:
    """Whether any container of the pod has run: its volumes are mounted then."""
    return any(set(status.get("state") or {}) - {"waiting"} or status.get("lastState") for status in _statuses(pod))


def exit_sentence(pods: Sequence[Mapping[str, Any]]) -> str | None:
    """What the container that failed said last, with its name and exit code; None when none failed.

    Of several failed pods the newest counts; in it a container with an exit code that no retry can help comes first,
    then init containers and containers in their order. The pause container only echoes the others.
    """
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), reverse=True):
        ended = [
            (status, terminated)
            for status in _statuses(pod)
            if (terminated := _terminated(status)) and terminated.get("exitCode") and status["name"] != names.PAUSE
        ]
        if not ended:
            continue
        permanent = [entry for entry in ended if entry[1]["exitCode"] in exitcodes.PERMANENT]
        status, terminated = (permanent or ended)[0]
        return shortened(f'container "{status["name"]}" failed: {_termination(terminated)}')
    return None


def _out_of_memory(pod: Mapping[str, Any]) -> Failure | None:
    for status in _statuses(pod):
        for state in ("state", "lastState"):
            terminated = (status.get(state) or {}).get("terminated") or {}
            if terminated.get("reason") == "OOMKilled":
                advice = "reduce memory usage or use a larger instance type"
                message = (
                    f'container "{status["name"]}" was OOMKilled (exit code {terminated.get("exitCode")}); {advice}'
                )
                return Failure("ContainerOOMKilled", message)
    return None


def _image_pull(pod: Mapping[str, Any]) -> Failure | None:
    for status, waiting in _waiting(pod, _IMAGE_PULL):
        message = f'container "{status["name"]}" image pull failed ({waiting["reason"]})'
        return Failure("ImagePullError", _with_detail(message, waiting))
    return None


def _start_error(pod: Mapping[str, Any]) -> Failure | None:
    for status, waiting in _waiting(pod, _START):
        message = f'container "{status["name"]}" failed to start ({waiting["reason"]})'
        return Failure("ContainerStartError", _with_detail(message, waiting))
    return None


def _crash_loop(pod: Mapping[str, Any]) -> Failure | None:
    for status, _ in _waiting(pod, frozenset({"CrashLoopBackOff"})):
        message = f'container "{status["name"]}" is in CrashLoopBackOff'
        terminated = (status.get("lastState") or {}).get("terminated")
        if terminated:
            message += f"; last termination: {_termination(terminated)}"
        return Failure("ContainerCrashLoopBackOff", message)
    return None


def _evicted(pod: Mapping[str, Any]) -> Failure | None:
    status = pod.get("status") or {}
    if status.get("phase") != "Failed" or status.get("reason") != "Evicted":
        return None
    name, detail = pod["metadata"]["name"], str(status.get("message") or "")
    if "ephemeral-storage" in detail or "disk" in detail.lower():
        return Failure("NodeDiskPressure", f'pod "{name}" evicted due to node disk pressure: {detail}')
    if "memory" in detail.lower():
        return Failure("NodeMemoryPressure", f'pod "{name}" evicted due to node memory pressure: {detail}')
    return Failure("PodEvicted", f'pod "{name}" evicted: {detail}')


def _unschedulable(pod: Mapping[str, Any]) -> Failure | None:
    status = pod.get("status") or {}
    if status.get("phase") not in (None, "Pending"):
        return None
    for condition in status.get("conditions") or ():
        if (
            condition.get("type") == "PodScheduled"
            and condition.get("status") == "False"
            and condition.get("reason") == "Unschedulable"
        ):
            message = f'pod "{pod["metadata"]["name"]}" is unschedulable: {condition.get("message") or ""}'
            return Failure("Unschedulable", message)
    return None


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _waiting(pod: Mapping[str, Any], reasons: frozenset[str]) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for status in _statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in reasons:
            yield status, waiting


def _terminated(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    state = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated")
    return state or None


def _termination(terminated: Mapping[str, Any]) -> str:
    code = int(terminated.get("exitCode") or 0)
    number = int(terminated.get("signal") or code - 128)
    text = f"exit code {code}"
    if number in _SIGNALS:
        text += f" ({_SIGNALS[number]})"
    sentence = last_sentence(str(terminated.get("message") or ""))
    return f"{text}: {sentence}" if sentence else text


def last_sentence(message: str) -> str:
    """The last line of a termination message that is no report of progress; of a JSON line its `message`."""
    for line in reversed(message.splitlines()):
        line = line.strip()
        if not line or _PROGRESS.search(line):
            continue
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                return line
            if isinstance(value, dict) and value.get("message"):
                return str(value["message"])
            continue
        return line
    return ""


def _with_detail(message: str, waiting: Mapping[str, Any]) -> str:
    detail = waiting.get("message")
    return f"{message}: {detail}" if detail else message
