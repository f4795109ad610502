"""The protobuf wire format: varints, lengths, tags."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAXIMUM_VARINT_BYTES: Final = 10
MASK: Final = 2**64 - 1


class ProtobufError(ValueError):
    """The bytes are no such message; the message says what is wrong."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(unsigned value, next offset)."""
    value = shift = 0
    for index in range(at, min(at + MAXIMUM_VARINT_BYTES, len(data))):
        byte = data[index]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & MASK, index + 1
        shift += 7
    raise ProtobufError("unexpected EOF" if len(data) - at < MAXIMUM_VARINT_BYTES else "proto: integer overflow")


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of every field in order; values are integers or bytes."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ProtobufError(f"proto: illegal tag 0 (wire type {key})")
        if wire == VARINT:
            value, at = read_varint(data, at)
            yield number, wire, value
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            if at + size > len(data):
                raise ProtobufError("unexpected EOF")
            yield number, wire, data[at : at + size]
            at += size
        elif wire == BYTES:
            size, at = read_varint(data, at)
            if at + size > len(data):
                raise ProtobufError("unexpected EOF")
            yield number, wire, data[at : at + size]
            at += size
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")


def signed(value: int) -> int:
    """A varint as a 64-bit two's complement number."""
    return value - 2**64 if value >= 2**63 else value


def double(data: bytes) -> float:
    return float(struct.unpack("<d", data)[0])


def varint(value: int) -> bytes:
    """Negative numbers take ten bytes, as protobuf's int32 and int64 do."""
    value &= MASK
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def delimited(number: int, body: bytes) -> bytes:
    return tag(number, BYTES) + varint(len(body)) + body
