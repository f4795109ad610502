"""Events in container logs: the `key=value` or JSON lines that kaito-runtime prints."""

from __future__ import annotations

import json
import shlex
from typing import Any


def parse_event(line: str) -> dict[str, Any] | None:
    """The fields of a line that reports an event, all as text where it is `key=value`; None for any other line."""
    line = line.strip()
    if line.startswith("{"):
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            return None
        return fields if isinstance(fields, dict) and isinstance(fields.get("event"), str) else None
    if "event=" not in line:
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    return pairs if "event" in pairs else None
