"""JSON values as Go prints them: `%v` and `%T` of what its decoder makes of them."""

from __future__ import annotations

from typing import Any, Final

_LARGEST_PLAIN: Final = 1e21
"""From here on %v of a float has an exponent."""


def plain(value: Any) -> str:
    """%v: `map[a:1 b:[x y]]`, keys sorted; null is `<nil>`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(plain(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    return _float(value) if isinstance(value, float) else str(value)


def _float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_PLAIN else repr(value)


def type_name(value: Any) -> str:
    """%T of a decoded value."""
    if value is None:
        return "<nil>"
    names: dict[type, str] = {
        bool: "bool", int: "int64", float: "float64", str: "string", list: "[]interface {}",
    }  # fmt: skip
    return names.get(type(value), "map[string]interface {}")
