"""Ranges of sizes and costs; nothing is larger than an unsigned integer of 64 bits."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

LARGEST: Final = 2**64 - 1


class Range(NamedTuple):
    """The least and the most."""

    low: int
    high: int

    def plus(self, other: Range) -> Range:
        return Range(min(self.low + other.low, LARGEST), min(self.high + other.high, LARGEST))

    def times(self, other: Range) -> Range:
        return Range(min(self.low * other.low, LARGEST), min(self.high * other.high, LARGEST))

    def scaled(self, factor: float) -> Range:
        """Rounded up."""
        return Range(_scaled(self.low, factor), _scaled(self.high, factor))

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


def _scaled(number: int, factor: float) -> int:
    if number > 0 and factor > 0 and float(number) > float(LARGEST) / factor:
        return LARGEST
    return min(math.ceil(float(number) * factor), LARGEST)


def fixed(number: int) -> Range:
    return Range(number, number)


UNKNOWN: Final = Range(0, LARGEST)
ZERO: Final = fixed(0)
ONE: Final = fixed(1)
TRAVERSAL: Final = 0.1
"""Cost of one character."""
PATTERN: Final = 0.25
"""Cost of one character of a regular expression."""


class CallEstimate(NamedTuple):
    cost: Range
    size: Range | None = None
