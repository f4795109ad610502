"""The types of the built-in API objects, as the real server's program knows them.

`data/types.json.gz` was read from the run-time type information of kube-apiserver 1.34.4: JSON names, Go types,
pointers,
`omitempty`, protobuf numbers, and from its OpenAPI documents: list types, map keys and patch strategies. Decoding,
encoding, patches and server-side apply all walk this one table.
"""

from __future__ import annotations

import functools
import gzip
from importlib import resources
from typing import Any, Final

import orjson


class Field:
    """One JSON field of a struct.

    `omit_empty` tells whether Go leaves the zero value out; `pointer` whether a zero value differs from an absent one.
    `list_type` is `atomic`, `set`, `map` or empty; `map_type` is `atomic`, `granular` or empty.
    """

    __slots__ = (
        "always", "list_keys", "list_type", "map_type", "merge_key", "name", "omit_empty", "omit_zero",
        "owner", "pointer", "strategies", "type",
    )  # fmt: skip

    def __init__(self, raw: dict[str, Any], declared: Type, owner: str) -> None:
        self.name: str = raw["json"]
        self.owner = owner
        self.omit_empty = bool(raw.get("omitempty"))
        self.omit_zero = bool(raw.get("omitzero"))
        self.pointer = declared.kind == "ptr"
        self.type: Type = declared.elem if self.pointer else declared
        self.list_type: str = raw.get("list", "")
        self.list_keys: tuple[str, ...] = tuple(raw.get("keys", ()))
        self.map_type: str = raw.get("map", "")
        self.strategies: frozenset[str] = frozenset(filter(None, raw.get("strategy", "").split(",")))
        self.merge_key: str | None = raw.get("merge_key")
        # Go writes these even where nobody set them: values that omitempty does not cover, and structs, which it
        # cannot.
        struct = self.type.is_struct and not self.pointer
        self.always = not self.omit_zero and (not self.omit_empty or struct)


class Type:
    """A Go type: `kind` is bool, string, int32, int64, uint8, float64, bytes, slice, map, ptr, struct or a special one

    (quantity, int-or-string, time, micro-time, duration, fields, raw, json, schema-or-bool, schema-or-array,
    schema-or-strings), `go` the name that decoding errors print.
    """

    __slots__ = ("_always", "_fields", "_raw", "_table", "go", "is_struct", "kind", "name")

    def __init__(self, raw: dict[str, Any], table: TypeTable) -> None:
        self._raw = raw
        self._table = table
        self._fields: dict[str, Field] | None = None
        self._always: tuple[Field, ...] = ()
        self.kind: str = raw["kind"]
        self.go: str = raw["go"]
        self.name: str = raw.get("name", "")
        self.is_struct = self.kind in ("struct", "quantity", "int-or-string", "time", "micro-time", "duration")

    @property
    def elem(self) -> Type:
        return self._table.at(self._raw["elem"])

    @property
    def key(self) -> Type:
        return self._table.at(self._raw["key"])

    @property
    def map_type(self) -> str:
        return str(self._raw.get("map", ""))

    @property
    def fields(self) -> dict[str, Field]:
        """JSON name -> field; embedded structs are flattened as encoding/json does."""
        if self._fields is None:
            self._fields = dict(self._flatten())
            self._always = tuple(f for f in self._fields.values() if f.always)
        return self._fields

    @property
    def parts(self) -> list[tuple[dict[str, Any], Type]]:
        """The struct's own members, embedded ones unflattened: (raw entry, declared type). For the protobuf codec."""
        return [(raw, self._table.at(raw["type"])) for raw in self._raw["fields"]]

    @property
    def always(self) -> tuple[Field, ...]:
        """Fields that Go writes even where they are unset."""
        if self._fields is None:
            _ = self.fields
        return self._always

    def _flatten(self) -> list[tuple[str, Field]]:
        found = []
        owner = self.go.rsplit(".", 1)[-1]
        for raw in self._raw["fields"]:
            declared = self._table.at(raw["type"])
            if raw.get("inline"):
                found.extend((declared.elem if declared.kind == "ptr" else declared)._flatten())
            elif raw["json"] and raw["json"] != "-":
                found.append((raw["json"], Field(raw, declared, owner)))
        return found


class TypeTable:
    """All types, each made when it is first asked for."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._raw: list[dict[str, Any]] = content["types"]
        self._names: dict[str, int] = content["names"]
        self._types: list[Type | None] = [None] * len(self._raw)

    def at(self, index: int) -> Type:
        found = self._types[index]
        if found is None:
            found = self._types[index] = Type(self._raw[index], self)
        return found

    def find(self, name: str) -> Type | None:
        """By `group/version/Kind` (`v1/Pod` for the core group) or by OpenAPI definition name."""
        index = self._names.get(name)
        return None if index is None else self.at(index)


@functools.cache
def type_table() -> TypeTable:
    data = resources.files(__package__).joinpath("data", "types.json.gz").read_bytes()
    return TypeTable(orjson.loads(gzip.decompress(data)))


@functools.cache
def type_for(api_version: str, kind: str) -> Type | None:
    """The type of a built-in kind; None where this server has no such kind (custom resources)."""
    return type_table().find(f"{api_version}/{kind}" if api_version else kind) or type_table().find(
        META_KINDS.get(kind, "")
    )


META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
# Kinds that belong to every group version.
META_KINDS: Final = {name: META + name for name in ("DeleteOptions", "WatchEvent", "Status")}


@functools.cache
def object_meta() -> Type:
    found = type_table().find(META + "ObjectMeta")
    assert found is not None
    return found
