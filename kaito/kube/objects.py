"""Reading and building the parts every Kubernetes object shares: owners, conditions, labels, times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kaito.kube.quantities import parse_quantity

__all__ = [
    "Key",
    "condition_is",
    "controller_of",
    "format_micro_time",
    "format_time",
    "get_condition",
    "is_deleting",
    "key_of",
    "matches_labels",
    "owner_reference",
    "parse_quantity",
    "parse_time",
    "set_condition",
]


class Key(NamedTuple):
    """What a reconciler is called with; `namespace` is empty for cluster-scoped objects."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Mapping[str, Any]) -> Key:
    """The key of an object."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace") or "", metadata["name"])


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """True when deletion has been asked for and finalizers or a grace period still hold the object."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> dict[str, Any]:
    """An owner reference to `owner`, which must carry apiVersion, kind, name and uid."""
    reference: dict[str, Any] = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    if controller:
        reference |= {"controller": True, "blockOwnerDeletion": True}
    return reference


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """The owner reference with `controller: true`, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def get_condition(obj: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """The condition of type `kind` in `status.conditions`, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return None


def condition_is(obj: Mapping[str, Any], kind: str, status: str = "True") -> bool:
    """True when the condition of type `kind` is there with that status."""
    condition = get_condition(obj, kind)
    return condition is not None and condition.get("status") == status


def set_condition(
    conditions: list[dict[str, Any]],
    kind: str,
    status: str,
    reason: str,
    message: str = "",
    *,
    now: datetime,
    observed_generation: int | None = None,
) -> bool:
    """Set one condition in place, appended when new; True when anything changed.

    `lastTransitionTime` moves only when `status` does (metav1.Condition's rule).
    """
    wanted: dict[str, Any] = {"type": kind, "status": status, "reason": reason, "message": message}
    if observed_generation is not None:
        wanted["observedGeneration"] = observed_generation
    for condition in conditions:
        if condition.get("type") != kind:
            continue
        if all(condition.get(field) == value for field, value in wanted.items()):
            return False
        if condition.get("status") != status:
            condition["lastTransitionTime"] = format_time(now)
        condition.update(wanted)
        return True
    conditions.append({**wanted, "lastTransitionTime": format_time(now)})
    return True


def matches_labels(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether `labels` satisfy a LabelSelector; None selects nothing, an empty selector everything.

    Source: metav1.LabelSelectorAsSelector.
    """
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_matches_expression(expression, labels) for expression in selector.get("matchExpressions") or ())


def _matches_expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    values: Iterable[str] = expression.get("values") or ()
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    raise ValueError(f"{operator!r} is not a valid label selector operator")


def format_time(moment: datetime) -> str:
    """A metav1.Time: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(moment: datetime) -> str:
    """A metav1.MicroTime: UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """A metav1.Time or MicroTime as an aware datetime; ValueError when it is neither."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
