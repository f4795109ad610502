"""Whatever is in an object: it is defaulted, prepared, validated, tracked and printed, or refused; nothing breaks."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kaito.embedded.apiserver.kinds import admitting, defaults, strategy, tables, validation
from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.kinds.model import Cause, Kind
from kaito.embedded.apiserver.patching.managed_fields import UPDATE, Manager
from kaito.embedded.apiserver.patching.shapes import builtin_shape
from kaito.embedded.apiserver.patching.tracking import track
from kaito.embedded.apiserver.protobuf import decoding as protobuf_decoding
from kaito.embedded.apiserver.protobuf.encoding import encode
from kaito.embedded.apiserver.schemas.decoding import DecodeError, decode
from kaito.embedded.apiserver.schemas.types import type_for
from tests.unit.apiserver_kinds.generating import generate

Json = dict[str, Any]
NOW = "2026-01-01T00:00:00Z"
STORED = [kind for kind in builtin_kinds() if "list" in kind.verbs and "create" in kind.verbs]


def made(kind: Kind, seed: int) -> Json | None:
    """A decoded and defaulted random object; None where decoding refuses it."""
    known = type_for(kind.api_version, kind.kind)
    assert known is not None
    body = generate(known, Random(seed))
    body["metadata"] = {**(body.get("metadata") or {}), "name": "a"}
    body.update(apiVersion=kind.api_version, kind=kind.kind)
    try:
        return defaults.apply(kind, decode(body, kind.api_version, kind.kind).object)
    except DecodeError:
        return None


def expect_handled(kind: Kind, seed: int) -> None:
    obj = made(kind, seed)
    if obj is None:
        return
    assert defaults.apply(kind, copy.deepcopy(obj)) == obj
    manager, shape = Manager("m", UPDATE, kind.api_version), builtin_shape(kind.api_version, kind.kind)
    track(shape, None, obj, manager, now=NOW)
    obj["metadata"].update(uid="u", creationTimestamp=NOW)
    strategy.prepare_create(kind, admitting.admit_create(kind, obj))
    causes = validation.validate_create(kind, obj)
    assert all(isinstance(cause, Cause) for cause in causes)
    obj = decode(obj, kind.api_version, kind.kind).object
    assert len(tables.row(kind, obj, datetime(2026, 1, 2, tzinfo=UTC))) == max(len(kind.columns), 2)
    back = decode(protobuf_decoding.decode(encode(obj)), kind.api_version, kind.kind).object
    assert defaults.apply(kind, back) == defaults.apply(kind, copy.deepcopy(obj))
    new = made(kind, seed + 1)
    for subresource in ("", "status"):
        if new is not None:
            changed = copy.deepcopy(new)
            track(shape, obj, changed, manager, now=NOW)
            admitting.admit_update(kind, changed, obj)
            strategy.prepare_update(kind, changed, obj, subresource)
            assert isinstance(validation.validate_update(kind, changed, obj, subresource), list)


@given(st.sampled_from(STORED), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_any_object_of_any_kind_is_handled(kind: Kind, seed: int) -> None:
    expect_handled(kind, seed)
