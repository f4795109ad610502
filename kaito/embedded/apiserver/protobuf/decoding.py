"""Bodies of `application/vnd.kubernetes.protobuf` as JSON objects.

The messages are the Go types themselves (schemas.types): their protobuf numbers say what is where, their pointers
whether a zero on the wire means something. The result is what the same object sent as JSON would be after decoding.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from kaito.embedded.apiserver.protobuf import wire
from kaito.embedded.apiserver.protobuf.wire import ProtobufError, delimited, fields
from kaito.embedded.apiserver.schemas import times
from kaito.embedded.apiserver.schemas.decoding import SCHEMA_PROPS, zero
from kaito.embedded.apiserver.schemas.types import Type, type_for, type_table

Json = dict[str, Any]
MAGIC: Final = b"k8s\0"
MAXIMUM_DEPTH: Final = 200
META_VERSION: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."


def decode(body: bytes) -> Json:
    """The object in a protobuf body, apiVersion and kind included. Raises ProtobufError."""
    if not body:
        raise ProtobufError("empty data")
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    type_meta: dict[int, str] = {}
    raw = b""
    for number, kind, value in fields(body[len(MAGIC) :]):
        if number == 1 and isinstance(value, bytes):
            type_meta = {n: v.decode("utf8", "replace") for n, _, v in fields(value) if isinstance(v, bytes)}
        elif number == 2 and kind == wire.BYTES and isinstance(value, bytes):
            raw = value
    api_version, kind_name = type_meta.get(1, ""), type_meta.get(2, "")
    known = type_for(api_version, kind_name) or type_table().find(META_VERSION + kind_name)
    if known is None or known.kind != "struct":
        raise ProtobufError(f'no kind "{kind_name}" is registered for version "{api_version}"')
    try:
        return {"apiVersion": api_version, "kind": kind_name, **_message(known, raw, 0)}
    except (UnicodeDecodeError, orjson.JSONDecodeError, OverflowError) as error:
        raise ProtobufError(f"malformed value: {error}") from error


def _message(kind: Type, data: bytes, depth: int) -> Json:
    if depth > MAXIMUM_DEPTH:
        raise ProtobufError("nesting depth exceeded")
    parts = {raw["proto"][0]: (raw, declared) for raw, declared in kind.parts if "proto" in raw}
    out: Json = {}
    for number, form, value in fields(data):
        found = parts.get(number)
        if found is None:
            continue
        raw, declared = found
        pointer = declared.kind == "ptr"
        inner = declared.elem if pointer else declared
        if raw.get("inline"):
            out.update(_message(inner, _bytes(value), depth + 1))
            continue
        name = raw["json"]
        if inner.kind == "slice":
            out.setdefault(name, []).append(_value(inner.elem, value, form, depth))
        elif inner.kind == "map":
            key, item = _entry(inner, _bytes(value), depth)
            out.setdefault(name, {})[key] = item
        else:
            decoded = _value(inner, value, form, depth)
            # A zero on the wire says nothing, unless only a pointer could have put it there.
            if decoded is not None and (pointer or decoded not in ("", 0, False) or not raw.get("omitempty")):
                out[name] = decoded
    return out


def _entry(kind: Type, data: bytes, depth: int) -> tuple[str, Any]:
    key, item = "", zero(kind.elem)
    if kind.elem.kind == "bytes":
        item = ""
    for number, form, value in fields(data):
        if number == 1:
            key = _bytes(value).decode()
        elif number == 2:
            item = _value(kind.elem, value, form, depth)
    return key, item


def _value(kind: Type, value: int | bytes, form: int, depth: int) -> Any:
    match kind.kind:
        case "ptr":
            return _value(kind.elem, value, form, depth)
        case "string":
            return _bytes(value).decode()
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "bool":
            return bool(value)
        case "int32" | "int64" | "int" | "uint8":
            return wire.signed(_integer(value))
        case "float64":
            return wire.double(_bytes(value)) if form == wire.FIXED64 else 0.0
        case "struct":
            return _message(kind, _bytes(value), depth + 1)
        case "slice":  # v1.ExtraValue: a list as a message of its own
            return [
                _value(kind.elem, item, inner, depth) for number, inner, item in fields(_bytes(value)) if number == 1
            ]
        case "map":
            return dict(_entry(kind, _bytes(item), depth) for number, _, item in fields(_bytes(value)) if number == 1)
        case _:
            return _special(kind, _bytes(value), depth)


def _special(kind: Type, data: bytes, depth: int) -> Any:
    parts: dict[int, int | bytes] = {number: value for number, _, value in fields(data)}
    first = parts.get(1, b"")
    match kind.kind:
        case "quantity":
            return _bytes(first).decode()
        case "int-or-string":
            if parts.get(1, 0) == 1:
                return _bytes(parts.get(3, b"")).decode()
            return wire.signed(_integer(parts.get(2, 0)))
        case "time" | "micro-time":
            if not parts:
                return None
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                seconds=wire.signed(_integer(parts.get(1, 0))), microseconds=_integer(parts.get(2, 0)) // 1000
            )
            return times.format_micro_time(moment) if kind.kind == "micro-time" else times.format_time(moment)
        case "duration":
            return f"{wire.signed(_integer(parts.get(1, 0)))}ns"
        case "schema-or-bool" | "schema-or-array" | "schema-or-strings":
            return _schema_or(kind, data, parts, depth)
        case _:  # raw, json, fields: JSON bytes in field 1
            return orjson.loads(_bytes(first)) if first else None


def _schema_or(kind: Type, data: bytes, parts: dict[int, int | bytes], depth: int) -> Any:
    schema = type_for("", SCHEMA_PROPS)
    assert schema is not None
    if kind.kind == "schema-or-bool":
        return _message(schema, _bytes(parts[2]), depth + 1) if 2 in parts else bool(parts.get(1, 0))
    if 1 in parts:
        return _message(schema, _bytes(parts[1]), depth + 1)
    items = [_bytes(value) for number, _, value in fields(data) if number == 2]
    if kind.kind == "schema-or-array":
        return [_message(schema, item, depth + 1) for item in items]
    return [item.decode() for item in items]


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("proto: wrong wireType = 0 for a field of bytes")
    return value


def _integer(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ProtobufError("proto: wrong wireType = 2 for a number")
    return value


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """A message of this kind as a body: the magic prefix and runtime.Unknown."""
    type_meta = delimited(1, api_version.encode()) + delimited(2, kind.encode())
    return MAGIC + delimited(1, type_meta) + delimited(2, raw) + delimited(3, b"") + delimited(4, b"")
