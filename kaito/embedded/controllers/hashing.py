"""Hashes of templates, in the alphabet that Kubernetes uses for names."""

from __future__ import annotations

from typing import Any

import orjson

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no 0, 1, 3: a hash spells no words. Source: apimachinery `rand.SafeEncodeString`."""


def fnv32a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """Each character replaced by one from the safe alphabet."""
    return "".join(_ALPHABET[ord(character) % len(_ALPHABET)] for character in text)


def object_hash(value: Any, collisions: int | None = None) -> str:
    """A stable hash of JSON data for use in names.

    The real controllers hash Go's printed form of the structure, so the digits differ from theirs; only equality
    matters. `collisions` varies the hash after a name was taken by something else.
    """
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if collisions:
        data += str(collisions).encode()
    return safe_encode(str(fnv32a(data)))
