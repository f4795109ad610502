"""Statuses: what is checked when one is written through its subresource."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import duplicate, invalid, invalid_each, not_supported, required, too_long
from kaito.embedded.apiserver.kinds.model import Cause, Kind
from kaito.embedded.apiserver.kinds.validating import cluster, limits, networking
from kaito.embedded.apiserver.kinds.validating.selectors import not_negative

Json = dict[str, Any]
REASON: Final = re.compile("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
REASON_MESSAGE: Final = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    f"'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '{REASON.pattern}')"
)
LONGEST_REASON, LONGEST_MESSAGE = 1024, 32 * 1024
OF_REPLICAS: Final = "cannot be greater than status.replicas"
COUNTS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "ReplicationController"): (
        "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
    ),
    ("apps", "DaemonSet"): (
        "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
        "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
    ),
    ("apps", "Deployment"): (
        "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
        "unavailableReplicas", "collisionCount",
    ),
    ("apps", "ReplicaSet"): (
        "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
    ),
    ("apps", "StatefulSet"): (
        "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration",
        "collisionCount",
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): ("currentReplicas", "desiredReplicas"),
    ("batch", "Job"): ("active", "succeeded", "failed"),
}  # fmt: skip
"""Numbers that may not be negative."""
PARTS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "ReplicationController"): ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
    ("apps", "Deployment"): ("updatedReplicas", "readyReplicas", "availableReplicas"),
    ("apps", "ReplicaSet"): ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
    ("apps", "StatefulSet"): ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
}
"""Numbers that may not be greater than `replicas`."""


def check_status(kind: Kind, new: Json, old: Json) -> list[Cause]:
    """Everything wrong with a status. Kinds that are not known here are left to those who write them."""
    place, status = (kind.group, kind.kind), new.get("status") or {}
    causes: list[Cause] = []
    for field in COUNTS.get(place, ()):
        causes += not_negative(status.get(field), f"status.{field}")
    causes += _check_parts(place, status)
    if kind.group == "apps":
        causes += _check_collisions(status, old.get("status") or {})
    own = OWN.get(place)
    return causes + (own(new) if own is not None else [])


def _check_parts(place: tuple[str, str], status: Json) -> list[Cause]:
    causes: list[Cause] = []
    total, ready = status.get("replicas") or 0, status.get("readyReplicas") or 0
    for field in PARTS.get(place, ()):
        count = status.get(field) or 0
        if count > total:
            causes.append(invalid(f"status.{field}", count, OF_REPLICAS))
        if field == "availableReplicas" and count > ready:
            detail = f"cannot be greater than {'status.' if place[1] == 'StatefulSet' else ''}readyReplicas"
            causes.append(invalid(f"status.{field}", count, detail))
    return causes


def _check_collisions(status: Json, known: Json) -> list[Cause]:
    count, before = status.get("collisionCount"), known.get("collisionCount")
    if before is not None and (count is None or count < before):
        return [invalid("status.collisionCount", count or 0, "cannot be decremented")]
    return []


def _check_budget(budget: Json) -> list[Cause]:
    status = budget.get("status") or {}
    causes = check_conditions(status.get("conditions") or [], "status.conditions")
    for field in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        causes += not_negative(status.get(field), f"status.{field}")
    return causes


def check_conditions(conditions: list[Json], path: str) -> list[Cause]:
    """metav1.Conditions (k8s.io/apimachinery/pkg/apis/meta/v1/validation)."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        here, kind = f"{path}[{index}]", condition.get("type", "")
        if kind in seen:
            causes.append(duplicate(f"{here}.type", kind))
        seen.add(kind)
        causes += invalid_each(f"{here}.type", kind, names.qualified_name(kind))
        if condition.get("status") not in ("True", "False", "Unknown"):
            options = ("False", "True", "Unknown")
            causes.append(not_supported(f"{here}.status", condition.get("status", ""), options))
        if condition.get("observedGeneration", 0) < 0:
            detail = "must be greater than or equal to zero"
            causes.append(invalid(f"{here}.observedGeneration", condition["observedGeneration"], detail))
        if not condition.get("lastTransitionTime"):
            causes.append(required(f"{here}.lastTransitionTime"))
        causes += _check_reason(condition.get("reason", ""), f"{here}.reason")
        if len(condition.get("message", "").encode()) > LONGEST_MESSAGE:
            causes.append(too_long(f"{here}.message", LONGEST_MESSAGE))
    return causes


def _check_reason(reason: str, path: str) -> list[Cause]:
    if not reason:
        return [required(path)]
    causes = [] if REASON.fullmatch(reason) else [invalid(path, reason, REASON_MESSAGE)]
    return [*causes, too_long(path, LONGEST_REASON)] if len(reason) > LONGEST_REASON else causes


OWN: Final[dict[tuple[str, str], Callable[[Json], list[Cause]]]] = {
    ("", "Namespace"): cluster.check_namespace_status,
    ("", "ResourceQuota"): limits.check_quota_status,
    ("networking.k8s.io", "Ingress"): networking.check_ingress_status,
    ("policy", "PodDisruptionBudget"): _check_budget,
}
