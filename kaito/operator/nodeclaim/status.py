"""The status of a claim while a pass works on it: conditions are set on a copy and written once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kaito.api import conditions
from kaito.kube.objects import set_condition
from kaito.operator.nodeclaim.claims import LIFECYCLE

MESSAGE_LIMIT = 800
"""Characters of a message, as in gpu-provisioner's Karpenter."""
AWAITING_MESSAGE = "object is awaiting reconciliation"


class ClaimStatus:
    """A working copy of `status`; `changed` tells whether anything differs from what is stored."""

    def __init__(self, claim: Mapping[str, Any], now: datetime) -> None:
        self._stored = claim.get("status") or {}
        self._generation = claim["metadata"].get("generation")
        self._now = now
        self.value: dict[str, Any] = copy.deepcopy(dict(self._stored))
        self.transitions: list[tuple[str, str, str, str]] = []
        """(type, old status, new status, reason) of every condition whose status changed."""
        for kind in (*LIFECYCLE, conditions.READY):
            if self.get(kind) is None:
                self._set(kind, "Unknown", conditions.AWAITING_RECONCILIATION, AWAITING_MESSAGE)

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.value != self._stored

    def get(self, kind: str) -> dict[str, Any] | None:
        """A condition, or None."""
        return next((one for one in self.value.get("conditions") or () if one["type"] == kind), None)

    def is_true(self, kind: str) -> bool:
        """Whether a condition is True."""
        found = self.get(kind)
        return found is not None and found["status"] == "True"

    def set_true(self, kind: str) -> None:
        """A condition that is reached; its reason is its own name, as in Karpenter."""
        self._set(kind, "True", kind, "")

    def set_unknown(self, kind: str, reason: str, message: str) -> None:
        """A condition that is still waited for."""
        self._set(kind, "Unknown", reason, message)

    def set_false(self, kind: str, reason: str, message: str) -> None:
        """A condition that will not come by waiting."""
        self._set(kind, "False", reason, message)

    def finish(self) -> None:
        """Compute Ready from the others, as Karpenter's root condition."""
        unmet = {kind: str((self.get(kind) or {}).get("status")) for kind in LIFECYCLE if not self.is_true(kind)}
        if not unmet:
            self.set_true(conditions.READY)
            return
        if all((self.get(kind) or {}).get("reason") == conditions.AWAITING_RECONCILIATION for kind in LIFECYCLE):
            return
        text = ", ".join(f"{kind}={status}" for kind, status in sorted(unmet.items()))
        self._set(conditions.READY, "False" if "False" in unmet.values() else "Unknown", "UnhealthyDependents", text)

    def _set(self, kind: str, status: str, reason: str, message: str) -> None:
        before = self.get(kind)
        old = before["status"] if before else "Unknown"
        set_condition(
            self.value.setdefault("conditions", []),
            kind,
            status,
            reason,
            message[:MESSAGE_LIMIT],
            now=self._now,
            observed_generation=self._generation,
        )
        if old != status:
            self.transitions.append((kind, old, status, reason))
