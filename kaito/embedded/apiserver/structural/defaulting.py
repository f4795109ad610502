"""Defaults and nulls of custom resources (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting)."""

from __future__ import annotations

import copy
from typing import Any

from kaito.embedded.apiserver.structural.schema import ABSENT, Node


def apply_defaults(node: Node, value: Any) -> None:
    """Fills in defaults in place: for members that are absent, and for nulls that may not be null."""
    if isinstance(value, dict):
        for key, child in node.properties.items():
            if child.default is not ABSENT and (key not in value or (value[key] is None and not child.nullable)):
                value[key] = copy.deepcopy(child.default)
            if key in value:
                apply_defaults(child, value[key])
        if node.additional is not None:
            for key in value:
                if key not in node.properties:
                    _replace_null(node.additional, value, key)
                    apply_defaults(node.additional, value[key])
    elif isinstance(value, list) and node.items is not None:
        for index in range(len(value)):
            _replace_null(node.items, value, index)
            apply_defaults(node.items, value[index])


def _replace_null(node: Node, holder: Any, key: Any) -> None:
    if holder[key] is None and not node.nullable and node.default is not ABSENT:
        holder[key] = copy.deepcopy(node.default)


def drop_nulls(node: Node, value: Any) -> None:
    """Removes, in place, members that are null though their schema does not allow it. List items stay."""
    if isinstance(value, dict):
        for key in [key for key, item in value.items() if item is None]:
            child = node.child(key)
            if child is not None and not child.nullable:
                del value[key]
        for key, item in value.items():
            child = node.child(key)
            if child is not None and item is not None:
                drop_nulls(child, item)
    elif isinstance(value, list) and node.items is not None:
        for item in value:
            drop_nulls(node.items, item)
