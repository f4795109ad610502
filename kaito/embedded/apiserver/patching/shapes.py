"""What server-side apply needs to know of a value: is it owned as a whole, or member by member.

A shape answers for built-in types and for custom resources alike; `DEDUCED` is the one of values without a schema (maps
are owned by member, lists as a whole).
"""

from __future__ import annotations

import functools
from typing import Any, Final, Protocol

from kaito.embedded.apiserver.schemas.decoding import zero
from kaito.embedded.apiserver.schemas.types import Field, Type, object_meta, type_for
from kaito.embedded.apiserver.structural.schema import ABSENT, Node

KEY_DEFAULTS: Final = {"protocol": "TCP"}
NUMBERS: Final = frozenset({"int32", "int64", "int", "uint8", "float64"})


class Shape(Protocol):
    """`kind` is map, list or scalar (anything owned as a whole); lists have a `list_type` and `keys`."""

    @property
    def kind(self) -> str: ...
    @property
    def atomic(self) -> bool: ...
    @property
    def list_type(self) -> str: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    @property
    def scalar(self) -> str:
        """What a scalar must be: string, numeric, boolean, or nothing for any."""
        ...

    def is_field(self, name: str) -> bool:
        """Whether `name` is a declared field, not just a key of a map."""
        ...

    def child(self, name: str) -> Shape | None:
        """The shape of a member; None where the schema does not declare it."""
        ...

    def element(self) -> Shape: ...
    def key_default(self, key: str) -> Any:
        """The default of a list item's key field, None where it has none."""
        ...


class _Deduced:
    kind = "deduced"
    atomic = False
    list_type = "atomic"
    keys: tuple[str, ...] = ()
    scalar = ""

    def is_field(self, name: str) -> bool:
        del name
        return False

    def child(self, name: str) -> Shape | None:
        del name
        return self

    def element(self) -> Shape:
        return self

    def key_default(self, key: str) -> Any:
        del key


DEDUCED: Final[Shape] = _Deduced()


class BuiltinShape:
    """The shape of a built-in type; list and map marks come from the field that holds it."""

    __slots__ = ("_children", "_element", "_type", "atomic", "keys", "kind", "list_type", "scalar")

    def __init__(self, kind: Type, field: Field | None = None) -> None:
        self._type = kind
        self._children: dict[str, BuiltinShape] = {}
        self._element: BuiltinShape | None = None
        self.list_type = (field.list_type if field is not None else "") or "atomic"
        self.keys: tuple[str, ...] = field.list_keys if field is not None else ()
        map_type = (field.map_type if field is not None else "") or kind.map_type
        self.scalar = ""
        if kind.kind in ("struct", "map"):
            self.kind, self.atomic = "map", map_type == "atomic"
        elif kind.kind == "slice":
            self.kind, self.atomic = "list", self.list_type == "atomic"
        elif kind.kind in ("raw", "json", "int-or-string", "fields"):
            self.kind, self.atomic = "deduced", True
        else:
            self.kind, self.atomic = "scalar", True
            if kind.kind in NUMBERS:
                self.scalar = "numeric"
            elif kind.kind in ("string", "bytes", "duration"):
                self.scalar = "string"
            elif kind.kind == "bool":
                self.scalar = "boolean"

    def is_field(self, name: str) -> bool:
        return self._type.kind == "struct" and name in self._type.fields

    def child(self, name: str) -> Shape | None:
        found = self._children.get(name)
        if found is not None:
            return found
        if self.kind == "deduced":
            return DEDUCED
        if self._type.kind == "map":
            return self.element()
        field = self._type.fields.get(name)
        if field is None:
            return None
        shape = self._children[name] = BuiltinShape(field.type, field)
        return shape

    def element(self) -> Shape:
        if self.kind == "deduced":
            return DEDUCED
        if self._element is None:
            elem = self._type.elem
            self._element = BuiltinShape(elem.elem if elem.kind == "ptr" else elem)
        return self._element

    def key_default(self, key: str) -> Any:
        field = self._type.elem.fields.get(key)
        if key in KEY_DEFAULTS or field is None or not field.always:
            return KEY_DEFAULTS.get(key)
        return zero(field.type)


class CustomShape:
    """The shape of a custom resource's value; the root has typed metadata."""

    __slots__ = ("_is_resource", "_node", "atomic", "keys", "kind", "list_type", "scalar")

    def __init__(self, node: Node, *, is_resource: bool = False) -> None:
        self._node = node
        self._is_resource = is_resource or node.embedded
        self.list_type = node.list_type or "atomic"
        self.keys: tuple[str, ...] = node.list_keys or ()
        self.scalar = ""
        if node.type == "object":
            open_ended = not node.properties and node.additional is None and node.preserve
            self.kind = "deduced" if open_ended and not self._is_resource else "map"
            self.atomic = node.map_type == "atomic"
        elif node.type == "array":
            self.kind, self.atomic = "list", self.list_type == "atomic"
        elif not node.type and (node.int_or_string or node.preserve):
            self.kind, self.atomic = "deduced", False
        else:
            self.kind, self.atomic = "scalar", True
            kind = "" if node.format == "date-time" else node.type  # times are scalars of any kind to the real server
            self.scalar = {"integer": "numeric", "number": "numeric", "string": "string", "boolean": "boolean"}.get(
                kind, ""
            )

    def is_field(self, name: str) -> bool:
        return name in self._node.properties or (self._is_resource and name in ("apiVersion", "kind", "metadata"))

    def child(self, name: str) -> Shape | None:
        if self._is_resource and name == "metadata":
            return metadata_shape()
        found = self._node.properties.get(name)
        if found is not None:
            return _custom(found)
        if self._is_resource and name in ("apiVersion", "kind"):
            return DEDUCED
        if self._node.additional is not None:
            return _custom(self._node.additional)
        return DEDUCED if self._node.preserve or self._node.allows_additional or self.kind == "deduced" else None

    def element(self) -> Shape:
        return _custom(self._node.items) if self._node.items is not None else DEDUCED

    def key_default(self, key: str) -> Any:
        child = self._node.items.properties.get(key) if self._node.items is not None else None
        return None if child is None or child.default is ABSENT else child.default


@functools.lru_cache(maxsize=8192)
def _custom(node: Node) -> CustomShape:
    return CustomShape(node)


@functools.cache
def metadata_shape() -> BuiltinShape:
    return BuiltinShape(object_meta())


@functools.cache
def builtin_shape(api_version: str, kind: str) -> Shape:
    """The shape of a built-in kind; DEDUCED for kinds this server has no type of."""
    found = type_for(api_version, kind)
    return DEDUCED if found is None else BuiltinShape(found)


@functools.lru_cache(maxsize=256)
def custom_shape(root: Node) -> Shape:
    """The shape of a custom resource whose compiled schema has this root."""
    return CustomShape(root, is_resource=True)
