"""JSON objects of built-in kinds as `application/vnd.kubernetes.protobuf` bodies, byte for byte as gogo-proto writes
them."""

from __future__ import annotations

import base64
import struct
from typing import Any

import orjson

from kaito.embedded.apiserver.protobuf import wire
from kaito.embedded.apiserver.protobuf.decoding import META_VERSION, envelope
from kaito.embedded.apiserver.protobuf.wire import ProtobufError, delimited, tag, varint
from kaito.embedded.apiserver.schemas import times
from kaito.embedded.apiserver.schemas.decoding import SCHEMA_PROPS
from kaito.embedded.apiserver.schemas.types import Type, type_for, type_table
from kaito.embedded.apiserver.structural.durations import parse_duration

Json = dict[str, Any]


def encode(obj: Json) -> bytes:
    """A built-in object, list or Status as a protobuf body. Raises ProtobufError for kinds without a message."""
    api_version, kind = obj.get("apiVersion", ""), obj.get("kind", "")
    known = type_for(api_version, kind) or type_table().find(META_VERSION + kind)
    if known is None or known.kind != "struct":
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
    return envelope(api_version, kind, _message(known, obj))


def _message(kind: Type, value: Json) -> bytes:
    out = []
    for raw, declared in sorted(
        ((raw, declared) for raw, declared in kind.parts if "proto" in raw), key=lambda part: part[0]["proto"][0]
    ):
        number = raw["proto"][0]
        pointer = declared.kind == "ptr"
        inner = declared.elem if pointer else declared
        if raw.get("inline"):
            if not pointer or any(name in value for name in inner.fields):
                out.append(delimited(number, _message(inner, value)))
            continue
        item = value.get(raw["json"])
        if inner.kind == "slice":
            out += [_field(number, inner.elem, part) for part in item or ()]
        elif inner.kind == "map":
            for key, part in sorted((item or {}).items()):
                out.append(delimited(number, delimited(1, key.encode()) + _field(2, inner.elem, part)))
        elif item is not None or not (pointer or inner.kind == "bytes"):
            out.append(_field(number, inner, item))
    return b"".join(out)


def _field(number: int, kind: Type, value: Any) -> bytes:
    """One field; None stands for the zero value, which gogo-proto writes for everything that is no pointer."""
    match kind.kind:
        case "ptr":
            return _field(number, kind.elem, value)
        case "string":
            return delimited(number, str(value or "").encode())
        case "bytes":
            return delimited(number, base64.b64decode(value or ""))
        case "bool":
            return tag(number, wire.VARINT) + (b"\1" if value else b"\0")
        case "int32" | "int64" | "int" | "uint8":
            return tag(number, wire.VARINT) + varint(int(value or 0))
        case "float64":
            return tag(number, wire.FIXED64) + struct.pack("<d", value or 0)
        case "struct":
            return delimited(number, _message(kind, value or {}))
        case "slice":
            return delimited(number, b"".join(_field(1, kind.elem, item) for item in value or ()))
        case "map":
            entries = (delimited(1, k.encode()) + _field(2, kind.elem, v) for k, v in sorted((value or {}).items()))
            return delimited(number, b"".join(delimited(1, entry) for entry in entries))
        case _:
            return delimited(number, _special(kind, value))


def _special(kind: Type, value: Any) -> bytes:
    match kind.kind:
        case "quantity":
            return delimited(1, str(value if value is not None else "0").encode())
        case "int-or-string":
            text = isinstance(value, str)
            number = 0 if text or value is None else value
            return (
                tag(1, wire.VARINT) + varint(int(text)) + tag(2, wire.VARINT) + varint(number)
                + delimited(3, value.encode() if text else b"")
            )  # fmt: skip
        case "time" | "micro-time":
            return _time(value, micro=kind.kind == "micro-time")
        case "duration":
            return tag(1, wire.VARINT) + varint(parse_duration(value or "0") or 0)
        case "schema-or-bool" | "schema-or-array" | "schema-or-strings":
            return _schema_or(kind, value)
        case _:
            return delimited(1, orjson.dumps(value)) if value is not None else b""


def _time(value: str | None, *, micro: bool) -> bytes:
    if not value:
        return b""
    moment = times.parse(value)
    seconds = int(moment.replace(microsecond=0).timestamp())
    return (
        tag(1, wire.VARINT) + varint(seconds) + tag(2, wire.VARINT) + varint(moment.microsecond * 1000 if micro else 0)
    )


def _schema_or(kind: Type, value: Any) -> bytes:
    schema = type_for("", SCHEMA_PROPS)
    assert schema is not None
    if kind.kind == "schema-or-bool":
        allows = tag(1, wire.VARINT) + varint(int(value is not False))
        return allows + (delimited(2, _message(schema, value)) if isinstance(value, dict) else b"")
    if isinstance(value, dict):
        return delimited(1, _message(schema, value))
    if kind.kind == "schema-or-array":
        return b"".join(delimited(2, _message(schema, item)) for item in value or ())
    return b"".join(delimited(2, str(item).encode()) for item in value or ())
