"""Pruning of custom resources: members that no schema knows (apiextensions-apiserver's schema/pruning)."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.schemas.decoding import DecodeError, decode_metadata
from kaito.embedded.apiserver.structural.schema import Node, member_path

RESOURCE_KEYS: Final = ("apiVersion", "kind", "metadata")


def prune(node: Node, value: Any, *, is_resource: bool, metadata: bool = True) -> list[str]:
    """Removes unknown members in place; returns their paths, sorted, those in metadata last.

    `is_resource`: the root keeps apiVersion and so on; `metadata`: the metadata of embedded resources is read too.
    """
    unknown: list[str] = []
    _prune(node, value, "", unknown, is_resource=is_resource, metadata=metadata)
    inside = [path for path in unknown if ".metadata." in path]
    return [*sorted(path for path in unknown if path not in inside), *sorted(inside)]


def _prune(
    node: Node, value: Any, path: str, unknown: list[str], *, is_resource: bool, metadata: bool, where: str = ""
) -> None:
    """`where` is the path as errors of metadata write it: members of maps in brackets."""
    if isinstance(value, dict):
        for key in list(value):
            child = node.properties.get(key)
            if is_resource and key in RESOURCE_KEYS and (child is None or key == "metadata"):
                if key == "metadata" and path and metadata:
                    _prune_metadata(value, f"{where}.metadata", unknown)
                continue
            child = child or node.additional
            here = f"{path}.{key}" if path else key
            if child is not None:
                place = member_path(node, where, key)
                resource = child.embedded
                _prune(child, value[key], here, unknown, is_resource=resource, metadata=metadata, where=place)
            elif node.preserve or node.allows_additional:
                continue
            else:
                unknown.append(here)
                del value[key]
    elif isinstance(value, list) and node.items is not None:
        resource = node.items.embedded
        for index, item in enumerate(value):
            here, place = f"{path}[{index}]", f"{where}[{index}]"
            _prune(node.items, item, here, unknown, is_resource=resource, metadata=metadata, where=place)


def coerce(node: Node, value: Any, *, is_resource: bool) -> None:
    """Removes, in place, what the metadata of embedded resources does not know."""
    if isinstance(value, dict):
        if is_resource and "metadata" in value:
            _prune_metadata(value, "", [])
        for key, item in value.items():
            if (child := node.child(key)) is not None:
                coerce(child, item, is_resource=child.embedded)
    elif isinstance(value, list) and node.items is not None:
        for item in value:
            coerce(node.items, item, is_resource=node.items.embedded)


def _prune_metadata(holder: dict[str, Any], path: str, unknown: list[str]) -> None:
    """Embedded objects' metadata has the built-in type; a wrong one is left to validation."""
    if not isinstance(holder["metadata"], dict):
        return
    try:
        decoded = decode_metadata({"metadata": holder["metadata"]})
    except DecodeError:
        return
    holder["metadata"] = decoded.object["metadata"]
    prefix = 'unknown field "metadata'
    unknown.extend(f"{path}{remark[len(prefix) : -1]}" for remark in decoded.unknown)
