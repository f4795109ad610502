"""Status conditions of the workload kinds, which keep more or other times than metav1.Condition."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kaito.kube.objects import format_time

Condition = dict[str, Any]


def condition(
    kind: str, status: str, reason: str, message: str, now: datetime, *, updated: bool = False, probed: bool = False
) -> Condition:
    """A new condition. `updated` adds lastUpdateTime (Deployments), `probed` lastProbeTime (Jobs)."""
    stamp = format_time(now)
    times = {"lastTransitionTime": stamp}
    if updated:
        times["lastUpdateTime"] = stamp
    if probed:
        times["lastProbeTime"] = stamp
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}


def find(conditions: list[Condition], kind: str) -> Condition | None:
    """The condition of a type, or None."""
    return next((each for each in conditions if each["type"] == kind), None)


def without(conditions: list[Condition], kind: str) -> list[Condition]:
    """The other conditions."""
    return [each for each in conditions if each["type"] != kind]


def put(conditions: list[Condition], new: Condition) -> list[Condition]:
    """The conditions with `new` in place of its type's.

    Same status and reason: nothing changes. Same status: its transition time stays. Source: SetDeploymentCondition.
    """
    current = find(conditions, new["type"])
    if current is not None and (current["status"], current.get("reason")) == (new["status"], new["reason"]):
        return conditions
    if current is not None and current["status"] == new["status"]:
        new = {**new, "lastTransitionTime": current.get("lastTransitionTime")}
    return [*without(conditions, new["type"]), new]
