"""The strategy of custom resources: their structural schema, and the rules all custom resources share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.kinds.names import path_segment
from kaito.embedded.apiserver.kinds.object_meta import validate_object_meta, validate_object_meta_update
from kaito.embedded.apiserver.ownership import Ownership
from kaito.embedded.apiserver.patching.checking import type_error
from kaito.embedded.apiserver.patching.managed_fields import without_managed_fields
from kaito.embedded.apiserver.patching.shapes import custom_shape
from kaito.embedded.apiserver.schemas import decoding
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.strategies import CauseLike, Decoded, Row, Undecodable
from kaito.embedded.apiserver.structural.columns import PrinterColumns
from kaito.embedded.apiserver.structural.defaulting import apply_defaults
from kaito.embedded.apiserver.structural.numbers import with_go_numbers
from kaito.embedded.apiserver.structural.resource import StructuralSchema


@dataclass(frozen=True)
class CustomVersion:
    """What a CustomResourceDefinition says about one version, made ready."""

    kind: Kind
    schema: StructuralSchema
    status: bool
    """Whether status is a subresource of its own."""
    columns: PrinterColumns
    raw_schema: Mapping[str, Any]


class CustomStrategy:
    """The rules of one custom resource in one version."""

    def __init__(self, version: CustomVersion) -> None:
        self._version = version
        self._kind = version.kind
        self.raw_schema = version.raw_schema
        self._warnings: list[str] = []
        self._shape = custom_shape(version.schema.root)
        self._ownership = Ownership(version.kind, self._shape, custom=True)

    def decode(self, obj: Object, *, keep_nulls: bool = False) -> Decoded:
        try:
            decoded = decoding.decode_metadata(obj)
        except decoding.DecodeError as problem:
            raise Undecodable(str(problem)) from None
        schema = self._version.schema
        unknown = [f'unknown field "{path}"' for path in schema.prune(decoded.object)]
        if keep_nulls:
            apply_defaults(schema.root, decoded.object)
        else:
            schema.default(decoded.object)
        with_go_numbers(decoded.object)
        return Decoded(decoded.object, [*decoded.unknown, *unknown])

    def finish(self, obj: Object) -> None:
        """Nothing: a custom resource is stored as it was validated."""

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
            kept_metadata = {key: value for key, value in old["metadata"].items() if key != "managedFields"}
            new["metadata"] = {**kept_metadata, **_status_metadata(metadata)}
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
        found = validate_object_meta(obj, namespaced=self._kind.namespaced, standard=False)
        self._warnings, causes = [], self._version.schema.validate(obj, None, found).causes
        return causes

    def validate_update(self, new: Object, old: Object, subresource: str) -> Sequence[CauseLike]:
        # Twice, as the real server does: the registry checks it for every kind.
        found = validate_object_meta(new, namespaced=self._kind.namespaced, check=path_segment, standard=False)
        found += 2 * validate_object_meta_update(new, old)
        only_status = subresource == "status"
        verdict = self._version.schema.validate(new, old, found, only_status=only_status)
        self._warnings = verdict.warnings
        return verdict.causes

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        """Those of the validation right before: evaluating rules twice would double the cost of a write."""
        return self._warnings

    def merge_patch_strategically(self, original: Object, patch: Object) -> Object | None:
        return None

    def conversion_error(self, obj: Object) -> str | None:
        return None

    def converted(self, obj: Object) -> Object:
        return obj

    def track(self, new: Object, live: Object | None, *, manager: str, time: str, subresource: str) -> None:
        if not self._is_typed(new):
            # The real server cannot tell either who owns what in it, and forgets it.
            new["metadata"].pop("managedFields", None)
            return
        self._ownership.track(new, live, manager=manager, time=time, subresource=subresource)

    def _check_live(self, live: Object | None, patch: Object) -> None:
        """What is stored may not fit the schema, which has changed since: then nothing can be applied to it."""
        if live is None or self._is_typed(live):
            return
        metadata = live["metadata"]
        name = f"{metadata.get('namespace', '')}/{metadata['name']}; {self._kind.api_version}, Kind={self._kind.kind}"
        problem = type_error(self._shape, without_managed_fields(live))
        if not metadata.get("managedFields"):
            start = f"failed to create manager for existing fields: failed to convert new object ({name}) to smd typed"
            raise StatusError(500, "", f"{start}: {problem}")
        if type_error(self._shape, patch) is None:
            raise StatusError(500, "", f"failed to create typed live object ({name}): {problem}")

    def _is_typed(self, obj: Object) -> bool:
        """Whether every part of an object has the type that the schema gives it; repeated items of sets are allowed."""
        problem = type_error(self._shape, without_managed_fields(obj)) or ""
        return all(": duplicate entries" in line for line in problem.removeprefix("errors:\n").splitlines())

    def apply(
        self, live: Object | None, patch: Object, *, manager: str, force: bool, time: str, subresource: str
    ) -> Object:
        self._check_live(live, patch)
        return self._ownership.apply(
            live, with_go_numbers(patch), manager=manager, force=force, time=time, subresource=subresource
        )

    def columns(self) -> list[dict[str, Any]]:
        return [asdict(column) for column in self._version.columns.columns]

    def row(self, obj: Object, now: datetime) -> Row:
        return Row(self._version.columns.row(obj, now))


def _status_metadata(metadata: Object) -> Object:
    """The part of metadata that a write to /status may change: only what the machinery itself writes."""
    return {key: metadata[key] for key in ("managedFields", "resourceVersion") if key in metadata}


def _differ_beside(new: Object, old: Object, ignored: tuple[str, ...]) -> bool:
    names = (set(new) | set(old)) - set(ignored)
    return any(new.get(name) != old.get(name) for name in names)
