"""Sets of field paths, as managedFields hold them (sigs.k8s.io/structured-merge-diff/fieldpath).

A path is a tuple of FieldsV1 keys: `f:name` a field, `k:{...}` a list item by its keys, `v:...` a set's item, `i:0` an
index. A set is a frozenset of paths; `to_fields` and `from_fields` convert to the JSON form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from kaito.embedded.apiserver.patching.shapes import DEDUCED, Shape

Path = tuple[str, ...]
FieldSet = frozenset[Path]
Json = dict[str, Any]
EMPTY: Final[FieldSet] = frozenset()
ROOT: Final[Path] = ()


def from_fields(fields: Json | None) -> FieldSet:
    """The set that a fieldsV1 document stands for."""
    found: set[Path] = set()
    _collect(fields or {}, ROOT, found)
    return frozenset(found)


def _collect(tree: Json, path: Path, found: set[Path]) -> None:
    for key, below in tree.items():
        if key == ".":
            found.add(path)
        elif isinstance(below, dict):
            here = (*path, key)
            if below:
                _collect(below, here, found)
            else:
                found.add(here)


def to_fields(paths: Iterable[Path]) -> Json:
    """The fieldsV1 document of a set; keys sorted as the real server sorts them."""
    members = set(paths)
    tree: Json = {}
    for path in sorted(members):
        node = tree
        for depth, key in enumerate(path):
            if key not in node:
                node[key] = {}
            below = node[key]
            # A member that has members below it says so with a dot.
            if depth < len(path) - 1 and not below and path[: depth + 1] in members:
                below["."] = {}
            node = below
    return tree


def item_key(shape: Shape, item: Any, index: int) -> str:
    """The path element of a list item: by its keys, by value, or by index where it has neither."""
    if shape.list_type == "map" and isinstance(item, dict):
        keys = {}
        for key in sorted(shape.keys):
            if key in item:
                keys[key] = item[key]  # null is a key as well as any
            elif (default := shape.key_default(key)) is not None:
                keys[key] = default
        if keys:
            return "k:" + _compact(keys)
    elif shape.list_type == "set":
        return "v:" + _compact(item)
    return f"i:{index}"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _key_text(value: Any) -> str:
    """A key as paths print it; an object, which no key should be, as its members."""
    if not isinstance(value, dict):
        return _compact(value)
    return "".join(f"{name}={_compact(value[name])}" for name in sorted(value))


def shape_kind(shape: Shape, value: Any) -> str:
    """map, list or scalar: by the shape, or by the value where the shape leaves it open."""
    if shape.kind != "deduced":
        return shape.kind
    return "map" if isinstance(value, dict) else "list" if isinstance(value, list) else "scalar"


def field_set(shape: Shape, value: Any) -> FieldSet:
    """All paths of a value: what an applied configuration claims."""
    found: set[Path] = set()
    _claim(shape, value, ROOT, found)
    return frozenset(found)


def _claim(shape: Shape, value: Any, path: Path, found: set[Path]) -> None:
    kind = shape_kind(shape, value)
    if kind == "scalar" or shape.atomic or (kind == "list" and shape.list_type == "atomic"):
        found.add(path)
    elif kind == "map" and isinstance(value, dict):
        for name, item in value.items():
            here = (*path, f"f:{name}")
            _claim(shape.child(name) or DEDUCED, item, here, found)
            if item is None or item == {} or not shape.is_field(name):
                found.add(here)
    elif kind == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            here = (*path, item_key(shape, item, index))
            _claim(shape.element(), item, here, found)
            found.add(here)


def with_parents(shape: Shape, paths: FieldSet) -> FieldSet:
    """The set with every declared field above its members added (EnsureNamedFieldsAreMembers)."""
    out = set(paths)
    for path in paths:
        node: Shape | None = shape
        for depth, key in enumerate(path[:-1]):
            named = key.startswith("f:")
            if named and node is not None and node.is_field(key[2:]):
                out.add(path[: depth + 1])
            if node is not None:
                node = node.child(key[2:]) if named else node.element()
    return frozenset(out)


def without_below(paths: FieldSet, roots: Iterable[Path]) -> FieldSet:
    """The set without the given paths and everything below them (RecursiveDifference)."""
    removed = tuple(roots)
    if not removed:
        return paths
    return frozenset(path for path in paths if not any(path[: len(root)] == root for root in removed))


def printed(path: Path) -> str:
    """A path as conflict messages print it: `.spec.ports[containerPort=80,protocol="TCP"].name`."""
    text = ""
    for key in path:
        body = key[2:]
        if key.startswith("f:"):
            text += f".{body}"
        elif key.startswith("k:"):
            pairs = json.loads(body).items()
            shown = ((name, _key_text(value)) for name, value in pairs)
            text += "[" + ",".join(f"{name}={value}" for name, value in shown) + "]"
        else:
            text += f"[={body}]" if key.startswith("v:") else f"[{body}]"
    return text
