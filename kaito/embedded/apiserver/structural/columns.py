"""Printer columns of custom resources (apiextensions-apiserver's tableconvertor)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Column
from kaito.embedded.apiserver.kinds.printing.text import age
from kaito.embedded.apiserver.structural import jsonpath

Json = dict[str, Any]
NAME_DESCRIPTION: Final = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
AGE_DESCRIPTION: Final = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
DEFAULT: Final[tuple[Json, ...]] = (
    {"name": "Age", "type": "date", "description": AGE_DESCRIPTION, "jsonPath": ".metadata.creationTimestamp"},
)


class PrinterColumns:
    """The columns of one CRD version. `additional` is its additionalPrinterColumns; empty means just Age.

    Raises jsonpath.PathError for a path that cannot be parsed.
    """

    def __init__(self, additional: list[Json] | None) -> None:
        self._specs = list(additional or DEFAULT)
        self._paths = [jsonpath.parse(spec["jsonPath"]) for spec in self._specs]
        self.columns: tuple[Column, ...] = (
            Column("Name", "string", "name", NAME_DESCRIPTION),
            *(
                Column(
                    spec["name"],
                    spec["type"],
                    spec.get("format", ""),
                    spec.get("description") or _described(spec["jsonPath"]),
                    spec.get("priority", 0),
                )
                for spec in self._specs
            ),
        )

    def row(self, obj: Json, now: datetime) -> list[Any]:
        """One cell per column; null where the path leads nowhere or to another type than the column's."""
        cells: list[Any] = [obj.get("metadata", {}).get("name", "")]
        for spec, path in zip(self._specs, self._paths, strict=True):
            found = path.find(obj)
            cells.append(_cell(spec["type"], found[0], now) if found and found[0] is not None else None)
        return cells


def _described(path: str) -> str:
    return f"Custom resource definition column (in JSONPath format): {path}"


def _cell(kind: str, value: Any, now: datetime) -> Any:
    match kind:
        case "integer":
            return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case "number":
            return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return age(value, now) if isinstance(value, str) else None
        case _:
            return value if isinstance(value, str) else _printed(value)


def _printed(value: Any) -> str:
    """As JSONPath's printer writes it: numbers and booleans plain, lists and objects as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
