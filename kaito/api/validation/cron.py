"""Cron expressions as `robfig/cron`'s standard parser reads them, with its words for what is wrong."""

from __future__ import annotations

import re
import zoneinfo

_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_DESCRIPTORS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_DURATION = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")


class CronError(ValueError):
    """Not a cron expression; the message is robfig's."""


def check_schedule(text: str) -> None:
    """Raise CronError unless `text` is five fields, a descriptor, or `@every <duration>`, perhaps after a time zone."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, text = text.partition("=")[2].partition(" ")
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise CronError(f"provided bad location {zone}: unknown time zone {zone}") from error
        text = text.strip()
    if text.startswith("@"):
        _check_descriptor(text)
        return
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, (lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            _check_range(part, lowest, highest, names)


def _check_descriptor(text: str) -> None:
    if text in _DESCRIPTORS:
        return
    every = "@every "
    if not text.startswith(every):
        raise CronError(f"unrecognized descriptor: {text}")
    if not _DURATION.fullmatch(text[len(every) :]):
        raise CronError(f'failed to parse duration {text}: time: invalid duration "{text[len(every) :]}"')


def _check_range(text: str, lowest: int, highest: int, names: dict[str, int]) -> None:
    span, *steps = text.split("/")
    start_text, *ends = span.split("-")
    if start_text in {"*", "?"}:
        start, end = lowest, highest
    else:
        start = end = _number(start_text, names)
        if len(ends) == 1:
            end = _number(ends[0], names)
        elif ends:
            raise CronError(f"too many hyphens: {text}")
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not ends and start_text not in {"*", "?"}:
        end = highest
    if start < lowest:
        raise CronError(f"beginning of range ({start}) below minimum ({lowest}): {text}")
    if end > highest:
        raise CronError(f"end of range ({end}) above maximum ({highest}): {text}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise CronError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
