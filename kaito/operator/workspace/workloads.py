"""How far a workspace's Job and StatefulSet have come: pure functions of their status."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from kaito.api import labels
from kaito.kube.objects import condition_is, controller_of, is_deleting
from kaito.operator.manifests import names


class JobPhase(Enum):
    """Where the tuning run of the workspace's current revision is."""

    PENDING = "pending"
    """There is no Job yet, or it has not begun, or the one there belongs to an earlier revision."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Failed for good: the Job controller tries no more."""


def job_phase(job: Mapping[str, Any] | None, revision: str) -> JobPhase:
    """The phase of the run of `revision`.

    Only the Job's own verdict ends a run: pods that failed before do not make a run that succeeds a failed one, and a
    Job between two pods is still running.
    """
    if job is None or is_deleting(job) or revision_of(job) != revision:
        return JobPhase.PENDING
    status = job.get("status") or {}
    if condition_is(job, "Complete") or status.get("succeeded"):
        return JobPhase.SUCCEEDED
    if condition_is(job, "Failed"):
        return JobPhase.FAILED
    if status.get("active") or status.get("ready") or status.get("failed") or status.get("startTime"):
        return JobPhase.RUNNING
    return JobPhase.PENDING


def revision_of(obj: Mapping[str, Any]) -> str:
    """The workspace revision that a Job or StatefulSet was made for; empty when it carries none."""
    return names.annotation(obj, labels.WORKSPACE_REVISION) or ""


def is_serving(stateful_set: Mapping[str, Any] | None) -> bool:
    """All replicas are ready, and they are those of the latest pod template."""
    if stateful_set is None or is_deleting(stateful_set):
        return False
    status = stateful_set.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(stateful_set["metadata"].get("generation") or 0):
        return False
    replicas = stateful_set["spec"].get("replicas")
    wanted = 1 if replicas is None else int(replicas)
    current, update = status.get("currentRevision"), status.get("updateRevision")
    if current and update and current != update:
        return False
    return int(status.get("readyReplicas") or 0) == wanted


def served_job(stateful_set: Mapping[str, Any] | None) -> str:
    """The uid of the Job whose adapter a StatefulSet serves; empty for none."""
    if stateful_set is None:
        return ""
    metadata = stateful_set["spec"]["template"].get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(names.SERVED_JOB_ANNOTATION) or "")


def is_owned_by(obj: Mapping[str, Any], owner: Mapping[str, Any] | None) -> bool:
    """Whether `owner` is the controller of `obj`."""
    controller = controller_of(obj)
    return owner is not None and controller is not None and controller["uid"] == owner["metadata"].get("uid")
