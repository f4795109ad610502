"""A server in miniature for patch tests: one object, the pure functions in the order in which the real server uses
them."""

from __future__ import annotations

import copy
from typing import Any

from kaito.embedded.apiserver.kinds import admitting, defaults, strategy
from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.patching import applying
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.json_patch import json_patch
from kaito.embedded.apiserver.patching.managed_fields import APPLY, UPDATE, Manager, reset_fields
from kaito.embedded.apiserver.patching.shapes import Shape, builtin_shape, custom_shape
from kaito.embedded.apiserver.patching.strategic import strategic_merge_patch
from kaito.embedded.apiserver.patching.tracking import asks_reset, track
from kaito.embedded.apiserver.schemas.decoding import decode, decode_metadata
from kaito.embedded.apiserver.structural.resource import StructuralSchema
from kaito.kube.merge_patch import merge_patch

Json = dict[str, Any]
NOW = "2026-01-01T00:00:00Z"


class Replay:
    """Plays steps {verb, body, manager, force, subresource} onto one object; each answers with the object or an
    error."""

    def __init__(self, plural: str, schema: Json | None = None) -> None:
        self.kind: Kind | None = next((k for k in builtin_kinds() if k.plural == plural), None)
        self.schema = None if schema is None else StructuralSchema(schema)
        self.stored: Json | None = None

    def play(self, step: Json) -> Json:
        try:
            return {"object": self._play(step)}
        except PatchError as error:
            return {"status": error.status, "message": error.message}

    def _play(self, step: Json) -> Json:
        body, verb = copy.deepcopy(step["body"]), step["verb"]
        sub = step.get("subresource", "")
        api_version = step.get("apiVersion") or body["apiVersion"]
        manager = Manager(step["manager"], APPLY if verb == "apply" else UPDATE, api_version, sub)
        group, has_status = api_version.rpartition("/")[0], step.get("has_status", True)
        ignored = reset_fields(group, step["kind"], sub, has_status=has_status, is_custom=self.kind is None)
        if verb == "apply":
            done = applying.apply(
                self._shape(step), self.stored, body, manager, now=NOW, force=step.get("force", False), ignored=ignored
            )
            if not done.changed:
                assert self.stored is not None
                return self.stored
            return self._store(self._clean(done.object, step), sub)
        if verb == "create":
            new = body
        else:
            assert self.stored is not None
            new = self._patched(verb, body, step)
        reset = asks_reset(new)
        new = self._clean(new, step)
        new = track(self._shape(step), self.stored, new, manager, now=NOW, ignored=ignored, reset=reset)
        return self._store(new, sub)

    def _patched(self, verb: str, body: Any, step: Json) -> Json:
        assert self.stored is not None
        match verb:
            case "merge":
                return dict(merge_patch(self.stored, body))
            case "json":
                return dict(json_patch(self.stored, body))
            case "strategic":
                return strategic_merge_patch(step["apiVersion"], step["kind"], self.stored, body)
            case _:
                return dict(body)

    def _shape(self, step: Json) -> Shape:
        if self.schema is not None:
            return custom_shape(self.schema.root)
        return builtin_shape(step.get("apiVersion") or step["body"]["apiVersion"], step["kind"])

    def _clean(self, obj: Json, step: Json) -> Json:
        obj = copy.deepcopy(obj)
        if self.schema is not None:
            obj = decode_metadata(obj).object
            self.schema.prune(obj)
            return self.schema.default(obj)
        assert self.kind is not None
        obj = decode(obj, obj["apiVersion"], obj["kind"]).object
        return defaults.apply(self.kind, obj)

    def _store(self, new: Json, sub: str) -> Json:
        if self.kind is not None:
            if self.stored is None:
                new["metadata"]["uid"], new["metadata"]["creationTimestamp"] = "u", NOW
                admitting.admit_create(self.kind, new)
                strategy.prepare_create(self.kind, new)
            else:
                strategy.prepare_update(self.kind, new, self.stored, sub)
            new = decode(new, new["apiVersion"], new["kind"]).object
        self.stored = new
        return new


def owners(obj: Json) -> list[Any]:
    """managedFields without times, for comparison."""
    entries = (obj.get("metadata") or {}).get("managedFields") or []
    return sorted(
        ([e["manager"], e["operation"], e["apiVersion"], e.get("subresource", ""), e.get("fieldsV1")] for e in entries),
        key=str,
    )
