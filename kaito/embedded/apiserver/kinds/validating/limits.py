"""LimitRanges and ResourceQuotas (pkg/apis/core/validation)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import duplicate, forbidden, invalid, invalid_each, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.resources import (
    HUGE_PAGES,
    INTEGER,
    STANDARD,
    check_resource_name,
    is_extended,
)
from kaito.embedded.apiserver.schemas import quantities
from kaito.embedded.apiserver.schemas.decoding import emptied

Json = dict[str, Any]
COUNTED: Final = frozenset(
    {
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
COMPUTED: Final = frozenset(
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    }
)  # fmt: skip
QUOTA: Final = COUNTED | COMPUTED | {"storage", "requests.storage"}
STANDARD_NAMES: Final = QUOTA | STANDARD
TYPES: Final = ("Pod", "Container", "PersistentVolumeClaim")
NOT_STANDARD: Final = "must be a standard resource type or fully qualified"
# Which resources a quota's scope can restrict.
SCOPES: Final = {
    "Terminating": COMPUTED | {"pods"},
    "NotTerminating": COMPUTED | {"pods"},
    "NotBestEffort": COMPUTED | {"pods"},
    "BestEffort": frozenset({"pods"}),
    "PriorityClass": COMPUTED | {"pods"},
    "CrossNamespacePodAffinity": COMPUTED | {"pods"},
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
CONFLICTS: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))

ORDERED_LIMITS: Final = ("min", "defaultRequest", "default", "max")
WORDS: Final = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}
# (lower, upper, the field that is blamed)
LIMIT_PAIRS: Final = (
    ("min", "max", "min"), ("min", "defaultRequest", "defaultRequest"), ("defaultRequest", "max", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest"), ("min", "default", "default"), ("default", "max", "default"),
)  # fmt: skip


def check_resource_quota(quota: Json) -> list[Cause]:
    spec, status = quota.get("spec") or {}, quota.get("status") or {}
    causes = _check_amounts(spec.get("hard") or {}, "spec.hard")
    causes += _check_scopes(spec)
    return causes + check_quota_status(quota) if status else causes


def check_quota_status(quota: Json) -> list[Cause]:
    status = quota.get("status") or {}
    return [cause for field in ("hard", "used") for cause in _check_amounts(status.get(field) or {}, f"status.{field}")]


def _check_amounts(amounts: Json, field: str) -> list[Cause]:
    causes: list[Cause] = []
    for name, amount in amounts.items():
        path, value = f"{field}[{name}]", quantities.value_of(amount)
        causes += _check_quota_name(name, path)
        if value < 0:
            causes.append(invalid(path, amount, names.NOT_NEGATIVE))
        if (name in COUNTED or is_extended(name)) and value.denominator != 1:
            causes.append(invalid(path, amount, INTEGER))
    return causes


def _check_quota_name(name: str, path: str) -> list[Cause]:
    if complaints := names.qualified_name(name):
        return invalid_each(path, name, complaints)
    if "/" in name or name in QUOTA or name.startswith((HUGE_PAGES, "requests.", "limits.")):
        return []
    causes = [] if name in STANDARD else [invalid(path, name, NOT_STANDARD)]
    return [*causes, invalid(path, name, "must be a standard resource for quota")]


def _check_scopes(spec: Json) -> list[Cause]:
    scopes, hard = spec.get("scopes") or [], spec.get("hard") or {}
    causes: list[Cause] = []
    for scope in scopes:
        if scope not in SCOPES:
            causes.append(invalid("spec.scopes", scopes, "unsupported scope"))
        for name in sorted(hard):
            if name in QUOTA and name not in SCOPES.get(scope, QUOTA):
                causes.append(invalid("spec.scopes", scopes, "unsupported scope applied to resource"))
    causes += [invalid("spec.scopes", scopes, "conflicting scopes") for pair in CONFLICTS if set(pair) <= set(scopes)]
    return causes


def check_resource_quota_update(new: Json, old: Json) -> list[Cause]:
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    scopes = spec.get("scopes") or []
    if set(scopes) == set(known.get("scopes") or []):
        return []
    return [invalid("spec.scopes", scopes or emptied(spec, "scopes"), names.IMMUTABLE)]


def check_limit_range(limits: Json) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, item in enumerate((limits.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type", "")
        causes += _check_limit_type(kind, f"{path}.type")
        if kind in seen:
            causes.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        causes += _check_limit_names(item, kind, path)
        for name in sorted(
            {name for field in (*ORDERED_LIMITS, "maxLimitRequestRatio") for name in item.get(field) or ()}
        ):
            causes += _check_order(item, name, path)
    return causes


def _check_limit_type(kind: str, path: str) -> list[Cause]:
    if complaints := names.qualified_name(kind):
        return invalid_each(path, kind, complaints)
    detail = "must be a standard limit type or fully qualified"
    return [] if "/" in kind or kind in TYPES else [invalid(path, kind, detail)]


def _check_limit_names(item: Json, kind: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        amounts = item.get(field) or {}
        if kind == "Pod" and field.startswith("default"):
            if amounts:
                causes.append(forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'"))
            continue
        for name in amounts:
            here = f"{path}.{field}[{name}]"
            causes += check_resource_name(name, here) if kind in ("Pod", "Container") else _check_name(name, here)
    if kind == "PersistentVolumeClaim" and not any("storage" in (item.get(field) or {}) for field in ("min", "max")):
        detail = "either minimum or maximum storage value is required, but neither was provided"
        causes.append(required(f"{path}.limits", detail))
    return causes


def _check_name(name: str, path: str) -> list[Cause]:
    if complaints := names.qualified_name(name):
        return invalid_each(path, name, complaints)
    standard = "/" in name or name in STANDARD_NAMES or name.startswith((HUGE_PAGES, "requests.", "limits."))
    return [] if standard else [invalid(path, name, NOT_STANDARD)]


def _check_order(item: Json, name: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    found = {field: (item.get(field) or {}).get(name) for field in ORDERED_LIMITS}
    for lower, upper, field in LIMIT_PAIRS:
        low, high = found[lower], found[upper]
        if low is not None and high is not None and quantities.value_of(low) > quantities.value_of(high):
            detail = f"{WORDS[lower]} value {low} is greater than {WORDS[upper]} value {high}"
            shown = low if (lower, upper) == ("min", "default") else found[field]
            causes.append(invalid(f"{path}.{field}[{name}]", shown, detail))
    return causes + _check_ratio(item, name, found, path)


def _check_ratio(item: Json, name: str, found: Json, path: str) -> list[Cause]:
    ratio, here = (item.get("maxLimitRequestRatio") or {}).get(name), f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is None:
        return []
    causes: list[Cause] = []
    value = quantities.value_of(ratio)
    if value < 1:
        causes.append(invalid(here, ratio, f"ratio {ratio} is less than 1"))
    if found["min"] is not None and found["max"] is not None and (least := quantities.value_of(found["min"])):
        limit: Fraction = quantities.value_of(found["max"]) / least
        if value > limit:
            causes.append(invalid(here, ratio, f"ratio {ratio} is greater than max/min = {float(limit):f}"))
    return causes
