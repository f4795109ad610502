"""Go durations: `1h30m`, `-1.5s`."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Final

UNITS: Final = {
    "ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6), "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86400),
    "w": Fraction(7 * 86400),
}  # fmt: skip
PIECE: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)")


def parse_duration(text: str) -> timedelta | None:
    """The duration, or None where the text is none. Days and weeks are read as strfmt does."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return timedelta()
    total, at = Fraction(0), 0
    while at < len(rest):
        found = PIECE.match(rest, at)
        if found is None:
            return None
        total += Fraction(found[1].rstrip(".") or "0") * UNITS[found[2]]
        at = found.end()
    if not rest:
        return None
    try:
        return timedelta(microseconds=int(total * 10**6)) * sign
    except OverflowError:
        return None
