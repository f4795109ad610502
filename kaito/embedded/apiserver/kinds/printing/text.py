"""How kubectl's tables write durations, selectors and lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.schemas import times

Json = dict[str, Any]
NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"
UNSET: Final = "<unset>"
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "", "DoesNotExist": "!"}


def age(timestamp: str | None, now: datetime) -> str:
    """Time since an RFC 3339 timestamp in at most two units; `<unknown>` where there is none."""
    if not timestamp:
        return UNKNOWN
    try:
        then = times.parse(timestamp)
    except times.TimeError:
        return "<invalid>"
    return human_duration((now - then).total_seconds())


def human_duration(seconds: float) -> str:
    """k8s.io/apimachinery/pkg/util/duration.HumanDuration of a number of seconds."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 10 * MINUTE:
        return _two(whole // MINUTE, "m", whole % MINUTE, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole // HOUR, "h", whole // MINUTE % 60, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole // DAY, "d", whole // HOUR % 24, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    if whole < 8 * YEAR:
        return _two(whole // YEAR, "y", whole // DAY % 365, "d")
    return f"{whole // YEAR}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def created(obj: Json) -> str | None:
    timestamp: str | None = obj.get("metadata", {}).get("creationTimestamp")
    return timestamp


def name(obj: Json) -> str:
    return str(obj.get("metadata", {}).get("name", ""))


def labels(pairs: Json | None) -> str:
    """`a=b,c=d` in key order, `<none>` when empty."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or NONE


def selector(value: Json | None) -> str:
    """A label selector as its string form; `<none>` when it selects everything or is absent."""
    if not value:
        return NONE
    parts = [(key, f"{key}={item}") for key, item in (value.get("matchLabels") or {}).items()]
    for expression in value.get("matchExpressions") or ():
        key, operator = expression.get("key", ""), OPERATORS.get(expression.get("operator", ""), "")
        if operator in ("in", "notin"):
            text = f"{key} {operator} ({','.join(sorted(expression.get('values') or ()))})"
        else:
            text = f"{operator}{key}"
        parts.append((key, text))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0])) or NONE


def containers(template: Json | None) -> tuple[str, str]:
    """(names, images) of a pod template's containers, comma separated."""
    found = ((template or {}).get("spec") or {}).get("containers") or ()
    return ",".join(c.get("name", "") for c in found), ",".join(c.get("image", "") for c in found)


def pointer_bool(value: bool | None) -> str:
    return UNSET if value is None else str(value)
