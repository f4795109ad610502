"""The scale subresource of custom resources: replica counts that a Scale object can hold."""

from __future__ import annotations

import json
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause

Json = dict[str, Any]
LARGEST: Final = 2**31 - 1


def check(scale: Json | None, obj: Json) -> list[Cause]:
    """The counts at the two replica paths must be whole, not negative and fit into 32 bits."""
    causes: list[Cause] = []
    for field in ("specReplicasPath", "statusReplicasPath"):
        path = (scale or {}).get(field, "")
        value = lookup(obj, path) if path else None
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            kind = {bool: "bool", float: "float64", str: "string"}.get(type(value), "map[string]interface {}")
            detail = f"{path} accessor error: {value} is of the type {kind}, expected int64"
            causes.append(Cause(path, f"Invalid value: 0: {detail}"))
        elif value < 0:
            causes.append(Cause(path, f"Invalid value: {json.dumps(value)}: should be a non-negative integer"))
        elif value > LARGEST:
            causes.append(Cause(path, f"Invalid value: {value}: should be less than or equal to {LARGEST}"))
    return causes


def lookup(obj: Any, path: str) -> Any:
    """The value at a plain dotted path (`.spec.replicas`); None where there is none."""
    for part in path.lstrip(".").split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj
