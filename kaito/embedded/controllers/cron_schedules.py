"""Cron schedules as CronJobs take them: five fields, names, steps and the `@` shorthands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SEARCH_DAYS = 366 * 5
"""How far ahead a next time is looked for; a schedule such as 30 February never comes."""


@dataclass(frozen=True)
class Schedule:
    """The minutes at which a schedule strikes."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def next_after(self, moment: datetime) -> datetime | None:
        """The first strike after a moment, in the moment's own time zone; None when there is none in five years."""
        candidate = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = candidate.replace(hour=0, minute=0)
        for _ in range(_SEARCH_DAYS):
            if self._on(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        strike = day.replace(hour=hour, minute=minute)
                        if strike >= candidate:
                            return strike
            day += timedelta(days=1)
        return None

    def _on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        # Cron's rule: two restricted day fields are alternatives.
        return in_month and in_week if self.any_day or self.any_weekday else in_month or in_week


def parse_schedule(text: str) -> Schedule:
    """A schedule from its text; ValueError names the field that cannot be read."""
    fields = _SHORTHANDS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} has {len(fields)} fields; a schedule has five: minute hour day month weekday")
    minutes, hours, days, months, weekdays = fields
    return Schedule(
        minutes=_field(minutes, 0, 59, {}, text),
        hours=_field(hours, 0, 23, {}, text),
        days=_field(days, 1, 31, {}, text),
        months=_field(months, 1, 12, _MONTHS, text),
        weekdays=frozenset(day % 7 for day in _field(weekdays, 0, 7, _DAYS, text)),
        any_day=days.startswith(("*", "?")),
        any_weekday=weekdays.startswith(("*", "?")),
    )


def _field(text: str, low: int, high: int, names: dict[str, int], whole: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        try:
            stride = int(step) if step else 1
            if span in ("*", "?"):
                first, last = low, high
            else:
                start, dash, end = span.partition("-")
                first = names[start] if start in names else int(start)
                last = (names[end] if end in names else int(end)) if dash else (high if step else first)
        except ValueError:
            raise ValueError(f"{part!r} in the schedule {whole!r} cannot be read") from None
        if stride < 1 or not low <= first <= last <= high:
            raise ValueError(f"{part!r} in the schedule {whole!r} is out of range {low}-{high}")
        found.update(range(first, last + 1, stride))
    return frozenset(found)
