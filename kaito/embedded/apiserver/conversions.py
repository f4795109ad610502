"""Built-in resources served in two forms but stored in one: events of both groups, autoscalers of two versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaito.embedded.apiserver.resources import Conversion
from kaito.embedded.apiserver.store import Object

_EVENT_NAMES = {  # events.k8s.io: core
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_CORE_NAMES = {core: new for new, core in _EVENT_NAMES.items()}


@dataclass(frozen=True)
class Shared:
    """The collection a resource shares with another, and how its objects differ from what is stored there."""

    collection: str
    conversion: Conversion


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(name, name): value for name, value in obj.items()}


def _event_to_storage(obj: Object) -> Object:
    stored = _renamed(obj, _EVENT_NAMES)
    stored.setdefault("involvedObject", {})
    return stored


def _event_from_storage(obj: Object) -> Object:
    return _renamed(obj, _CORE_NAMES)


def _scaler_to_storage(obj: Object) -> Object:
    """autoscaling/v1 to v2: the one CPU target becomes a metric."""
    spec = dict(obj.get("spec") or {})
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        utilization = {"type": "Utilization", "averageUtilization": target}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}]
    status = dict(obj.get("status") or {})
    status.pop("currentCPUUtilizationPercentage", None)
    return {**obj, "spec": spec, "status": status}


def _scaler_from_storage(obj: Object) -> Object:
    spec: dict[str, Any] = {k: v for k, v in (obj.get("spec") or {}).items() if k not in ("metrics", "behavior")}
    for metric in (obj.get("spec") or {}).get("metrics") or ():
        resource = metric.get("resource") or {}
        percentage = (resource.get("target") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and percentage is not None:
            spec["targetCPUUtilizationPercentage"] = percentage
    ignored = ("currentMetrics", "conditions")
    status = {k: v for k, v in (obj.get("status") or {}).items() if k not in ignored}
    return {**obj, "spec": spec, "status": status}


CONVERSIONS = {
    ("events.k8s.io", "v1", "events"): Shared("/events", Conversion(_event_to_storage, _event_from_storage)),
    ("autoscaling", "v1", "horizontalpodautoscalers"): Shared(
        "autoscaling/horizontalpodautoscalers", Conversion(_scaler_to_storage, _scaler_from_storage)
    ),
}
"""By group, version and plural."""
