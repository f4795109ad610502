"""The CEL type of a value, and equality and order between values."""

from __future__ import annotations

import math
from typing import Any

from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, EvaluationError
from kaito.embedded.apiserver.structural.cel.values import (
    Duration,
    MapList,
    Optional,
    SetList,
    Timestamp,
    TypeValue,
    UInt,
)

_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (UInt, "uint"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
    (Timestamp, "timestamp"),
    (Duration, "duration"),
    (TypeValue, "type"),
    (Optional, "optional_type"),
)
_FULL_NAMES = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}


def type_name(value: Any) -> str:
    """As declarations write it: int, string, timestamp…"""
    if value is None:
        return "null_type"
    for python, name in _NAMES:
        if isinstance(value, python):
            return name
    return str(getattr(value, "type_name", "object"))


def full_name(value: Any) -> str:
    """As `type(value)` and errors name it."""
    name = type_name(value)
    return _FULL_NAMES.get(name, name)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Values of different types are not equal, numbers apart."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return _equal_lists(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(key in right and equal(item, right[key]) for key, item in left.items())
    if isinstance(left, Optional) and isinstance(right, Optional):
        return left.present == right.present and (not left.present or equal(left.value, right.value))
    return type(left) is type(right) and bool(left == right)


def _equal_lists(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(left, SetList):
        return all(contains(right, item) for item in left)
    if isinstance(left, MapList):
        keyed = {left.key_of(item): item for item in right}
        return all(left.key_of(item) in keyed and equal(item, keyed[left.key_of(item)]) for item in left)
    return all(equal(a, b) for a, b in zip(left, right, strict=True))


def contains(items: list[Any], wanted: Any) -> bool:
    return any(equal(item, wanted) for item in items)


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1. Raises EvaluationError for values without an order."""
    if is_number(left) and is_number(right):
        if math.isnan(left) or math.isnan(right):
            raise EvaluationError("NaN values cannot be ordered")
    elif type(left) is not type(right) or not isinstance(left, (str, bytes, bool, Timestamp, Duration)):
        raise EvaluationError(NO_SUCH_OVERLOAD)
    if isinstance(left, str):
        left, right = left.encode(), right.encode()
    return bool(left > right) - bool(left < right)
