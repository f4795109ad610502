"""What a node's heartbeats and conditions mean: Ready Unknown when they stop, and the taints that follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.scheduler.taints import NOT_READY, UNREACHABLE, tolerates
from kaito.kube.objects import get_condition

Taint = dict[str, Any]

_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_PRESSURE = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_MANAGED = {*_PRESSURE.values(), _UNSCHEDULABLE, NOT_READY, UNREACHABLE}


def heartbeat_of(node: Mapping[str, Any], lease: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What changes when the node's kubelet gives a sign of life."""
    ready = get_condition(node, "Ready") or {}
    renewed = ((lease or {}).get("spec") or {}).get("renewTime") or ""
    return str(renewed), str(ready.get("lastHeartbeatTime") or ""), str(ready.get("status") or "")


def unknown_conditions(node: Mapping[str, Any], now: str) -> list[dict[str, Any]]:
    """The node's conditions after its heartbeats have stopped."""
    conditions = {each["type"]: dict(each) for each in (node.get("status") or {}).get("conditions") or ()}
    for kind in _CONDITIONS:
        current = conditions.get(kind)
        if current is None:
            conditions[kind] = {
                "type": kind,
                "status": "Unknown",
                "reason": "NodeStatusNeverUpdated",
                "message": "Kubelet never posted node status.",
                "lastHeartbeatTime": node["metadata"].get("creationTimestamp"),
                "lastTransitionTime": now,
            }
        elif current["status"] != "Unknown":
            conditions[kind] = current | {
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
                "lastTransitionTime": now,
            }
    return list(conditions.values())


def wanted_taints(node: Mapping[str, Any], now: str) -> list[Taint]:
    """The node's taints with those that its conditions and its cordon call for, and without those they no longer do.

    NoExecute taints carry the time they were added, from which tolerations count.
    Source: pkg/controller/nodelifecycle, doNoScheduleTaintingPass and doNoExecuteTaintingPass.
    """
    wanted: list[tuple[str, str]] = []
    ready = get_condition(node, "Ready")
    key = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(ready["status"]) if ready else NOT_READY
    if key:
        wanted += [(key, "NoSchedule"), (key, "NoExecute")]
    for kind, name in _PRESSURE.items():
        condition = get_condition(node, kind)
        if condition is not None and condition["status"] == "True":
            wanted.append((name, "NoSchedule"))
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append((_UNSCHEDULABLE, "NoSchedule"))
    current: list[Taint] = list((node.get("spec") or {}).get("taints") or ())
    kept = [each for each in current if each["key"] not in _MANAGED or (each["key"], each["effect"]) in wanted]
    there = {(each["key"], each["effect"]) for each in kept}
    return [
        *kept,
        *(
            {"key": key, "effect": effect} | ({"timeAdded": now} if effect == "NoExecute" or key == UNREACHABLE else {})
            for key, effect in wanted
            if (key, effect) not in there
        ),
    ]


def toleration_seconds(pod: Object, taints: Iterable[Taint]) -> float | None:
    """How long the pod may stay under NoExecute taints: 0 at once, None for ever."""
    limits: list[float] = []
    for taint in taints:
        matching = [t for t in pod["spec"].get("tolerations") or () if tolerates(t, taint)]
        if not matching:
            return 0.0
        limits += [max(0.0, t["tolerationSeconds"]) for t in matching if t.get("tolerationSeconds") is not None]
    return min(limits, default=None)
