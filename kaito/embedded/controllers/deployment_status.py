"""A Deployment's status, computed from its ReplicaSets. Source: pkg/controller/deployment progress.go, sync.go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.conditions import condition, find, put, without
from kaito.embedded.controllers.replica_counts import fenceposts, observed, wanted_of
from kaito.kube.objects import parse_time

PROGRESSING, AVAILABLE, FAILURE = "Progressing", "Available", "ReplicaFailure"
NO_DEADLINE = 2**31 - 1


def counts(deployment: Object, everything: list[Object], new: Object | None) -> dict[str, Any]:
    """The numbers and the generation."""
    available = observed(everything, "availableReplicas")
    status: dict[str, Any] = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": observed(everything, "replicas"),
        "updatedReplicas": observed([new] if new else [], "replicas"),
        "readyReplicas": observed(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted_of(everything) - available),
        "collisionCount": (deployment.get("status") or {}).get("collisionCount"),
    }
    return {name: value for name, value in status.items() if value}


def is_complete(deployment: Object, status: dict[str, Any]) -> bool:
    """Every wanted pod is of the new template and available, and no other is left."""
    replicas = deployment["spec"].get("replicas", 1)
    return status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0) and all(
        status.get(name, 0) == replicas for name in ("updatedReplicas", "replicas", "availableReplicas")
    )


def _has_progressed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def outdated(status: dict[str, Any]) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    return outdated(new) < outdated(old) or any(
        new.get(name, 0) > old.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )


def _deadline(deployment: Object) -> int | None:
    seconds: int = deployment["spec"].get("progressDeadlineSeconds") or NO_DEADLINE
    return None if seconds == NO_DEADLINE else seconds


def deployment_status(
    deployment: Object,
    everything: list[Object],
    new: Object | None,
    now: datetime,
    *,
    created: bool = False,
    tracking: bool = True,
) -> tuple[dict[str, Any], float | None]:
    """The whole status, and in how many seconds the progress deadline may strike (None: it cannot).

    `created`: the new ReplicaSet was made just now. `tracking` is False for a paused or merely resized Deployment,
    whose progress is not judged.
    """
    before = deployment.get("status") or {}
    status = counts(deployment, everything, new)
    conditions = list(before.get("conditions") or ())
    enough = status.get("availableReplicas", 0) >= deployment["spec"].get("replicas", 1) - fenceposts(deployment)[1]
    conditions = put(
        conditions,
        condition(
            AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now, updated=True
        )
        if enough
        else condition(
            AVAILABLE,
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            now,
            updated=True,
        ),
    )
    again: float | None = None
    if _deadline(deployment) is None:
        conditions = without(conditions, PROGRESSING)
    elif tracking:
        conditions, again = _judge(deployment, conditions, before, status, new, now, created)
    failures = [c for rs in everything if (c := find((rs.get("status") or {}).get("conditions") or [], FAILURE))]
    conditions = (
        without(conditions, FAILURE)
        if not failures
        else put(conditions, {**failures[0], "lastUpdateTime": failures[0].get("lastTransitionTime")})
    )
    return {**status, "conditions": conditions}, again


def _judge(
    deployment: Object,
    conditions: list[dict[str, Any]],
    before: dict[str, Any],
    status: dict[str, Any],
    new: Object | None,
    now: datetime,
    created: bool,
) -> tuple[list[dict[str, Any]], float | None]:
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'

    def say(value: str, reason: str, message: str) -> dict[str, Any]:
        return condition(PROGRESSING, value, reason, message, now, updated=True)

    current = find(conditions, PROGRESSING)
    if new is not None and created:
        current = say("True", "NewReplicaSetCreated", f'Created new replica set "{new["metadata"]["name"]}"')
        conditions = put(conditions, current)
    elif new is not None and current is None:
        current = say("True", "FoundNewReplicaSet", f'Found new replica set "{new["metadata"]["name"]}"')
        conditions = put(conditions, current)
    idle = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == "NewReplicaSetAvailable"
    )
    if idle:
        return conditions, None
    if is_complete(deployment, status):
        return put(conditions, say("True", "NewReplicaSetAvailable", f"{subject} has successfully progressed.")), None
    if _has_progressed(before, status):
        fresh = say("True", "ReplicaSetUpdated", f"{subject} is progressing.")
        if current is not None and current["status"] == "True":
            fresh["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without(conditions, PROGRESSING), fresh], float(_deadline(deployment) or 0)
    if current is None or current.get("reason") == "ProgressDeadlineExceeded":
        return conditions, None
    left = (_deadline(deployment) or 0) - (now - parse_time(current["lastUpdateTime"])).total_seconds()
    if left > 0 or current.get("reason") == "DeploymentPaused":
        return conditions, max(left, 1.0)
    return put(conditions, say("False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.")), None
