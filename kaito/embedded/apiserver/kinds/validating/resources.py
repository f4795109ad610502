"""Resource requests and limits of containers."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import invalid, invalid_each, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas import quantities

Json = dict[str, Any]
STANDARD: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
HUGE_PAGES: Final = "hugepages-"
INTEGER: Final = "must be an integer"


def is_extended(name: str) -> bool:
    """A resource that somebody's device plug-in counts, e.g. nvidia.com/gpu: whole numbers, no overcommitment."""
    native = "/" not in name or "kubernetes.io/" in name
    return not native and not name.startswith("requests.")


def check_resource_name(name: str, path: str) -> list[Cause]:
    causes = invalid_each(path, name, names.qualified_name(name))
    if causes:
        return causes
    if "/" not in name and name not in STANDARD and not name.startswith(HUGE_PAGES):
        if name not in ("storage", "pods", "services"):
            causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
        causes.append(invalid(path, name, "must be a standard resource for containers"))
    return causes


def check_amount(name: str, amount: Any, path: str) -> list[Cause]:
    value = quantities.value_of(amount)
    if value < 0:
        return [invalid(path, amount, names.NOT_NEGATIVE)]
    if is_extended(name) and value.denominator != 1:
        return [invalid(path, amount, INTEGER)]
    return []


def check_requirements(resources: Json, path: str) -> list[Cause]:
    """Limits one by one, then requests, then requests against limits."""
    causes: list[Cause] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, amount in limits.items():
        here = f"{path}.limits[{name}]"
        causes += check_resource_name(name, here) + check_amount(name, amount, here)
    for name, amount in requests.items():
        here = f"{path}.requests[{name}]"
        causes += check_resource_name(name, here) + check_amount(name, amount, here)
        overcommit = not is_extended(name) and not name.startswith(HUGE_PAGES)
        if name in limits:
            value, limit = quantities.value_of(amount), quantities.value_of(limits[name])
            if value != limit and not overcommit:
                causes.append(invalid(f"{path}.requests", amount, f"must be equal to {name} limit of {limits[name]}"))
            elif value > limit:
                detail = f"must be less than or equal to {name} limit of {limits[name]}"
                causes.append(invalid(f"{path}.requests", amount, detail))
        elif not overcommit:
            causes.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
    return causes
