"""JSON values as Go prints them: `%v` and `%T` of what its decoder makes of them."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

_LARGEST_PLAIN: Final = 6
"""From this power of ten on %v of a float has an exponent."""


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
    return number_text(value) if isinstance(value, float) else str(value)


def number_text(value: float) -> str:
    """A float as %v and %g print it, with the fewest digits: 1e+06, 0.1, 100000."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text, power = "".join(map(str, digits)), len(digits) + exponent - 1
    minus = "-" if sign else ""
    if power < -4 or power >= _LARGEST_PLAIN:
        tail = f".{text[1:]}" if len(text) > 1 else ""
        return f"{minus}{text[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{text}"
    if len(text) <= power + 1:
        return minus + text.ljust(power + 1, "0")
    return f"{minus}{text[: power + 1]}.{text[power + 1 :]}"


def type_name(value: Any) -> str:
    """%T of a decoded value."""
    if value is None:
        return "<nil>"
    names: dict[type, str] = {
        bool: "bool", int: "int64", float: "float64", str: "string", list: "[]interface {}",
    }  # fmt: skip
    return names.get(type(value), "map[string]interface {}")
