"""Embedded resources inside custom ones: x-kubernetes-embedded-resource (apiextensions' schema/objectmeta)."""

from __future__ import annotations

from typing import Any

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import invalid, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.object_meta import check_embedded_metadata
from kaito.embedded.apiserver.schemas.decoding import DecodeError, decode_metadata, in_order
from kaito.embedded.apiserver.structural.schema import Node, member_path


def check(node: Node, value: Any, path: str, *, is_resource: bool = False) -> list[Cause]:
    """An embedded resource needs apiVersion, kind and well-formed metadata. `is_resource`: so does the value itself."""
    if not (is_resource or node.any_embedded):
        return []
    causes: list[Cause] = []
    if isinstance(value, dict):
        if node.embedded or is_resource:
            causes += _check_resource(value, f"{path}." if path else "")
        for key in sorted(value):
            child = node.child(key)
            if child is not None:
                causes += check(child, value[key], member_path(node, path, key))
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            causes += check(node.items, item, f"{path}[{index}]")
    return causes


def _check_resource(value: dict[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key in ("apiVersion", "kind"):
        if key not in value:
            causes.append(required(f"{path}{key}"))
        elif value[key] == "":
            causes.append(invalid(f"{path}{key}", "", "must not be empty"))
        elif not isinstance(value[key], str):
            causes.append(invalid(f"{path}{key}", value[key], "must be a string"))
    version, kind = value.get("apiVersion"), value.get("kind")
    if isinstance(version, str) and version.count("/") > 1:
        causes.append(invalid(f"{path}apiVersion", version, f"unexpected GroupVersion string: {version}"))
    if isinstance(kind, str) and kind:
        words = "may have mixed case, but should otherwise match: "
        causes += [invalid(f"{path}kind", kind, words + wrong) for wrong in names.label_1035(kind.lower())]
    if "metadata" in value:
        causes += _check_metadata(value["metadata"], f"{path}metadata")
    return causes


def _check_metadata(metadata: Any, path: str) -> list[Cause]:
    try:
        decode_metadata({"metadata": metadata})
    except DecodeError as problem:
        return [invalid(path, in_order(metadata), str(problem).replace("metadata.", ""))]
    return check_embedded_metadata(metadata, path) if isinstance(metadata, dict) else []
