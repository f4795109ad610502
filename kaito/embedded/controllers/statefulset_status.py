"""A StatefulSet's status, computed from its pods. Source: pkg/controller/statefulset/stateful_set_control.go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.pods import available_in, is_ready, phase_of
from kaito.embedded.controllers.statefulset_pods import revision_of
from kaito.kube.objects import is_deleting


def is_running_and_ready(pod: Object) -> bool:
    """Running with a true Ready condition."""
    return phase_of(pod) == "Running" and is_ready(pod)


def is_healthy(pod: Object) -> bool:
    """Running, ready and not being deleted."""
    return is_running_and_ready(pod) and not is_deleting(pod)


def is_available(owner: Object, pod: Object, now: datetime) -> bool:
    """Running and ready for at least `minReadySeconds`."""
    return is_running_and_ready(pod) and available_in(pod, owner["spec"].get("minReadySeconds") or 0, now) == 0


def stateful_set_status(
    owner: Object, pods: list[Object], *, current: str, update: str, collisions: int, now: datetime
) -> dict[str, Any]:
    """The whole status. A rolling update that has reached every pod makes the update revision the current one."""
    placed = [pod for pod in pods if not is_deleting(pod)]
    of_current = sum(revision_of(pod) == current for pod in placed)
    of_update = sum(revision_of(pod) == update for pod in placed)
    ready = sum(is_running_and_ready(pod) for pod in pods)
    if (
        (owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        and of_update == len(pods)
        and ready == len(pods)
    ):
        current, of_current = update, of_update
    status: dict[str, Any] = {
        "observedGeneration": owner["metadata"].get("generation", 0),
        "replicas": len(pods),
        "readyReplicas": ready,
        "currentReplicas": of_current,
        "updatedReplicas": of_update,
        "availableReplicas": sum(is_available(owner, pod, now) for pod in pods),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": collisions,
    }
    kept = ("replicas", "availableReplicas", "collisionCount")
    return {name: value for name, value in status.items() if value or name in kept}
