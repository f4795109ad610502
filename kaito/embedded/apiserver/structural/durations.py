"""Durations as format `duration` reads them (k8s.io/kube-openapi/pkg/validation/strfmt)."""

from __future__ import annotations

import re
from typing import Final

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.cel.library.times import duration
from kaito.embedded.apiserver.structural.cel.values import SECOND

_PIECE: Final = re.compile(r"(\d+)\s*([A-Za-zµ]+)", re.ASCII)
# The names of each unit; a longer word that begins with the last of them means it too.
_UNITS: Final = (
    (("ns", "nano"), 1),
    (("us", "µs", "micro"), 1000),
    (("ms", "milli"), 10**6),
    (("s", "sec"), SECOND),
    (("m", "min"), 60 * SECOND),
    (("h", "hr", "hour"), 3600 * SECOND),
    (("d", "day"), 24 * 3600 * SECOND),
    (("w", "wk", "week"), 7 * 24 * 3600 * SECOND),
)


def parse_duration(text: str) -> int | None:
    """Nanoseconds: Go's `1h30m`, or numbers with units among any other text, `2 days`. None where there are none."""
    try:
        return duration(text).nanoseconds
    except EvaluationError:
        pass
    total, found = 0, False
    for number, word in _PIECE.findall(text):
        unit = _unit(word.lower())
        if unit is not None:
            total, found = total + int(number) * unit, True
    return total if found else None


def _unit(word: str) -> int | None:
    return next((size for names, size in _UNITS if word in names or word.startswith(names[-1])), None)
