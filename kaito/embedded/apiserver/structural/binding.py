"""Values of custom resources as rules see them (k8s.io/apiserver/pkg/cel/common/values.go)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.cel.library import times
from kaito.embedded.apiserver.structural.cel.values import Duration, MapList, SetList
from kaito.embedded.apiserver.structural.durations import parse_duration
from kaito.embedded.apiserver.structural.naming import escape
from kaito.embedded.apiserver.structural.schema import Node


def bound(node: Node, value: Any) -> Any:
    """The value with its times, durations, bytes and doubles typed, and its members under names that CEL can say.

    What no schema describes is not seen.
    """
    if value is None or node.int_or_string:
        return value
    if isinstance(value, dict):
        return _object(node, value)
    if isinstance(value, list):
        return _list(node, value)
    if isinstance(value, str) and node.format:
        return _text(node.format, value)
    if node.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if node.type == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _object(node: Node, value: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, item in value.items():
        child = node.properties.get(key)
        if child is not None and not (node.is_resource and key == "metadata"):
            seen[escape(key) or key] = bound(child, item)
        elif node.additional is not None:
            seen[key] = bound(node.additional, item)
        elif node.is_resource and key in ("apiVersion", "kind"):
            seen[key] = item
        elif node.is_resource and key == "metadata" and isinstance(item, dict):
            seen[key] = {name: item[name] for name in ("name", "generateName") if name in item}
    return seen


def _list(node: Node, value: list[Any]) -> list[Any]:
    items = [bound(node.items, item) for item in value] if node.items is not None else value
    if node.list_type == "set":
        return SetList(items)
    if node.list_type == "map":
        return MapList(items, tuple(escape(key) or key for key in node.list_keys))
    return items


def _text(name: str, value: str) -> Any:
    try:
        match name:
            case "date-time":
                return times.timestamp(value.replace(" ", "T").upper())
            case "date":
                return times.timestamp(f"{value}T00:00:00Z")
            case "duration":
                found = parse_duration(value)
                return value if found is None else Duration(found)
            case "byte":
                return base64.b64decode(value, validate=True)
    except (EvaluationError, binascii.Error):
        return value
    return value
