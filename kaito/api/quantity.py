"""Kubernetes quantities as exact numbers, and back to the text that Go's `resource.Quantity` prints."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_PATTERN = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
GIB = 1024**3


class QuantityError(ValueError):
    """A text that is no quantity; the message is Kubernetes' own."""

    def __init__(self) -> None:
        super().__init__(r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")


def parse_quantity(text: str) -> Fraction:
    """The exact value of `text` (`1.5Gi`, `500m`, `1e3`); raises QuantityError."""
    match = _PATTERN.match(text)
    if match is None:
        raise QuantityError
    number, suffix = match.groups()
    try:
        value = Fraction(number.rstrip(".") or "0")
    except ValueError as error:
        raise QuantityError from error
    if suffix in _BINARY:
        return Fraction(value * 1024 ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return Fraction(value * Fraction(1000) ** _DECIMAL[suffix])
    if re.fullmatch(r"[eE][-+]?[0-9]+", suffix):
        return Fraction(value * Fraction(10) ** int(suffix[1:]))
    raise QuantityError


def format_binary(value: Fraction | int) -> str:
    """`value` as a BinarySI quantity prints: `80Gi`; below 1024 and for fractions in decimal (`29323889213440m`)."""
    exact = Fraction(value)
    if exact == 0:
        return "0"
    if exact.denominator == 1 and abs(exact) >= 1024:
        return _with_suffix(int(exact), 1024, ["", *_BINARY])
    if exact.denominator == 1:
        return _with_suffix(int(exact), 1000, ["", "k", "M", "G", "T", "P", "E"])
    for power, suffix in enumerate("mun", start=1):
        scaled = exact * 1000**power
        if scaled.denominator == 1:
            return f"{int(scaled)}{suffix}"
    return f"{math.ceil(exact * 10**9)}n"


def _with_suffix(number: int, base: int, suffixes: list[str]) -> str:
    power = 0
    while number % base == 0 and power + 1 < len(suffixes):
        number //= base
        power += 1
    return f"{number}{suffixes[power]}"
