"""Laws of patches and of ownership, on generated values."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kaito.embedded.apiserver.patching.applying import apply
from kaito.embedded.apiserver.patching.comparing import compare, merge, remove_paths
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.field_sets import field_set, from_fields, to_fields
from kaito.embedded.apiserver.patching.json_patch import json_patch
from kaito.embedded.apiserver.patching.managed_fields import APPLY, UPDATE, Manager
from kaito.embedded.apiserver.patching.shapes import custom_shape
from kaito.embedded.apiserver.patching.strategic import strategic_merge_patch
from kaito.embedded.apiserver.patching.tracking import track
from kaito.embedded.apiserver.structural.resource import compile
from kaito.kube.merge_patch import merge_patch
from tests.unit.apiserver_patching.cases import SCHEMA

Json = dict[str, Any]
NOW = "2026-01-01T00:00:00Z"
SHAPE = custom_shape(compile(SCHEMA).root)
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~.", max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
names = st.sampled_from("pqr")
parts = st.lists(
    st.fixed_dictionaries(
        {"name": names}, optional={"v": st.integers(0, 2), "w": st.dictionaries(names, names, max_size=2)}
    ),
    max_size=3,
    unique_by=lambda part: part["name"],
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "names": st.lists(names, max_size=3, unique=True),
        "plain": st.lists(names, max_size=2),
        "parts": parts,
        "labels": st.dictionaries(names, names, max_size=2),
        "whole": st.fixed_dictionaries({}, optional={"a": names}),
        "free": st.dictionaries(
            names, st.integers(0, 2) | st.dictionaries(names, st.integers(0, 2), max_size=2), max_size=2
        ),
    },
)


def thing(spec: Json) -> Json:
    return {"apiVersion": "record.dev/v1", "kind": "Tracked", "metadata": {"name": "s"}, "spec": spec}


def manager(name: str, operation: str = APPLY) -> Manager:
    return Manager(name, operation, "record.dev/v1")


@given(objects, objects)
def test_merge_patch_is_idempotent_and_leaves_its_arguments_alone(target: Json, patch: Json) -> None:
    before = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert (target, patch) == before


@given(objects)
def test_an_empty_patch_of_any_kind_changes_nothing(target: Json) -> None:
    assert merge_patch(target, {}) == target
    assert json_patch(target, []) == target
    assert strategic_merge_patch("v1", "ConfigMap", target, {}) == target


operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "nope"])},
    optional={"path": st.text("/abc0-~1", max_size=6), "from": st.text("/abc0-", max_size=6), "value": values},
)


@given(objects, st.lists(operations, max_size=4) | values)
def test_json_patch_gives_a_document_or_its_own_error(target: Json, ops: Any) -> None:
    before = copy.deepcopy(target)
    try:
        assert isinstance(json_patch(target, ops), (dict, list))
    except PatchError as error:
        assert error.status in (400, 422)
    assert target == before


@given(specs, specs)
def test_a_strategic_patch_of_a_kind_without_type_is_a_merge_that_deletes_by_null(target: Json, patch: Json) -> None:
    assert strategic_merge_patch("record.dev/v1", "Tracked", {"s": target}, {"s": patch})["s"] == merge_patch(
        target, patch
    )


@given(specs)
def test_fields_survive_their_json_form(spec: Json) -> None:
    fields = field_set(SHAPE, thing(spec))
    assert from_fields(to_fields(fields)) == fields


@given(specs, specs)
def test_merging_shows_everything_that_was_applied(live: Json, applied: Json) -> None:
    merged = merge(SHAPE, thing(live), thing(applied))
    again = merge(SHAPE, merged, thing(applied))
    assert again == merged
    shown = field_set(SHAPE, merged)
    claims = {path for path in field_set(SHAPE, thing(applied)) if path != ("f:spec",)}
    assert all(any(path[: len(claim)] == claim for path in shown) for claim in claims)


@given(specs, specs)
def test_a_comparison_is_empty_only_for_equal_values(old: Json, new: Json) -> None:
    found = compare(SHAPE, thing(old), thing(new))
    if not (found.added or found.modified or found.removed):
        # Order in lists with keys is nobody's field.
        assert sorted(map(str, field_set(SHAPE, thing(old)))) == sorted(map(str, field_set(SHAPE, thing(new))))
    assert compare(SHAPE, thing(old), thing(old)).added == set()


@given(specs)
def test_removing_all_fields_leaves_nothing(spec: Json) -> None:
    assert remove_paths(SHAPE, {"spec": spec}, frozenset({("f:spec",)})) == {}


@given(specs, specs)
@settings(max_examples=60)
def test_applying_twice_changes_nothing_the_second_time(first: Json, second: Json) -> None:
    one = apply(SHAPE, None, thing(first), manager("a"), now=NOW).object
    two = apply(SHAPE, one, thing(second), manager("b"), now=NOW, force=True).object
    again = apply(SHAPE, two, thing(second), manager("b"), now="2027-01-01T00:00:00Z", force=True)
    assert not again.changed
    assert again.object == two


@given(specs, specs)
@settings(max_examples=60)
def test_what_one_manager_gives_up_is_gone_unless_another_owns_it(mine: Json, theirs: Json) -> None:
    live = apply(SHAPE, None, thing(theirs), manager("a"), now=NOW).object
    live = apply(SHAPE, live, thing(mine), manager("b"), now=NOW, force=True).object
    left = apply(SHAPE, live, thing({}), manager("b"), now=NOW).object
    owned = {p for entry in left["metadata"].get("managedFields", []) for p in from_fields(entry["fieldsV1"])}
    leaves = {path for path in field_set(SHAPE, left) if path[0] == "f:spec" and len(path) > 1}
    assert all(any(path[: len(o)] == o or o[: len(path)] == path for o in owned) for path in leaves)


@given(specs, specs)
@settings(max_examples=60)
def test_a_write_without_change_takes_no_field(first: Json, second: Json) -> None:
    one = track(SHAPE, None, thing(first), manager("a", UPDATE), now=NOW)
    two = track(SHAPE, one, copy.deepcopy(one), manager("b", UPDATE), now=NOW)
    assert two["metadata"].get("managedFields") == one["metadata"].get("managedFields")
    three = track(SHAPE, one, {**copy.deepcopy(one), "spec": second}, manager("b", UPDATE), now=NOW)
    for entry in three["metadata"].get("managedFields", []):
        assert entry["fieldsV1"]
