"""Who owns which field: managedFields after every write, and server-side apply, for one kind in one version."""

from __future__ import annotations

from dataclasses import dataclass

from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.patching import applying, tracking
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.managed_fields import APPLY, UPDATE, Manager, reset_fields
from kaito.embedded.apiserver.patching.shapes import Shape
from kaito.embedded.apiserver.store import Object


@dataclass(frozen=True)
class Ownership:
    """`shape` is the kind's schema as merging sees it."""

    kind: Kind
    shape: Shape
    custom: bool = False

    def track(self, new: Object, live: Object | None, *, manager: str, time: str, subresource: str) -> None:
        """Sets managedFields in `new` for a write that is no apply."""
        who = Manager(manager, UPDATE, self.kind.api_version, subresource)
        tracking.track(self.shape, live, new, who, now=time, ignored=self._reset(subresource))

    def apply(
        self, live: Object | None, patch: Object, *, manager: str, force: bool, time: str, subresource: str
    ) -> Object:
        """The object after a server-side apply. Raises StatusError (409 with a cause for each conflict)."""
        who = Manager(manager, APPLY, self.kind.api_version, subresource)
        try:
            applied = applying.apply(
                self.shape, live, patch, who, now=time, force=force, ignored=self._reset(subresource)
            )
        except applying.ApplyConflict as conflict:
            causes = [{"reason": c.reason, "message": c.message, "field": c.field} for c in conflict.causes]
            raise StatusError(409, "Conflict", conflict.message, {"causes": causes}) from None
        except PatchError as problem:
            raise StatusError(problem.status, problem.reason, problem.message) from None
        return applied.object

    def _reset(self, subresource: str) -> frozenset[tuple[str, ...]]:
        has_status = "status" in self.kind.subresources
        return reset_fields(self.kind.group, self.kind.kind, subresource, has_status=has_status, is_custom=self.custom)
