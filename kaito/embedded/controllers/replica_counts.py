"""The arithmetic of a Deployment's rolling update."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kaito.embedded.controllers.caching import Object

MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
"""Annotation of a ReplicaSet: the most pods its Deployment might have had when it was last scaled."""
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"


def resolve(value: int | str | None, total: int, *, round_up: bool) -> int:
    """An int-or-percent against a total."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    if value.endswith("%"):
        share = int(value[:-1]) * total
        return -(-share // 100) if round_up else share // 100
    return int(value)


def fenceposts(deployment: Object) -> tuple[int, int]:
    """How many pods a rolling update may have above and below the wanted number; (0, 0) for other strategies.

    Surge rounds up and unavailability down; when both come out as 0, one pod may be unavailable, or nothing would move.
    """
    strategy: dict[str, Any] = deployment["spec"].get("strategy") or {}
    replicas = deployment["spec"].get("replicas", 1)
    if (strategy.get("type") or "RollingUpdate") != "RollingUpdate" or not replicas:
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    if not surge and not unavailable:
        unavailable = 1
    return surge, min(unavailable, replicas)


def wanted_of(replica_sets: Iterable[Object]) -> int:
    """The pods that ReplicaSets are to have."""
    return sum(each["spec"].get("replicas", 1) for each in replica_sets)


def observed(replica_sets: Iterable[Object], field: str) -> int:
    """A number from the ReplicaSets' statuses, summed."""
    return sum((each.get("status") or {}).get(field, 0) for each in replica_sets)


def new_replica_count(deployment: Object, everything: list[Object], new: Object) -> int:
    """How many pods the new ReplicaSet should have now, given all ReplicaSets."""
    replicas = int(deployment["spec"].get("replicas", 1))
    strategy = (deployment["spec"].get("strategy") or {}).get("type") or "RollingUpdate"
    current = int(new["spec"].get("replicas", 1))
    if strategy != "RollingUpdate":
        return replicas
    room = replicas + fenceposts(deployment)[0] - wanted_of(everything)
    if room <= 0:
        return current
    return current + min(room, replicas - current)


def proportional_shares(deployment: Object, active: list[Object]) -> dict[str, int]:
    """New sizes by name for several ReplicaSets with pods when the Deployment's size changes in mid-rollout.

    The difference is spread in proportion to the sizes, largest first, the rest going to the first.
    Source: deployment sync.go `scale`.
    """
    replicas = deployment["spec"].get("replicas", 1)
    allowed = replicas + fenceposts(deployment)[0] if replicas else 0
    to_add = allowed - wanted_of(active)
    newest_first = to_add > 0
    ordered = sorted(active, key=lambda rs: rs["metadata"].get("creationTimestamp") or "", reverse=newest_first)
    ordered.sort(key=lambda rs: -rs["spec"].get("replicas", 1))
    sizes: dict[str, int] = {}
    added = 0
    for replica_set in ordered:
        size = replica_set["spec"].get("replicas", 1)
        share = _proportion(deployment, replica_set, allowed, to_add, added) if to_add else 0
        sizes[replica_set["metadata"]["name"]] = size + share
        added += share
    if ordered and to_add:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _proportion(deployment: Object, replica_set: Object, allowed: int, to_add: int, added: int) -> int:
    size = int(replica_set["spec"].get("replicas", 1))
    if not size:
        return 0
    if not deployment["spec"].get("replicas", 1):
        return max(-size, to_add - added)
    annotations = replica_set["metadata"].get("annotations") or {}
    before = int(annotations.get(MAX_REPLICAS) or 0) or int((deployment.get("status") or {}).get("replicas", 0))
    if not before:
        return 0
    fraction = int(size * allowed / before + 0.5) - size
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)
