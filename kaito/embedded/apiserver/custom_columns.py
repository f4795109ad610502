"""Printer columns of custom resources: JSON paths (the kubectl dialect) to Table cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kaito.embedded.apiserver.store import Object

_NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_AGE_DESCRIPTION = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
NAME_COLUMN = {"name": "Name", "type": "string", "format": "name", "description": _NAME_DESCRIPTION, "priority": 0}
AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": _AGE_DESCRIPTION}
_TOKEN = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)      # .field with \. for dots
      | \[\?\(@(?P<filter>(?:\.(?:\\.|[^.=!<>\s\[\]])+)+)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^)\s]+)\)\]
      | \[['"](?P<quoted>[^'"]*)['"]\]
      | \[(?P<index>-?\d+|\*)\]""",
    re.VERBOSE,
)


class JsonPath:
    """A compiled path. `find` returns every value it leads to."""

    def __init__(self, path: str) -> None:
        """Raises ValueError for a path outside the supported dialect."""
        text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
        self._steps: list[re.Match[str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"cannot read the path {path!r} from {text[position:]!r} on")
            self._steps.append(match)
            position = match.end()

    def find(self, obj: Any) -> list[Any]:
        found = [obj]
        for step in self._steps:
            found = [value for parent in found for value in _step(parent, step)]
        return found


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _step(parent: Any, step: re.Match[str]) -> list[Any]:
    name = step["name"] if step["name"] is not None else step["quoted"]
    if name is not None:
        if name == "*" and isinstance(parent, (dict, list)):
            return list(parent.values()) if isinstance(parent, dict) else list(parent)
        key = _unescape(name)
        return [parent[key]] if isinstance(parent, dict) and key in parent else []
    if step["filter"] is not None:
        return _filtered(parent, step)
    if not isinstance(parent, list):
        return []
    if step["index"] == "*":
        return list(parent)
    index = int(step["index"])
    return [parent[index]] if -len(parent) <= index < len(parent) else []


def _filtered(parent: Any, step: re.Match[str]) -> list[Any]:
    if not isinstance(parent, list):
        return []
    raw = step["value"]
    wanted = raw[1:-1] if raw[:1] in "\"'" else raw
    path = JsonPath(step["filter"])
    equal = step["op"] == "=="
    out = []
    for item in parent:
        values = [_text(value) for value in path.find(item)]
        if values and (wanted in values) is equal:
            out.append(item)
    return out


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class PrinterColumns:
    """additionalPrinterColumns of one version; Name comes first, Age alone where nothing is declared."""

    def __init__(self, columns: Sequence[Mapping[str, Any]] | None) -> None:
        declared = list(columns) if columns else [AGE]
        self.definitions: list[dict[str, Any]] = [NAME_COLUMN]
        self._cells: list[tuple[str, JsonPath]] = []
        for column in declared:
            description = column.get("description")
            if description is None:
                description = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
            self.definitions.append(
                {
                    "name": column["name"],
                    "type": column["type"],
                    "format": column.get("format", ""),
                    "description": description,
                    "priority": column.get("priority", 0),
                }
            )
            self._cells.append((column["type"], JsonPath(column["jsonPath"])))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [obj["metadata"]["name"], *(_cell(kind, path.find(obj), now) for kind, path in self._cells)]


def _cell(kind: str, found: list[Any], now: datetime) -> Any:
    if not found or found[0] is None:
        return None
    value = found[0]
    if kind == "integer":
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if kind == "number":
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "string":
        return " ".join(_printed(item) for item in found) if len(found) > 1 else _printed(value)
    if kind == "date":
        return _age(value, now)
    return None


def _printed(value: Any) -> str:
    """As Go's template printing does it: maps and lists as JSON."""
    if isinstance(value, (dict, list)):
        import orjson

        return orjson.dumps(value).decode()
    return _text(value)


def _age(value: Any, now: datetime) -> str:
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        return "<unknown>"
    return human_duration((now - moment).total_seconds())


def human_duration(total: float) -> str:
    """duration.HumanDuration: three significant places at most, 2d23h rather than 71h."""
    seconds = int(total)
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        rest = seconds % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        rest = hours % 24
        return f"{hours // 24}d{rest}h" if rest else f"{hours // 24}d"
    days = hours // 24
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        years, rest = days // 365, days % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{days // 365}y"
