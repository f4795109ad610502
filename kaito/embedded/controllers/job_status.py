"""A Job's status: pods noted before they are let go, counted once they are. Source: trackJobStatusAndRemoveFinalizers.

A finished pod is first named in `uncountedTerminatedPods`, then loses its finalizer, and is counted only when a later
look shows it without. So a crash at any point neither loses a pod nor counts it twice.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from kaito.embedded.controllers.conditions import condition, find, put, without
from kaito.embedded.controllers.job_indexes import format_indexes
from kaito.embedded.controllers.job_progress import (
    COMPLETE,
    FAILED,
    FAILURE_TARGET,
    SUSPENDED,
    Progress,
    counts_as_failure,
    is_indexed,
)
from kaito.kube.objects import format_time

Status = dict[str, Any]


def noted_status(progress: Progress, verdict: dict[str, Any] | None, now: datetime) -> Status:
    """The status after this look at the pods: numbers, start, suspension, verdict, and newly finished pods noted."""
    job = progress.job
    status: Status = dict(job.get("status") or {})
    conditions = list(status.get("conditions") or ())
    if verdict is not None:
        conditions = put(conditions, verdict)
    conditions, resumed = _suspension(conditions, progress.suspended and verdict is None, now)
    if resumed or (not progress.suspended and not status.get("startTime")):
        status["startTime"] = format_time(now)
    uncounted = status.get("uncountedTerminatedPods") or {}
    succeeded, failed = list(uncounted.get("succeeded") or ()), list(uncounted.get("failed") or ())
    succeeded += [pod["metadata"]["uid"] for pod in progress.new_succeeded]
    failed += [pod["metadata"]["uid"] for pod in progress.new_failed if counts_as_failure(job, pod)]
    status |= {
        "active": len(progress.active),
        "ready": progress.ready,
        "terminating": progress.terminating,
        "uncountedTerminatedPods": {
            name: uids for name, uids in (("succeeded", succeeded), ("failed", failed)) if uids
        },
        "conditions": conditions,
    }
    if is_indexed(job):
        status["completedIndexes"] = format_indexes(progress.completed_indexes)
        status["succeeded"] = len(progress.completed_indexes)
    if job["spec"].get("backoffLimitPerIndex") is not None:
        status["failedIndexes"] = format_indexes(progress.failed_indexes)
    return _compact(status)


def _suspension(conditions: list[dict[str, Any]], suspended: bool, now: datetime) -> tuple[list[dict[str, Any]], bool]:
    """The conditions with Suspended in step with the spec; True when the Job has just been resumed."""
    current = find(conditions, SUSPENDED)
    was = current is not None and current["status"] == "True"
    if suspended and not was:
        fresh = condition(SUSPENDED, "True", "JobSuspended", "Job suspended", now, probed=True)
        return [*without(conditions, SUSPENDED), fresh], False
    if not suspended and was:
        fresh = condition(SUSPENDED, "False", "JobResumed", "Job resumed", now, probed=True)
        return [*without(conditions, SUSPENDED), fresh], True
    return conditions, False


def counted_status(status: Status, *, held: Collection[str], indexed: bool) -> Status:
    """The status with noted pods moved into the counts, except those in `held`, whose finalizer is still on."""
    uncounted = status.get("uncountedTerminatedPods") or {}
    result = dict(status)
    remaining: dict[str, list[str]] = {}
    for field in ("succeeded", "failed"):
        uids = uncounted.get(field) or []
        left = [uid for uid in uids if uid in held]
        if left:
            remaining[field] = left
        if not (indexed and field == "succeeded"):
            result[field] = status.get(field, 0) + len(uids) - len(left)
    result["uncountedTerminatedPods"] = remaining
    return _compact(result)


def settled_status(status: Status, now: datetime) -> Status:
    """The status with the final condition that follows from the verdict in it, once every pod has ended and counts."""
    conditions = status.get("conditions") or []
    verdict = next((c for c in conditions if c["type"] in ("FailureTarget", "SuccessCriteriaMet")), None)
    if verdict is None or verdict["status"] != "True" or status.get("uncountedTerminatedPods"):
        return status
    kind = FAILED if verdict["type"] == FAILURE_TARGET else COMPLETE
    final = condition(kind, "True", verdict["reason"], verdict["message"], now, probed=True)
    result = {**status, "conditions": put(conditions, final)}
    if kind == COMPLETE:
        result["completionTime"] = final["lastTransitionTime"]
    return result


def _compact(status: Status) -> Status:
    """Without the numbers that Go omits when they are zero; `ready` and `terminating` are pointers and stay."""
    return {
        name: value
        for name, value in status.items()
        if value or name in ("ready", "terminating", "uncountedTerminatedPods")
    }
