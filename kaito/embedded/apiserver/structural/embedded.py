"""Embedded resources inside custom ones: x-kubernetes-embedded-resource."""

from __future__ import annotations

from typing import Any

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.object_meta import check_embedded_metadata
from kaito.embedded.apiserver.structural.schema import ABSENT, Node
from kaito.embedded.apiserver.structural.validation import same


def check(node: Node, value: Any, path: str, old: Any = ABSENT) -> list[Cause]:
    """An embedded resource needs apiVersion, kind and well-formed metadata."""
    if not node.any_embedded or (old is not ABSENT and same(value, old)):
        return []
    causes: list[Cause] = []
    if isinstance(value, dict):
        if node.embedded:
            for key in ("apiVersion", "kind"):
                if not value.get(key):
                    causes.append(Cause(f"{path}.{key}", "Required value", "FieldValueRequired"))
            if isinstance(value.get("metadata"), dict):
                causes += check_embedded_metadata(value["metadata"], f"{path}.metadata")
        before = old if isinstance(old, dict) else {}
        for key in sorted(value):
            child = node.child(key)
            if child is not None:
                causes += check(child, value[key], f"{path}.{key}" if path else key, before.get(key, ABSENT))
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            causes += check(node.items, item, f"{path}[{index}]")
    return causes
