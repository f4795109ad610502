"""Values that Python has no type for. Integers are int, doubles float, strings str, bytes bytes, null None, lists list,
maps and objects dict."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

SECOND: Final = 10**9
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
UINT_MAX = 2**64 - 1


class UInt(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Duration:
    nanoseconds: int

    def __lt__(self, other: Duration) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __str__(self) -> str:
        return f"{decimal(self.nanoseconds, SECOND)}s"


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Timestamp:
    """Nanoseconds since 1970 in UTC."""

    nanoseconds: int

    def __lt__(self, other: Timestamp) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __str__(self) -> str:
        second, rest = divmod(self.nanoseconds, SECOND)
        fraction = f".{rest:09d}".rstrip("0") if rest else ""
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
        return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}Z"

    def moment(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.nanoseconds // 1000)


@dataclass(frozen=True, slots=True)
class Optional:
    """`present` apart, because an optional may hold null."""

    present: bool = False
    value: Any = None


NONE: Final = Optional()


@dataclass(frozen=True, slots=True)
class TypeValue:
    """What `type(x)` gives and `int` alone means."""

    name: str


class SetList(list[Any]):
    """A list of x-kubernetes-list-type set: its order does not matter."""

    __slots__ = ()


class MapList(list[Any]):
    """A list of x-kubernetes-list-type map: items are found by their keys, and their order does not matter."""

    __slots__ = ("keys",)

    def __init__(self, items: list[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def key_of(self, item: Any) -> tuple[Any, ...]:
        return tuple(item.get(key) for key in self.keys) if isinstance(item, dict) else ()


def decimal(number: int, unit: int) -> str:
    """`number` of `unit` as Go prints it: 1.5, -0.25, 3."""
    sign = "-" if number < 0 else ""
    whole, rest = divmod(abs(number), unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
