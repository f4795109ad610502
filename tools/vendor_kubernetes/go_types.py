"""Reads Go's run-time type information out of an unstripped-section ELF binary (little endian, 64 bit, not PIE).

Only what the vendoring script needs: named struct types, their fields with JSON, protobuf and patch tags. The layout is
that of Go 1.26's `internal/abi` (Type, StructType, MapType, Name).
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KIND_NAMES = [
    "invalid",
    "bool",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintptr",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "array",
    "chan",
    "func",
    "interface",
    "map",
    "ptr",
    "slice",
    "string",
    "struct",
    "unsafe",
]
EXTRA_BYTES = {"struct": 32, "ptr": 8, "slice": 8, "map": 56, "array": 24, "func": 8, "interface": 32, "chan": 16}
TYPE_HEADER_BYTES = 48
HAS_UNCOMMON, EXTRA_STAR = 1, 2
LINKED_KINDS = {"array", "chan", "func", "interface", "map", "ptr", "slice", "struct"}


@dataclass
class Field:
    name: str
    tag: str
    type_address: int
    embedded: bool

    def tag_value(self, key: str) -> str | None:
        found = re.search(rf'(?:^| ){key}:"([^"]*)"', self.tag)
        return found[1] if found else None


class GoBinary:
    """Types of one Go program, found by address."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._sections = dict(self._read_sections())
        self._known: dict[int, dict[str, Any]] = {}
        _, offset, size = self._sections[".typelink"]
        self._links = struct.unpack_from(f"<{size // 4}i", self._bytes, offset)
        self._base = self._find_base()

    def _read_sections(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        (table,) = struct.unpack_from("<Q", self._bytes, 0x28)
        entry_size, count, names = struct.unpack_from("<HHH", self._bytes, 0x3A)
        entries = [struct.unpack_from("<IIQQQQ", self._bytes, table + i * entry_size) for i in range(count)]
        for name, kind, _flags, address, offset, size in entries:
            start = entries[names][4] + name
            if address and kind != 8:  # 8: no bits in the file (.bss)
                yield self._bytes[start : self._bytes.find(b"\0", start)].decode(), (address, offset, size)

    def _offset(self, address: int) -> int:
        for start, offset, size in self._sections.values():
            if start <= address < start + size:
                return offset + address - start
        raise ValueError(f"address {address:#x} is in no section")

    def _find_base(self) -> int:
        """The address that type offsets count from: the word of the module data under which every type link is a
        type."""
        start, _, size = self._sections[".rodata"]
        _, module, length = self._sections[".go.module"]
        for (candidate,) in struct.iter_unpack("<Q", self._bytes[module : module + length]):
            if not start <= candidate < start + size:
                continue
            try:
                if all(self._kind(candidate + link) in LINKED_KINDS for link in self._links[:50]):
                    return int(candidate)
            except (ValueError, IndexError):
                continue
        raise ValueError("no type section found in this binary")

    def _kind(self, address: int) -> str:
        return KIND_NAMES[self._bytes[self._offset(address) + 23] & 31]

    def _string(self, at: int) -> tuple[str, int]:
        length = shift = 0
        while True:
            byte = self._bytes[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return self._bytes[at : at + length].decode("utf8", "replace"), at + length

    def _name(self, address: int) -> tuple[str, str, int]:
        at = self._offset(address)
        flags = self._bytes[at]
        name, end = self._string(at + 1)
        return name, self._string(end)[0] if flags & 2 else "", flags

    def type(self, address: int) -> dict[str, Any]:
        """{kind, name, package, elem, key, fields} of the type at `address`; elem and key are addresses."""
        if address in self._known:
            return self._known[address]
        at = self._offset(address)
        flags, kind = self._bytes[at + 20], self._kind(address)
        name = self._name(self._base + struct.unpack_from("<i", self._bytes, at + 40)[0])[0]
        known: dict[str, Any] = {"kind": kind, "name": name[1:] if flags & EXTRA_STAR else name, "package": ""}
        self._known[address] = known
        if kind in ("ptr", "slice"):
            (known["elem"],) = struct.unpack_from("<Q", self._bytes, at + 48)
        elif kind == "map":
            known["key"], known["elem"] = struct.unpack_from("<QQ", self._bytes, at + 48)
        elif kind == "struct":
            known["fields"] = list(self._fields(at))
        if flags & HAS_UNCOMMON:
            uncommon = at + TYPE_HEADER_BYTES + EXTRA_BYTES.get(kind, 0)
            if package := struct.unpack_from("<i", self._bytes, uncommon)[0]:
                known["package"] = self._name(self._base + package)[0] if kind == "struct" else ""
        return known

    def _fields(self, at: int) -> Iterator[Field]:
        first, count, _ = struct.unpack_from("<QQQ", self._bytes, at + 56)
        for i in range(count):
            name, type_address, _ = struct.unpack_from("<QQQ", self._bytes, self._offset(first) + 24 * i)
            text, tag, flags = self._name(name)
            yield Field(text, tag, type_address, bool(flags & 8))

    def structs(self) -> Iterator[tuple[str, int]]:
        """(OpenAPI definition name, address) of every named struct that the type links reach."""
        for link in self._links:
            outer = self.type(self._base + link)
            if outer["kind"] not in ("ptr", "slice"):
                continue
            inner = self.type(outer["elem"])
            if inner["kind"] == "struct" and inner["package"]:
                yield definition_name(inner["package"], inner["name"]), outer["elem"]


def definition_name(package: str, name: str) -> str:
    """OpenAPI name of a Go type: k8s.io/api/core/v1 + v1.Pod -> io.k8s.api.core.v1.Pod."""
    host, *path = package.split("/")
    return ".".join([*reversed(host.split(".")), *path, name.rsplit(".", 1)[-1]])
