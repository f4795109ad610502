"""The strategy of custom resources: their structural schema, and the rules all custom resources share."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kaito.embedded.apiserver.custom_columns import PrinterColumns
from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.schemas import decoding
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.strategies import CauseLike, Decoded, Row, Undecodable


def _room(name: str) -> Any:
    try:
        return importlib.import_module(f"kaito.embedded.apiserver.{name}")
    except ModuleNotFoundError:
        return None


@dataclass(frozen=True)
class CustomVersion:
    """What a CustomResourceDefinition says about one version, made ready."""

    kind: Kind
    schema: Any
    """A compiled structural schema (`structural.compile`), None where everything is allowed."""
    status: bool
    columns: PrinterColumns
    raw_schema: Mapping[str, Any]


class CustomStrategy:
    """The rules of one custom resource in one version."""

    def __init__(self, version: CustomVersion) -> None:
        self._version = version
        self._kind = version.kind
        self.raw_schema = version.raw_schema
        self._validation = _room("kinds.validation")
        self._tracking = _room("patching.tracking")
        self._apply = _room("patching.apply")

    def decode(self, obj: Object) -> Decoded:
        try:
            decoded = decoding.decode_metadata(obj)
        except decoding.DecodeError as problem:
            raise Undecodable(str(problem)) from None
        schema = self._version.schema
        if schema is None:
            return Decoded(decoded.object, decoded.unknown)
        unknown = [f'unknown field "{path}"' for path in schema.prune(decoded.object)]
        schema.default(decoded.object)
        return Decoded(decoded.object, [*decoded.unknown, *unknown])

    def prepare_create(self, obj: Object) -> None:
        if self._version.status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        if subresource == "status":
            kept = {key: value for key, value in old.items() if key not in ("status", "metadata")}
            status, metadata = new.get("status"), new["metadata"]
            new.clear()
            new.update(kept)
            new["metadata"] = {**old["metadata"], **_status_metadata(metadata)}
            if status is not None:
                new["status"] = status
            return
        if self._version.status:
            if "status" in old:
                new["status"] = old["status"]
            else:
                new.pop("status", None)
        if _differ_beside(new, old, ("metadata", "status") if self._version.status else ("metadata",)):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def validate_create(self, obj: Object) -> Sequence[CauseLike]:
        causes: list[CauseLike] = []
        if self._validation is not None:
            causes += self._validation.validate_object_meta(obj, namespaced=self._kind.namespaced)
        if self._version.schema is not None:
            causes += self._version.schema.validate(obj, None)
        return causes

    def validate_update(self, new: Object, old: Object, subresource: str) -> Sequence[CauseLike]:
        causes: list[CauseLike] = []
        if self._validation is not None:
            causes += self._validation.validate_object_meta_update(new, old)
        if self._version.schema is not None:
            causes += self._version.schema.validate(new, old)
        return causes

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        return []

    def merge_patch_strategically(self, original: Object, patch: Object) -> Object | None:
        return None

    def track(self, new: Object, live: Object | None, *, manager: str, time: str, subresource: str) -> None:
        if self._tracking is not None:
            self._tracking.track(self._schema(), new, live, manager=manager, time=time, subresource=subresource)

    def apply(
        self, live: Object | None, patch: Object, *, manager: str, force: bool, time: str, subresource: str
    ) -> Object:
        if self._apply is None:
            raise StatusError(501, "NotImplemented", "server-side apply is not there yet")
        found: Object = self._apply.apply(
            self._schema(), live, patch, manager=manager, force=force, time=time, subresource=subresource
        )
        return found

    def _schema(self) -> Any:
        return self._version.schema

    def columns(self) -> list[dict[str, Any]]:
        return self._version.columns.definitions

    def row(self, obj: Object, now: datetime) -> Row:
        return Row(self._version.columns.cells(obj, now))


def _status_metadata(metadata: Object) -> Object:
    """The part of metadata that a write to /status may change: only what the machinery itself writes."""
    return {key: metadata[key] for key in ("managedFields", "resourceVersion") if key in metadata}


def _differ_beside(new: Object, old: Object, ignored: tuple[str, ...]) -> bool:
    names = (set(new) | set(old)) - set(ignored)
    return any(new.get(name) != old.get(name) for name in names)
