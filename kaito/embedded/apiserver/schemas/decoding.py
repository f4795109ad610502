"""Decoding of built-in objects: what Go's strict JSON decoder reports and what its encoder then writes.

`decode` does both in one walk: unknown fields are dropped and named, wrong JSON types are refused in the words of
`encoding/json`, quantities and times become canonical, empty values that `omitempty` covers vanish and values that Go
always writes (structs, required fields) appear.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final

from kaito.embedded.apiserver.schemas import quantities, times
from kaito.embedded.apiserver.schemas.types import Type, object_meta, type_for

Json = dict[str, Any]
# The way to a value, innermost part last: (parent, part), where a part is a field name, a map key or a list index.
Path = tuple[Any, str | int] | None
INTEGERS: Final = {"int32": 2**31, "int64": 2**63, "int": 2**63}
OWN_READERS: Final = frozenset({"quantity", "int-or-string", "time", "micro-time", "duration"})
EMPTIES: Final = ("", 0, False, None)


class DecodeError(ValueError):
    """The object cannot be decoded into its kind; the message has Go's words, without the `X in version` prefix."""


@dataclass(slots=True)
class Decoded:
    """A decoded object and the strict-decoding remarks on it (`unknown field "spec.foo"`), in document order."""

    object: Json
    unknown: list[str] = field(default_factory=list)


class Sparse(dict[str, Any]):
    """A struct that was sent with empty lists or maps which it no longer holds.

    The store keeps no difference between them and absent ones, but error messages show them: `emptied` has their names.
    """

    __slots__ = ("emptied",)

    def __init__(self, members: Json, emptied: dict[str, Any]) -> None:
        super().__init__(members)
        self.emptied = emptied


def emptied(struct: Any, name: str) -> Any:
    """The empty list or map that was sent as this member; None where it is absent or not empty."""
    return struct.emptied.get(name) if type(struct) is Sparse and struct.get(name) is None else None


def decode(obj: Json, api_version: str, kind: str, *, sent: bool = False, forget: bool = True) -> Decoded:
    """Decodes a built-in object. Raises DecodeError; an unknown kind is returned as it is (a copy is made
    otherwise).

    `sent`: the object comes from a client, and empty lists of fields without omitempty are still told from null (they
    are owned). Unless `forget`, structs that lose empty members become Sparse.
    """
    known = type_for(api_version, kind)
    if known is None:
        return Decoded(obj)
    walk = _Walk(sent=sent, forget=forget)
    decoded = walk.struct(known, obj, None)
    walk.finish()
    return Decoded(decoded, [f'unknown field "{path}"' for path in walk.unknown])


def in_order(value: Any) -> Any:
    """The value with the members of all its objects in the order of their names, as Go writes maps."""
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(item) for item in value] if isinstance(value, list) else value


def decode_metadata(obj: Json) -> Decoded:
    """As `decode`, for an object of which only apiVersion, kind and metadata have built-in types (custom resources)."""
    walk = _Walk()
    metadata = in_order(obj.get("metadata"))
    if not isinstance(metadata, dict):
        metadata = {} if metadata is None else walk.mismatch(object_meta(), metadata, None) or {}
    decoded = walk.struct(object_meta(), metadata, None)
    walk.finish()
    return Decoded({**obj, "metadata": decoded}, [f'unknown field "metadata.{path}"' for path in walk.unknown])


def zero(kind: Type) -> Any:
    """What Go writes for the zero value of a type. A new object each time."""
    match kind.kind:
        case "struct":
            return {f.name: None if f.pointer else zero(f.type) for f in kind.always}
        case "string":
            return ""
        case "bool":
            return False
        case "int32" | "int64" | "int" | "uint8" | "float64" | "int-or-string":
            return 0
        case "quantity":
            return "0"
        case "duration":
            return "0s"
        case _:
            return None


