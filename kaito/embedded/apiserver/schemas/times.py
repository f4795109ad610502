"""Times as Go's `time` package reads and Kubernetes writes them."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

SECONDS_LAYOUT: Final = "2006-01-02T15:04:05Z07:00"
MICRO_LAYOUT: Final = "2006-01-02T15:04:05.000000Z07:00"
FAST: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PIECES: Final = (
    ("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"), ("T", "T"), ("15", r"\d\d?"),
    (":", ":"), ("04", r"\d\d"), (":", ":"), ("05", r"\d\d"),
)  # fmt: skip
ZONE: Final = re.compile(r"Z|[+-]\d\d:\d\d")
FRACTION: Final = re.compile(r"[.,]\d+")
MICRO_FRACTION: Final = re.compile(r"[.,]\d{6}")


class TimeError(ValueError):
    """The text is no time of the wanted layout; the message is Go's."""


def parse(text: str, layout: str = SECONDS_LAYOUT) -> datetime:
    """An aware UTC datetime. Raises TimeError with the words of Go's time.Parse."""
    rest, values = text, []
    for element, pattern in PIECES:
        found = re.match(pattern, rest)
        if found is None:
            raise TimeError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"')
        if len(element) > 1:
            values.append(int(found[0]))
        rest = rest[found.end() :]
    micro = layout == MICRO_LAYOUT
    fraction = (MICRO_FRACTION if micro else FRACTION).match(rest)
    if micro and fraction is None:
        raise TimeError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as ".000000"')
    microseconds = int((fraction[0][1:] + "000000")[:6]) if fraction else 0
    rest = rest[fraction.end() :] if fraction else rest
    zone = ZONE.match(rest)
    if zone is None:
        raise TimeError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "Z07:00"')
    if rest[zone.end() :]:
        raise TimeError(f'parsing time "{text}": extra text: "{rest[zone.end() :]}"')
    return _build(text, values, microseconds, zone[0])


def _build(text: str, values: list[int], microseconds: int, zone: str) -> datetime:
    year, month, day, hour, minute, second = values
    limits = (
        ("month", 1 <= month <= 12),
        ("day", 1 <= month <= 12 and 1 <= day <= calendar.monthrange(max(year, 1), month)[1]),
        ("hour", hour < 24),
        ("minute", minute < 60),
        ("second", second < 60),
    )
    for name, fits in limits:
        if not fits:
            raise TimeError(f'parsing time "{text}": {name} out of range')
    offset = timedelta()
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    try:
        return datetime(max(year, 1), month, day, hour, minute, second, microseconds, UTC) - offset
    except OverflowError as error:
        raise TimeError(f'parsing time "{text}": year out of range') from error


@lru_cache(maxsize=4096)
def canonical_time(text: str) -> str:
    """RFC 3339 in UTC, whole seconds (metav1.Time)."""
    if FAST.fullmatch(text):
        parse(text)
        return text
    return format_time(parse(text))


@lru_cache(maxsize=4096)
def canonical_micro_time(text: str) -> str:
    """RFC 3339 in UTC with six digits of fraction (metav1.MicroTime)."""
    return format_micro_time(parse(text, MICRO_LAYOUT))


def format_time(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%SZ}"


def format_micro_time(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S.%fZ}"
