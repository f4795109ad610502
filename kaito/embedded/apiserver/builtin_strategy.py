"""The strategy of built-in kinds: puts together what the kinds, schemas and patching rooms know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.kinds import defaults, strategy, tables, validation
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.kinds.raw_text import RawTexts
from kaito.embedded.apiserver.ownership import Ownership
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.managed_fields import without_managed_fields
from kaito.embedded.apiserver.patching.shapes import builtin_shape
from kaito.embedded.apiserver.patching.strategic import strategic_merge_patch
from kaito.embedded.apiserver.schemas import converting, decoding
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.strategies import CauseLike, Decoded, Row, Undecodable
from kaito.embedded.apiserver.structural.definitions import unrecognized_formats


class BuiltinStrategy:
    """The rules of one built-in kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._texts = RawTexts("data") if kind.kind == "ControllerRevision" else None
        self._ownership = Ownership(kind, builtin_shape(kind.api_version, kind.kind))
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

    def decode(self, obj: Object, *, keep_nulls: bool = False) -> Decoded:
        try:
            decoded = decoding.decode(obj, self._kind.api_version, self._kind.kind, sent=True, forget=False)
        except decoding.DecodeError as problem:
            raise Undecodable(str(problem)) from None
        decoded.object.setdefault("metadata", {})
        return Decoded(defaults.apply(self._kind, decoded.object), decoded.unknown)

    def prepare_create(self, obj: Object) -> None:
        strategy.prepare_create(self._kind, obj)
        self._normalise(obj)

    def _normalise(self, obj: Object, *, forget: bool = False) -> None:
        """Once more through the decoder: what preparation left empty looks as Go writes it."""
        decoded = decoding.decode(obj, self._kind.api_version, self._kind.kind, forget=forget).object
        obj.clear()
        obj.update(decoded)

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        strategy.prepare_update(self._kind, new, old, subresource)
        self._normalise(new)

    def finish(self, obj: Object) -> None:
        """Defaults once more, as the real server fills them in when it reads back what it stored."""
        defaults.apply(self._kind, obj)
        self._normalise(obj, forget=True)
        if self._texts is not None:
            self._texts.remember(obj)

    def validate_create(self, obj: Object) -> Sequence[CauseLike]:
        return validation.validate_create(self._kind, obj)

    def validate_update(self, new: Object, old: Object, subresource: str) -> Sequence[CauseLike]:
        known = old if self._texts is None else self._texts.recall(old)
        return validation.validate_update(self._kind, new, known, subresource)

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        if self._kind.kind == "CustomResourceDefinition":
            known = unrecognized_formats(old) if old is not None else []
            return [text for text in unrecognized_formats(obj) if text not in known]
        return []

    def merge_patch_strategically(self, original: Object, patch: Object) -> Object | None:
        try:
            return strategic_merge_patch(self._kind.api_version, self._kind.kind, original, patch)
        except PatchError as problem:
            raise StatusError(problem.status, problem.reason, problem.message) from None

    def conversion_error(self, obj: Object) -> str | None:
        return converting.conversion_error(obj, self._kind.api_version, self._kind.kind)

    def converted(self, obj: Object) -> Object:
        fitted: Object = converting.converted(obj, self._kind.api_version, self._kind.kind)
        return fitted

    def track(self, new: Object, live: Object | None, *, manager: str, time: str, subresource: str) -> None:
        self._ownership.track(new, live, manager=manager, time=time, subresource=subresource)

    def apply(
        self, live: Object | None, patch: Object, *, manager: str, force: bool, time: str, subresource: str
    ) -> Object:
        applied = self._ownership.apply(live, patch, manager=manager, force=force, time=time, subresource=subresource)
        if self._texts is None or live is None or without_managed_fields(applied) != without_managed_fields(live):
            return applied
        return self._texts.recall(applied)  # the real server goes on with the object that it has

    def columns(self) -> list[dict[str, Any]]:
        return self._columns

    def row(self, obj: Object, now: datetime) -> Row:
        return Row(tables.row(self._kind, obj, now), tables.row_conditions(self._kind, obj))
