"""Whether the defaults in a schema fit it (apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go)."""

from __future__ import annotations

import copy
from typing import Any

from kaito.embedded.apiserver.kinds.causes import invalid
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas.decoding import in_order
from kaito.embedded.apiserver.structural import embedded, pruning, validation
from kaito.embedded.apiserver.structural.numbers import with_go_numbers
from kaito.embedded.apiserver.structural.schema import Node, compile_node
from kaito.embedded.apiserver.structural.validation import same

Json = dict[str, Any]


def check_defaults(schema: Json, path: str) -> list[Cause]:
    """Everything wrong with the defaults of a structural schema; `path` is that of the root."""
    return _check(compile_node(schema, is_resource=True, all_formats=True), schema, path)


def _check(node: Node, schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if schema.get("default") is not None:
        causes += _check_default(node, schema["default"], f"{path}.default")
    if node.items is not None:
        causes += _check(node.items, schema["items"], f"{path}.items")
    for name, child in node.properties.items():
        if node.is_resource and name in pruning.RESOURCE_KEYS:
            continue  # forbidden or described elsewhere
        causes += _check(child, schema["properties"][name], f"{path}.properties[{name}]")
    return causes


def _check_default(node: Node, default: Any, path: str) -> list[Cause]:
    """As on the real server, metadata of embedded resources loses here, in place, what it does not know."""
    causes: list[Cause] = []
    pruned = copy.deepcopy(default)
    pruning.prune(node, pruned, is_resource=node.is_resource, metadata=False)
    wrong = isinstance(default, (dict, list)) and not same(pruned, default)
    pruning.coerce(node, default, is_resource=node.is_resource)
    if wrong:
        causes.append(invalid(path, in_order(default), "must not have unknown fields"))
    found = embedded.check(node, default, "", is_resource=node.is_resource)
    if found:
        return causes + [_below(path, cause, "" if cause.field.startswith("[") else ".") for cause in found]
    checked = with_go_numbers([copy.deepcopy(default)])[0]
    return causes + [_below(path, cause, ".") for cause in validation.check(node, checked, "")]


def _below(path: str, cause: Cause, joint: str) -> Cause:
    where = cause.field.removeprefix(".")
    inside = where not in ("", "<nil>")
    return Cause(f"{path}{joint}{where}" if inside else path, cause.message, cause.reason)
