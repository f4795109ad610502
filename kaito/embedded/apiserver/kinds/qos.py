"""Quality-of-service class of a pod (pkg/apis/core/v1/helper/qos)."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.schemas import quantities

Json = dict[str, Any]
COMPUTE: Final = ("cpu", "memory")


def qos_class(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort, from the cpu and memory of the pod or else of all its containers."""
    if pod_level := spec.get("resources"):
        holders = [pod_level]
    else:
        everyone = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        holders = [container.get("resources") or {} for container in everyone]
    requested = any(_amounts(holder, "requests") or _amounts(holder, "limits") for holder in holders)
    if not requested:
        return "BestEffort"
    for holder in holders:
        limits, requests = _amounts(holder, "limits"), _amounts(holder, "requests")
        if set(limits) != set(COMPUTE) or any(requests.get(name, limits[name]) != limits[name] for name in COMPUTE):
            return "Burstable"
    return "Guaranteed"


def _amounts(holder: Json, which: str) -> dict[str, Any]:
    found = {name: quantities.value_of(amount) for name, amount in (holder.get(which) or {}).items() if name in COMPUTE}
    return {name: amount for name, amount in found.items() if amount > 0}
