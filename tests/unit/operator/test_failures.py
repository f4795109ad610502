"""Why a pod does not run, in Kaito's reasons and the container's own words."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.operator.workspace.conditions import MESSAGE_LIMIT
from kaito.operator.workspace.failures import exit_sentence, last_sentence, pod_failure


def waiting(reason: str, message: str = "", **last: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}}
    if last:
        status["lastState"] = {"terminated": last}
    return status


def pod(*statuses: dict[str, Any], init: bool = False, name: str = "p", **status: Any) -> dict[str, Any]:
    key = "initContainerStatuses" if init else "containerStatuses"
    return {"metadata": {"name": name}, "status": {key: list(statuses), **status}}


UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}
    ],
}


@pytest.mark.parametrize(
    "failing, reason, message",
    [
        (
            pod(waiting("ErrImagePull", "no such image")),
            "ImagePullError",
            'container "c" image pull failed (ErrImagePull): no such image',
        ),
        (
            pod(waiting("RegistryUnavailable")),
            "ImagePullError",
            'container "c" image pull failed (RegistryUnavailable)',
        ),
        (
            pod(waiting("CreateContainerConfigError", 'secret "push" not found'), init=True),
            "ContainerStartError",
            'container "c" failed to start (CreateContainerConfigError): secret "push" not found',
        ),
        (
            pod(waiting("CrashLoopBackOff", "", exitCode=1)),
            "ContainerCrashLoopBackOff",
            'container "c" is in CrashLoopBackOff; last termination: exit code 1',
        ),
        (
            pod({"name": "c", "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}),
            "ContainerOOMKilled",
            'container "c" was OOMKilled (exit code 137); reduce memory usage or use a larger instance type',
        ),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
            "NodeMemoryPressure",
            'pod "p" evicted due to node memory pressure: The node was low on resource: memory.',
        ),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage."),
            "NodeDiskPressure",
            'pod "p" evicted due to node disk pressure: The node was low on resource: ephemeral-storage.',
        ),
        (pod(phase="Failed", reason="Evicted", message="why not"), "PodEvicted", 'pod "p" evicted: why not'),
        (pod(**UNSCHEDULABLE), "Unschedulable", 'pod "p" is unschedulable: 0/2 nodes are available'),
    ],
)
def test_each_failure_has_its_reason_and_message(failing: dict[str, Any], reason: str, message: str) -> None:
    failure = pod_failure([failing])
    assert failure is not None
    assert (failure.reason, failure.message) == (reason, message)


def test_a_pod_that_is_merely_starting_has_no_failure() -> None:
    assert pod_failure([pod(waiting("ContainerCreating")), pod(phase="Pending")]) is None


def test_the_worst_of_several_failures_counts() -> None:
    killed = {"name": "c", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
    failure = pod_failure([pod(**UNSCHEDULABLE), pod(waiting("ErrImagePull")), pod(killed)])
    assert failure is not None
    assert failure.reason == "ContainerOOMKilled"


def test_long_messages_are_cut() -> None:
    failure = pod_failure([pod(waiting("ErrImagePull", "x" * 5000))])
    assert failure is not None
    assert len(failure.message) == MESSAGE_LIMIT
    assert failure.message.endswith("...")


def ended(name: str, code: int, message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": code, "message": message}}}


def test_the_container_whose_exit_code_no_retry_can_help_is_the_one_to_blame() -> None:
    sidecars = pod(ended("pusher", 1, "the tuner failed"), ended("pause", 1), ended("tune", 65, "row 3: no column"))
    assert exit_sentence([sidecars]) == 'container "tune" failed: exit code 65: row 3: no column'


def test_without_such_a_code_the_first_container_in_order_is_blamed_and_pause_never() -> None:
    killed = pod(ended("pause", 1), ended("tune", 137))
    assert exit_sentence([killed]) == 'container "tune" failed: exit code 137 (SIGKILL)'
    assert exit_sentence([pod(ended("pause", 1))]) is None
    assert exit_sentence([pod(ended("tune", 0))]) is None


def test_the_newest_failed_pod_counts() -> None:
    old, new = pod(ended("tune", 1, "old")), pod(ended("tune", 1, "new"))
    old["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    new["metadata"]["creationTimestamp"] = "2026-01-01T00:01:00Z"
    assert exit_sentence([old, new]) == 'container "tune" failed: exit code 1: new'


@pytest.mark.parametrize(
    "message, sentence",
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ('{"event": "step", "loss": 1}\nkaito-runtime: no such file', "kaito-runtime: no such file"),
        ('what went wrong\n{"event": "step"}\n', "what went wrong"),
        ('{"reason": "BadData", "message": "row 3 is empty"}', "row 3 is empty"),
        ("{not json", "{not json"),
        ("time=x level=info event=data rows=8\n", ""),
        ("time=x level=error no rows\ntime=y level=info done", "time=x level=error no rows"),
    ],
)
def test_the_last_line_that_is_a_sentence_is_kept(message: str, sentence: str) -> None:
    assert last_sentence(message) == sentence
