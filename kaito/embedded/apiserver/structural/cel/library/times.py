"""Durations and times: reading, and the parts of a moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.cel.values import INT_MAX, INT_MIN, SECOND, Duration, Timestamp

_UNITS: Final = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_PIECE: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_RFC3339: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_OFFSET: Final = re.compile(r"([+-]?)(\d{1,2}):(\d\d)\Z")
_EARLIEST, _LATEST = -62135596800, 253402300799


def duration(text: str) -> Duration:
    """Go's time.ParseDuration. Raises EvaluationError."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    total, at = Fraction(0), 0
    while at < len(rest) and (found := _PIECE.match(rest, at)) is not None:
        total += Fraction(found[1].rstrip(".")) * _UNITS[found[2]]
        at = found.end()
    if rest != "0" and (not rest or at < len(rest)):
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Duration'")
    nanoseconds = int(total) * (-1 if text.startswith("-") else 1)
    if not INT_MIN <= nanoseconds <= INT_MAX:
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Duration'")
    return Duration(nanoseconds)


def timestamp(text: str) -> Timestamp:
    """RFC 3339. Raises EvaluationError."""
    found = _RFC3339.match(text)
    if found is None:
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Timestamp'")
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_fixed(found[8]))
    except ValueError:
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Timestamp'") from None
    whole = int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
    return checked(whole * SECOND + int((found[7] or "0").ljust(9, "0")[:9]))


def checked(nanoseconds: int) -> Timestamp:
    """The moment, unless it is before year 1 or after year 9999."""
    if not _EARLIEST <= nanoseconds // SECOND <= _LATEST:
        raise EvaluationError("timestamp overflow")
    return Timestamp(nanoseconds)


def _fixed(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6])))


def _zone(name: str) -> tzinfo:
    found = _OFFSET.match(name)
    if found is not None:
        sign = -1 if found[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(found[2]), minutes=int(found[3])))
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _part(read: Callable[[datetime], int]) -> Callable[..., int]:
    def get(value: Timestamp, zone: str = "UTC") -> int:
        return read(value.moment().astimezone(_zone(zone)))

    return get


_MOMENT: Final[dict[str, Callable[..., int]]] = {
    "getFullYear": _part(lambda moment: moment.year),
    "getMonth": _part(lambda moment: moment.month - 1),
    "getDayOfYear": _part(lambda moment: moment.timetuple().tm_yday - 1),
    "getDayOfMonth": _part(lambda moment: moment.day - 1),
    "getDate": _part(lambda moment: moment.day),
    "getDayOfWeek": _part(lambda moment: moment.isoweekday() % 7),
    "getHours": _part(lambda moment: moment.hour),
    "getMinutes": _part(lambda moment: moment.minute),
    "getSeconds": _part(lambda moment: moment.second),
    "getMilliseconds": _part(lambda moment: moment.microsecond // 1000),
}
_LENGTH: Final = {
    "getHours": 3600 * SECOND,
    "getMinutes": 60 * SECOND,
    "getSeconds": SECOND,
    "getMilliseconds": 10**6,
}


def _truncated(number: int, unit: int) -> int:
    return abs(number) // unit * (-1 if number < 0 else 1)


def part(function: str) -> Callable[..., int]:
    """`getHours` and the like, of moments and, where they have it, of durations."""
    unit = _LENGTH.get(function)

    def get(value: Timestamp | Duration, *zone: str) -> int:
        if isinstance(value, Duration) and unit is not None and not zone:
            return _truncated(value.nanoseconds, unit)
        if isinstance(value, Timestamp):
            return _MOMENT[function](value, *zone)
        raise EvaluationError("no such overload")

    return get


PARTS: Final = {name: part(name) for name in _MOMENT}
