"""The scale subresource of custom resources: replica counts that a Scale object can hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas.go_text import plain, type_name
from kaito.embedded.apiserver.structural.schema import ABSENT

Json = dict[str, Any]
LARGEST: Final = 2**31 - 1
PATHS: Final = ("specReplicasPath", "statusReplicasPath")


def check(scale: Json | None, obj: Json, fields: Sequence[str] = PATHS) -> list[Cause]:
    """The counts at the two replica paths must be whole, not negative and fit into 32 bits."""
    causes: list[Cause] = []
    for field in fields:
        path = (scale or {}).get(field, "")
        if not path:
            continue
        value, problem = lookup(obj, path)
        if problem:
            causes.append(Cause(path, f"Invalid value: 0: {problem}"))
            continue
        if value is ABSENT:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            detail = f"{path} accessor error: {plain(value)} is of the type {type_name(value)}, expected int64"
            causes.append(Cause(path, f"Invalid value: 0: {detail}"))
        elif value < 0:
            causes.append(Cause(path, f"Invalid value: {json.dumps(value)}: should be a non-negative integer"))
        elif value > LARGEST:
            causes.append(Cause(path, f"Invalid value: {value}: should be less than or equal to {LARGEST}"))
    return causes


def lookup(obj: Any, path: str) -> tuple[Any, str]:
    """The value at a plain dotted path (`.spec.replicas`), None ABSENT where there is none; and what is in the way."""
    here = ""
    for part in path.lstrip(".").split("."):
        here += f".{part}"
        if obj is ABSENT or obj is None:
            return ABSENT, ""
        if not isinstance(obj, dict):
            kind = f"{plain(obj)} is of the type {type_name(obj)}"
            return None, f"{here} accessor error: {kind}, expected map[string]interface{{}}"
        obj = obj.get(part, ABSENT)
    return obj, ""
