"""Comparing, merging and cutting typed values (sigs.k8s.io/structured-merge-diff/typed)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Final

from kaito.embedded.apiserver.patching.field_sets import ROOT, FieldSet, Path, item_key, shape_kind
from kaito.embedded.apiserver.patching.shapes import DEDUCED, Shape
from kaito.embedded.apiserver.structural.validation import same

ABSENT: Final = object()


@dataclass(slots=True)
class Comparison:
    """Which paths came, changed and went between two values."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(shape: Shape, old: Any, new: Any) -> Comparison:
    result = Comparison()
    _compare(shape, old, new, ROOT, result)
    return result


def _compare(shape: Shape, old: Any, new: Any, path: Path, result: Comparison) -> None:
    # Equality in C first: most of a written object is as it was, and a walk over it is the dearest part of a write.
    if old is new or (old == new and same(old, new)):
        return
    sample = new if new is not ABSENT and new is not None else old
    kind = shape_kind(shape, sample)
    other = shape_kind(shape, old) if old is not ABSENT and old is not None else kind
    if kind != other and not shape.atomic:
        _compare_kinds(shape, old, new, path, result)
        return
    leaf = kind == "scalar" or shape.atomic or (kind == "list" and shape.list_type == "atomic")
    if not leaf:
        # Empty on both sides: there is nothing below that could be compared.
        leaf = not _filled(old) and not _filled(new)
    if leaf:
        _compare_leaf(old, new, path, result)
        return
    if kind == "map":
        _compare_maps(shape, old, new, path, result)
    else:
        _compare_lists(shape, old, new, path, result)
    if old is ABSENT:
        result.added.add(path)
    elif new is ABSENT:
        result.removed.add(path)


def _compare_maps(shape: Shape, old: Any, new: Any, path: Path, result: Comparison) -> None:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}
    for name in {**before, **after}:
        here = (*path, f"f:{name}")
        _compare(shape.child(name) or DEDUCED, before.get(name, ABSENT), after.get(name, ABSENT), here, result)


def _compare_kinds(shape: Shape, old: Any, new: Any, path: Path, result: Comparison) -> None:
    """A value without a schema became one of another kind: it changed, and members of a map came or went."""
    result.modified.add(path)
    _compare_maps(shape, old, new, path, result)


def _compare_leaf(old: Any, new: Any, path: Path, result: Comparison) -> None:
    if old is ABSENT:
        result.added.add(path)
    elif new is ABSENT:
        result.removed.add(path)
    elif not same(old, new):
        result.modified.add(path)


def _compare_lists(shape: Shape, old: Any, new: Any, path: Path, result: Comparison) -> None:
    before = {item_key(shape, item, i): item for i, item in enumerate(old)} if isinstance(old, list) else {}
    after = {item_key(shape, item, i): item for i, item in enumerate(new)} if isinstance(new, list) else {}
    element = shape.element()
    for key in {**before, **after}:
        _compare(element, before.get(key, ABSENT), after.get(key, ABSENT), (*path, key), result)


def _filled(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def merge(shape: Shape, live: Any, applied: Any) -> Any:
    """`applied` laid over `live`; both stay as they are."""
    kind = shape_kind(shape, live if applied is None else applied)
    if (
        applied is None
        and kind != "scalar"
        and not shape.atomic
        and not (kind == "list" and shape.list_type == "atomic")
    ):
        return copy.deepcopy(live)  # null claims the field and says nothing of its members
    if applied is None or kind == "scalar" or shape.atomic or (kind == "list" and shape.list_type == "atomic"):
        return copy.deepcopy(applied)
    if kind == "map":
        if not isinstance(live, dict):
            live = {}
        merged = dict(live)
        for name, value in applied.items():
            merged[name] = merge(shape.child(name) or DEDUCED, live.get(name), value)
        return merged
    return _merge_lists(shape, live if isinstance(live, list) else [], applied)


def _merge_lists(shape: Shape, live: list[Any], applied: list[Any]) -> list[Any]:
    """Items of both lists: those only in `live` keep their place before the next shared one; the rest as applied."""
    element = shape.element()
    left = [(item_key(shape, item, i), item) for i, item in enumerate(live)]
    right = [(item_key(shape, item, i), item) for i, item in enumerate(applied)]
    known, wanted = dict(left), dict(right)
    out: list[Any] = []
    at, next_right = 0, 0
    while at < len(left) or next_right < len(right):
        if at < len(left) and left[at][0] not in wanted:
            out.append(left[at][1])
            at += 1
        elif next_right < len(right) and (
            at == len(left) or right[next_right][0] not in known or right[next_right][0] == left[at][0]
        ):
            key, item = right[next_right]
            out.append(merge(element, known.get(key), item))
            next_right += 1
            if at < len(left) and left[at][0] == key:
                at += 1
        else:
            at += 1  # shared, but it has another place in the applied order
    return out


def remove_paths(shape: Shape, value: Any, paths: FieldSet) -> Any:
    """A copy of the value without the given paths and what is below them."""
    if not paths:
        return value
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
            if node is None:
                break
        if node is not None and path:
            node[path[-1]] = None
    return _remove(shape, value, tree)


def _remove(shape: Shape, value: Any, tree: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        kept = {}
        for name, item in value.items():
            below = tree.get(f"f:{name}", ABSENT)
            if below is None:
                continue
            if below is ABSENT:
                kept[name] = item
                continue
            rest = _remove(shape.child(name) or DEDUCED, item, below)
            # What lost all its members is still there, as null: nobody who owns it loses it.
            kept[name] = None if rest in ({}, []) and item not in ({}, []) else rest
        return kept
    if isinstance(value, list):
        out = []
        for index, item in enumerate(value):
            below = tree.get(item_key(shape, item, index), ABSENT)
            if below is not None:
                out.append(item if below is ABSENT else _remove(shape.element(), item, below))
        return out
    return value
