"""The strategy of built-in kinds: puts together what the kinds, schemas and patching rooms know."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.kinds import defaults
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.strategic import strategic_merge_patch
from kaito.embedded.apiserver.schemas import decoding
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.strategies import CauseLike, Decoded, Row, Undecodable


def _room(name: str) -> Any:
    try:
        return importlib.import_module(f"kaito.embedded.apiserver.{name}")
    except ModuleNotFoundError:
        return None


class BuiltinStrategy:
    """The rules of one built-in kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._rules = _room("kinds.strategy")
        self._validation = _room("kinds.validation")
        self._tables = _room("kinds.tables")
        self._tracking = _room("patching.tracking")
        self._apply = _room("patching.apply")
        self._columns = [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in kind.columns
        ]

    def decode(self, obj: Object) -> Decoded:
        try:
            decoded = decoding.decode(obj, self._kind.api_version, self._kind.kind)
        except decoding.DecodeError as problem:
            raise Undecodable(str(problem)) from None
        decoded.object.setdefault("metadata", {})
        return Decoded(defaults.apply(self._kind, decoded.object), decoded.unknown)

    def prepare_create(self, obj: Object) -> None:
        if self._rules is not None:
            self._rules.prepare_create(self._kind, obj)
            self._normalise(obj)
        elif "status" in self._kind.subresources and self._kind.kind != "Namespace":
            obj.pop("status", None)

    def _normalise(self, obj: Object) -> None:
        """Once more through the decoder: what preparation left empty looks as Go writes it."""
        decoded = decoding.decode(obj, self._kind.api_version, self._kind.kind).object
        obj.clear()
        obj.update(decoded)

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        if self._rules is not None:
            self._rules.prepare_update(self._kind, new, old, subresource)
            self._normalise(new)
        elif "status" in self._kind.subresources:
            if subresource == "status":
                for field in set(new) | set(old):
                    if field not in ("metadata", "status", "apiVersion", "kind"):
                        new[field] = old.get(field)
            elif "status" in old:
                new["status"] = old["status"]

    def validate_create(self, obj: Object) -> Sequence[CauseLike]:
        return () if self._validation is None else self._validation.validate_create(self._kind, obj)

    def validate_update(self, new: Object, old: Object, subresource: str) -> Sequence[CauseLike]:
        return () if self._validation is None else self._validation.validate_update(self._kind, new, old, subresource)

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        return []

    def merge_patch_strategically(self, original: Object, patch: Object) -> Object | None:
        try:
            return strategic_merge_patch(self._kind.api_version, self._kind.kind, original, patch)
        except PatchError as problem:
            raise StatusError(problem.status, problem.reason, problem.message) from None

    def track(self, new: Object, live: Object | None, *, manager: str, time: str, subresource: str) -> None:
        if self._tracking is not None:
            self._tracking.track(self._kind, new, live, manager=manager, time=time, subresource=subresource)

    def apply(
        self, live: Object | None, patch: Object, *, manager: str, force: bool, time: str, subresource: str
    ) -> Object:
        if self._apply is None:
            raise StatusError(501, "NotImplemented", "server-side apply is not there yet")
        found: Object = self._apply.apply(
            self._kind, live, patch, manager=manager, force=force, time=time, subresource=subresource
        )
        return found

    def columns(self) -> list[dict[str, Any]]:
        return self._columns

    def row(self, obj: Object, now: datetime) -> Row:
        if self._tables is not None:
            found = self._tables.row(self._kind, obj, now)
            return Row(found, self._tables.row_conditions(self._kind, obj))
        return Row([obj["metadata"]["name"], *("" for _ in self._columns[1:])])