class _Walk:
    """One decoding pass; keeps the first type error, as Go does, and every unknown field."""

    def __init__(self, *, sent: bool = False, forget: bool = True) -> None:
        self._sent = sent
        self._forget = forget
        self.unknown: list[str] = []
        self.error: str | None = None
        self._owner = ""
        self._within: Path = None

    def finish(self) -> None:
        if self.error is not None:
            raise DecodeError(self.error)

    def struct(self, kind: Type, value: Json, path: Path) -> Json:
        fields = kind.fields
        out: Json = {}
        lost: Json | None = None if self._forget or type(value) is not Sparse else dict(value.emptied)
        for name, item in value.items():
            known = fields.get(name)
            if known is None:
                if self._within is None:  # what reads its JSON itself is not strict
                    self.unknown.append(_strict_path((path, name)))
                continue
            if item is None:
                continue
            kind_name = known.type.kind
            if kind_name == "string" and type(item) is str:  # nine values in ten: no further calls
                if item or known.pointer or not known.omit_empty:
                    out[name] = item
                continue
            if kind_name == "raw":
                out[name] = item
                continue
            self._owner = kind.go
            decoded = self.value(known.type, item, (path, name))
            if decoded is None or (
                not known.pointer
                and known.omit_empty
                and not known.type.is_struct
                and (decoded in EMPTIES or decoded == {} or decoded == [])
            ):
                if not self._forget and type(decoded) in (dict, list):
                    lost = {**(lost or {}), name: decoded}
                continue
            if not known.pointer and not known.omit_empty and (decoded == [] or (decoded == {} and kind_name == "map")):
                # The store keeps no difference between nil and empty.
                if not self._forget:
                    lost = {**(lost or {}), name: decoded}
                if not self._sent:
                    continue
            out[name] = decoded
        for known in kind.always:
            if known.name not in out:
                out[known.name] = None if known.pointer else zero(known.type)
        return out if lost is None else Sparse(out, lost)

    def value(self, kind: Type, value: Any, path: Path) -> Any:
        """The encoded form of a value that is not null; None after a type error."""
        match kind.kind:
            case "struct":
                if type(value) is not dict and type(value) is not Sparse:
                    return self.mismatch(kind, value, path)
                return self.struct(kind, value, path)
            case "string":
                return value if type(value) is str else self.mismatch(kind, value, path)
            case "slice":
                if type(value) is not list:
                    return self.mismatch(kind, value, path)
                elem, owner = kind.elem, self._owner
                out = []
                for index, item in enumerate(value):
                    self._owner = owner
                    out.append(zero(elem) if item is None else self.value(elem, item, (path, index)))
                return out
            case "map":
                return self._map(kind, value, path)
            case "bool":
                return value if type(value) is bool else self.mismatch(kind, value, path)
            case "int32" | "int64" | "int":
                return self._integer(kind, value, path)
            case "ptr":
                return self.value(kind.elem, value, path)
            case "float64":
                return value if type(value) in (int, float) else self.mismatch(kind, value, path)
            case _:
                return self._special(kind, value, path)

    def _map(self, kind: Type, value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self.mismatch(kind, value, path)
        elem, owner = kind.elem, self._owner
        if elem.kind == "string" and all(type(item) is str for item in value.values()):
            return dict(value)
        out = {}
        for key, item in value.items():
            self._owner = owner
            out[key] = zero(elem) if item is None else self.value(elem, item, (path, f"\0{key}"))
        return out

    def _integer(self, kind: Type, value: Any, path: Path) -> Any:
        limit = INTEGERS[kind.kind]
        if type(value) is int and -limit <= value < limit:
            return value
        return self.mismatch(kind, value, path, number=True)

    def _special(self, kind: Type, value: Any, path: Path) -> Any:
        if kind.kind in OWN_READERS:
            return self._own(kind, value, path)
        try:
            match kind.kind:
                case "bytes":
                    return canonical_base64(value) if type(value) is str else self.mismatch(kind, value, path)
                case "schema-or-bool" | "schema-or-array" | "schema-or-strings":
                    return self._schema_or(kind, value, path)
                case _:  # raw, json, fields: any JSON
                    return value
        except DecodeError:
            raise
        except ValueError as error:
            self.error = self.error or str(error)
            return None

    def _own(self, kind: Type, value: Any, path: Path) -> Any:
        """A type that reads its JSON itself: Go stops at its error, and forgets those it has met before."""
        before, self.error = self.error, None
        try:
            decoded = self._read_own(kind, value, path)
        except ValueError as error:
            raise DecodeError(str(error)) from None
        self.finish()
        self.error = before
        return decoded

    def _read_own(self, kind: Type, value: Any, path: Path) -> Any:
        match kind.kind:
            case "quantity":
                return quantities.canonical(str(value).strip() if type(value) in (str, int, float) else "?")
            case "int-or-string":
                return value if type(value) is str else self._integer(INT32, value, path)
            case _ if type(value) is not str:
                return self.mismatch(STRING, value, path)
            case "time":
                return times.canonical_time(value)
            case "micro-time":
                return times.canonical_micro_time(value)
            case _:
                return value

    def _schema_or(self, kind: Type, value: Any, path: Path) -> Any:
        schema = type_for("", SCHEMA_PROPS)
        assert schema is not None
        if isinstance(value, dict):
            # These read their JSON themselves: Go's errors tell the way to the first of them.
            before, self.error = self.error, None
            outer, self._within = self._within, self._within or path
            decoded = self.struct(schema, value, path)
            self.finish()
            self._within, self.error = outer, before
            return decoded
        if kind.kind == "schema-or-bool" and type(value) is bool:
            return value
        if type(value) is list and kind.kind == "schema-or-array":
            return [self.value(schema, item, (path, index)) for index, item in enumerate(value)]
        if type(value) is list and kind.kind == "schema-or-strings":
            return value
        if kind.kind == "schema-or-bool":
            raise DecodeError("boolean or JSON schema expected")
        return []  # Go reads any other value as a list of no schemas

    def mismatch(self, kind: Any, value: Any, path: Path, *, number: bool = False) -> Any:
        if self.error is None:
            owner = self._owner.rsplit(".", 1)[-1]
            token = _token(value) + (f" {_number(value)}" if number and _token(value) == "number" else "")
            place = "Go value" if path is None else f"Go struct field {owner}.{_go_path(self._within or path)}"
            self.error = f"json: cannot unmarshal {token} into {place} of type {kind.go}"
        return None


@dataclass(frozen=True, slots=True)
class _Scalar:
    """Stands in for a Go type that only names itself in errors."""

    kind: str
    go: str


SCHEMA_PROPS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
INT32: Any = _Scalar("int32", "int32")
STRING: Any = _Scalar("string", "string")


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(value)


def _parts(path: Path) -> list[str | int]:
    parts: list[str | int] = []
    while path is not None:
        parts.append(path[1])
        path = path[0]
    return parts[::-1]


def _go_path(path: Path) -> str:
    """Field names only: Go's error context knows neither list indexes nor map keys."""
    return ".".join(p for p in _parts(path) if isinstance(p, str) and not p.startswith("\0"))


def _strict_path(path: Path) -> str:
    text = ""
    for part in _parts(path):
        text += f"[{part}]" if isinstance(part, int) else f".{part.lstrip(chr(0))}"
    return text[1:]


def canonical_base64(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        cleaned = text.replace("\r", "").replace("\n", "")
        if cleaned != text:
            return canonical_base64(cleaned)
        raise ValueError(f"illegal base64 data at input byte {_bad_byte(text)}") from None


def _bad_byte(text: str) -> int:
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for index, char in enumerate(text):
        if char not in alphabet:
            return index if char != "=" or index % 4 < 2 else index + 1
    return len(text) - len(text) % 4 if len(text) % 4 != 1 else len(text) - 1
