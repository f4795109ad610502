"""A Job's pods: which count as what, when the next may start, and how a new one looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.job_indexes import INDEX
from kaito.embedded.controllers.pods import FINISHED, phase_of, pod_from_template
from kaito.kube.objects import is_deleting, parse_time

TRACKING = "batch.kubernetes.io/job-tracking"
"""Finalizer that holds a finished pod until its Job has counted it."""
MAX_BACKOFF_SECONDS = 600.0


def is_tracked(pod: Mapping[str, Any]) -> bool:
    """Whether the pod still has to be counted."""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def replaces_only_failed(job: Mapping[str, Any]) -> bool:
    """Whether a terminating pod is replaced only when it has reached a final phase (podReplacementPolicy Failed)."""
    spec = job["spec"]
    return (spec.get("podReplacementPolicy") or ("Failed" if spec.get("podFailurePolicy") else "")) == "Failed"


def has_failed(job: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether the pod counts as failed; a pod that is deleted early counts too unless only failed ones are replaced."""
    if phase_of(pod) == "Failed":
        return True
    return not replaces_only_failed(job) and is_deleting(pod) and phase_of(pod) != "Succeeded"


def is_terminating(pod: Mapping[str, Any]) -> bool:
    """Being deleted and not finished yet."""
    return is_deleting(pod) and phase_of(pod) not in FINISHED


def finish_time(pod: Mapping[str, Any]) -> datetime | None:
    """When the pod ended: its last container's end, else its deletion, else its last transition."""
    status = pod.get("status") or {}
    ends = [
        terminated["finishedAt"]
        for each in status.get("containerStatuses") or ()
        if (terminated := (each.get("state") or {}).get("terminated")) and terminated.get("finishedAt")
    ]
    if ends:
        return parse_time(max(ends))
    if pod["metadata"].get("deletionTimestamp"):
        return parse_time(pod["metadata"]["deletionTimestamp"])
    moments = [c["lastTransitionTime"] for c in status.get("conditions") or () if c.get("lastTransitionTime")]
    return parse_time(max(moments)) if moments else None


def backoff_left(job: Mapping[str, Any], pods: Iterable[Mapping[str, Any]], base: float, now: datetime) -> float:
    """Seconds until the Job may start another pod: `base`, doubled for every failure after the last success.

    Worked out from the finished pods that are still there, so that it survives a restart of the controller.
    """
    ended = sorted(
        (
            (finish_time(pod) or now, phase_of(pod) == "Succeeded")
            for pod in pods
            if phase_of(pod) == "Succeeded" or has_failed(job, pod)
        ),
    )
    failures = 0
    for _, succeeded in reversed(ended):
        if succeeded:
            break
        failures += 1
    if not failures or base <= 0:
        return 0.0
    delay = float(min(base * 2 ** min(failures - 1, 30), MAX_BACKOFF_SECONDS))
    return max(0.0, delay - (now - ended[-1][0]).total_seconds())


def restarts(pods: Iterable[Mapping[str, Any]]) -> int:
    """Container restarts of pods that are pending or running."""
    return sum(
        each.get("restartCount") or 0
        for pod in pods
        if phase_of(pod) in ("Pending", "Running")
        for field in ("initContainerStatuses", "containerStatuses")
        for each in (pod.get("status") or {}).get(field) or ()
    )


def new_pod(job: Object, index: int | None) -> Object:
    """The next pod of a Job, held by the tracking finalizer; with `index` the pod of an Indexed Job."""
    pod = pod_from_template(job["spec"]["template"], job)
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["finalizers"] = [*(metadata.get("finalizers") or ()), TRACKING]
    if index is None:
        return pod
    name = job["metadata"]["name"]
    metadata["generateName"] = f"{name[:220]}-{index}-"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: str(index)}
    metadata["labels"] = {**(metadata.get("labels") or {}), INDEX: str(index)}
    spec.setdefault("hostname", f"{name}-{index}")
    variable = {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}},
    }
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        if all(each["name"] != variable["name"] for each in container.get("env") or ()):
            container["env"] = [*(container.get("env") or ()), variable]
    return pod
