"""What the server writes into CertificateSigningRequests (pkg/registry/certificates)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any, Final

from kaito.embedded.apiserver.schemas.times import format_time

Json = dict[str, Any]
APPROVALS: Final = ("Approved", "Denied")


def prepare_update(new: Json, old: Json, subresource: str) -> None:
    """The spec never changes; conditions belong to the status, those that approve or deny to the approval."""
    new["spec"] = copy.deepcopy(old.get("spec") or {})
    known = copy.deepcopy(old.get("status") or {})
    status = new.get("status") or {}
    match subresource:
        case "approval":
            new["status"] = {**known, "conditions": status.get("conditions")}
        case "status":
            new["status"] = status
            for kind in APPROVALS:
                _preserve(status.get("conditions") or [], known.get("conditions") or [], kind)
        case _:
            new["status"] = known
            return
    _date(new["status"].get("conditions") or [], known.get("conditions") or [])


def of_type(conditions: list[Json], kind: str) -> list[Json]:
    return [condition for condition in conditions if condition.get("type") == kind]


def _preserve(conditions: list[Json], known: list[Json], kind: str) -> None:
    """Puts the known conditions of a type back in place. Added and removed ones are left for validation to refuse."""
    places = [index for index, condition in enumerate(conditions) if condition.get("type") == kind]
    kept = of_type(known, kind)
    if len(places) == len(kept):
        for place, condition in zip(places, kept, strict=True):
            conditions[place] = copy.deepcopy(condition)


def _date(conditions: list[Json], known: list[Json]) -> None:
    """Gives times to the conditions that have none; a condition that did not change keeps its last transition."""
    now = format_time(datetime.now(UTC))
    for condition in conditions:
        if not condition.get("lastUpdateTime"):
            condition["lastUpdateTime"] = now
        if not condition.get("lastTransitionTime"):
            same = (c for c in of_type(known, condition.get("type", "")) if c.get("status") == condition.get("status"))
            condition["lastTransitionTime"] = next((c.get("lastTransitionTime") for c in same), now)
