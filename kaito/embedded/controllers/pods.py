"""What every workload controller asks of pods: are they active, ready, available; and pods made from templates."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.kube.objects import get_condition, is_deleting, owner_reference, parse_time

FINISHED = ("Succeeded", "Failed")


def phase_of(pod: Mapping[str, Any]) -> str:
    """The pod's phase; Pending when the kubelet has not said anything."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_active(pod: Mapping[str, Any]) -> bool:
    """Neither finished nor being deleted."""
    return phase_of(pod) not in FINISHED and not is_deleting(pod)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """The Ready condition is True."""
    condition = get_condition(pod, "Ready")
    return condition is not None and condition["status"] == "True"


def available_in(pod: Mapping[str, Any], min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until a ready pod counts as available (0 when it does); None when it is not ready."""
    condition = get_condition(pod, "Ready")
    if condition is None or condition["status"] != "True":
        return None
    if not min_ready_seconds:
        return 0.0
    since = condition.get("lastTransitionTime")
    if not since:
        return None
    return max(0.0, min_ready_seconds - (now - parse_time(since)).total_seconds())


def pod_from_template(template: Mapping[str, Any], owner: Object) -> Object:
    """A new pod of a controller: the template's metadata and spec, owned, its name generated from the owner's."""
    source = template.get("metadata") or {}
    metadata: Object = {
        "generateName": f"{owner['metadata']['name'][:242]}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [owner_reference(owner)],
        **{
            field: copy.deepcopy(source[field])
            for field in ("labels", "annotations", "finalizers")
            if source.get(field)
        },
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(dict(template["spec"]))}


def deletion_rank(pod: Mapping[str, Any], crowd: Mapping[str, int]) -> tuple[Any, ...]:
    """Sorts the pods that a scale-down should end first to the front.

    Unassigned, then pending, not ready, cheap by annotation, on crowded nodes (`crowd`: active pods of the same owner
    by node), ready for the shortest time, most restarts, youngest. Source: controller.ActivePodsWithRanks.
    """
    status, metadata = pod.get("status") or {}, pod["metadata"]
    node = pod["spec"].get("nodeName") or ""
    condition = get_condition(pod, "Ready") or {}
    ready = condition.get("status") == "True"
    restarts = max((c.get("restartCount") or 0 for c in status.get("containerStatuses") or ()), default=0)
    try:
        cost = int((metadata.get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", 0))
    except ValueError:
        cost = 0
    return (
        bool(node),
        {"Pending": 0, "Unknown": 1}.get(phase_of(pod), 2),
        ready,
        cost,
        -crowd.get(node, 0),
        _newest_first(condition.get("lastTransitionTime") if ready else None),
        -restarts,
        _newest_first(metadata.get("creationTimestamp")),
        metadata["name"],
    )


def _newest_first(moment: str | None) -> float:
    return -parse_time(moment).timestamp() if moment else float("-inf")
