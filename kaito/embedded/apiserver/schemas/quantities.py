"""Resource quantities in Kubernetes' canonical form (k8s.io/apimachinery/pkg/api/resource)."""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Final

BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
DECIMAL_SUFFIXES: Final = {exponent: suffix for suffix, exponent in DECIMAL.items()}
BINARY_SUFFIXES: Final = {power: suffix for suffix, power in BINARY.items()}
LARGEST: Final = 2**63 - 1
NANO: Final = Fraction(1, 10**9)
SHAPE: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([eEinumkKMGTP]*[-+]?[0-9]*)")
FORMAT_WRONG: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_WRONG: Final = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """The text is no quantity; the message is the one the real server gives."""


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Fraction, str]:
    """(value, format) where format is `binary`, `decimal` or `exponent`. Raises QuantityError."""
    found = SHAPE.fullmatch(text)
    if found is None:
        raise QuantityError(FORMAT_WRONG)
    number, suffix = Fraction(found[1]), found[2]
    if suffix in BINARY:
        value, kind = number * 1024 ** BINARY[suffix], "binary"
    elif suffix in DECIMAL:
        value, kind = number * Fraction(10) ** DECIMAL[suffix], "decimal"
    elif re.fullmatch(r"[eE][-+]?[0-9]{1,3}", suffix):
        value, kind = number * Fraction(10) ** int(suffix[1:]), "exponent"
    else:
        raise QuantityError(SUFFIX_WRONG)
    value = _round_up(value, NANO)
    return min(value, Fraction(LARGEST)), kind


def value_of(text: object) -> Fraction:
    """The number that a quantity (string or JSON number) stands for. Raises QuantityError."""
    return parse(str(text).strip())[0]


@functools.lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The form in which the server writes the quantity: 0.5 -> 500m, 1024Mi -> 1Gi, 1.5Gi -> 1536Mi."""
    value, kind = parse(text)
    if value == 0:
        return "0"
    if kind == "binary" and abs(value) >= 1024:
        whole, power = int(_round_up(value, Fraction(1))), 0
        while whole % 1024 == 0 and power < 6:
            whole, power = whole // 1024, power + 1
        return f"{whole}{BINARY_SUFFIXES.get(power, '')}"
    exponent = 0
    while value.denominator != 1:
        value, exponent = value * 1000, exponent - 3
    whole = int(value)
    while whole % 1000 == 0 and (exponent < 18 or kind == "exponent"):
        whole, exponent = whole // 1000, exponent + 3
    if kind == "exponent":
        return f"{whole}e{exponent}" if exponent else str(whole)
    return f"{whole}{DECIMAL_SUFFIXES[exponent]}"


def _round_up(value: Fraction, step: Fraction) -> Fraction:
    """Away from zero to a multiple of `step`."""
    count = value / step
    if count.denominator == 1:
        return value
    return step * (-(-count.numerator // count.denominator) if count > 0 else count.numerator // count.denominator)
