"""Structural schemas of custom resources, compiled once per CRD version.

`compile_schema` turns an `openAPIV3Schema` into a tree of nodes; StructuralSchema offers what the API server does
with an object: prune, default, validate. All of it is pure; nothing but patterns is cached outside the compiled tree.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any, Final

from kaito.embedded.apiserver.structural.patterns import go_pattern

Json = dict[str, Any]
ABSENT: Final = object()
SERVED_FORMATS: Final = frozenset(
    (
        *("bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5"),
        *("isbn", "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor", "byte", "password", "date"),
        *("duration", "date-time", "datetime"),
    )
)
"""The formats that custom resources are checked for (apiextensions-apiserver/pkg/apiserver/validation/formats.go)."""


@dataclass(slots=True, eq=False)
class Rule:
    """One entry of x-kubernetes-validations."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = "FieldValueInvalid"
    field_path: str = ""
    optional_old_self: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """One schema: its type, children and value checks. `types` is what a type error prints: `integer,string`."""

    type: str = ""
    nullable: bool = False
    default: Any = ABSENT
    properties: dict[str, Node] = field(default_factory=dict)
    additional: Node | None = None
    allows_additional: bool = False
    items: Node | None = None
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] | None = None
    format: str = ""
    pattern: str = ""
    matcher: re.Pattern[str] | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    min_properties: int | None = None
    max_properties: int | None = None
    all_of: tuple[Node, ...] = ()
    any_of: tuple[Node, ...] = ()
    one_of: tuple[Node, ...] = ()
    negated: Node | None = None
    int_or_string: bool = False
    preserve: bool = False
    embedded: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""
    rules: tuple[Rule, ...] = ()
    source: Json = field(default_factory=dict)
    """The schema itself, where it has rules: their types come from it."""
    is_resource: bool = False
    programs: Any = None
    """The rules compiled, once they have been evaluated."""
    # What lies in the subtree, so that walks can skip it.
    any_rules: bool = False
    any_lists: bool = False
    any_embedded: bool = False

    def child(self, key: str) -> Node | None:
        """The schema of an object member: its property, or that of additional members."""
        return self.properties.get(key) or self.additional


def compile_node(schema: Json, *, is_resource: bool = False, all_formats: bool = False) -> Node:
    """Compiles one schema and what is below it. Raises ValueError for a pattern that cannot be compiled.

    `all_formats`: formats that objects are not held to are kept, as checks of defaults want them.
    """
    nested = functools.partial(compile_node, all_formats=all_formats)
    form = schema.get("format", "")
    additional = schema.get("additionalProperties")
    node = Node(
        type=schema.get("type", ""),
        nullable=bool(schema.get("nullable")),
        default=schema.get("default", ABSENT),
        properties={key: nested(value) for key, value in (schema.get("properties") or {}).items()},
        additional=nested(additional) if isinstance(additional, dict) else None,
        allows_additional=additional is True or isinstance(additional, dict),
        items=nested(schema["items"]) if isinstance(schema.get("items"), dict) else None,
        required=tuple(schema.get("required") or ()),
        enum=tuple(schema["enum"]) if schema.get("enum") else None,
        format=form if all_formats or form in SERVED_FORMATS else "",
        pattern=schema.get("pattern", ""),
        matcher=go_pattern(schema["pattern"]) if schema.get("pattern") else None,
        min_length=schema.get("minLength"),
        max_length=schema.get("maxLength"),
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        exclusive_minimum=bool(schema.get("exclusiveMinimum")),
        exclusive_maximum=bool(schema.get("exclusiveMaximum")),
        multiple_of=schema.get("multipleOf"),
        min_items=schema.get("minItems"),
        max_items=schema.get("maxItems"),
        min_properties=schema.get("minProperties"),
        max_properties=schema.get("maxProperties"),
        all_of=tuple(nested(item) for item in schema.get("allOf") or ()),
        any_of=tuple(nested(item) for item in schema.get("anyOf") or ()),
        one_of=tuple(nested(item) for item in schema.get("oneOf") or ()),
        negated=nested(schema["not"]) if schema.get("not") else None,
        # For the real server's checks of defaults such a schema has no type.
        int_or_string=bool(schema.get("x-kubernetes-int-or-string")) and not all_formats,
        preserve=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        embedded=bool(schema.get("x-kubernetes-embedded-resource")),
        list_type=schema.get("x-kubernetes-list-type", ""),
        list_keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        map_type=schema.get("x-kubernetes-map-type", ""),
        rules=tuple(compile_rule(rule) for rule in schema.get("x-kubernetes-validations") or ()),
        source=schema if schema.get("x-kubernetes-validations") else {},
        is_resource=is_resource or bool(schema.get("x-kubernetes-embedded-resource")),
    )
    children = [*node.properties.values(), *filter(None, (node.additional, node.items))]
    node.any_rules = bool(node.rules) or any(child.any_rules for child in children)
    node.any_lists = node.list_type in ("set", "map") or any(child.any_lists for child in children)
    node.any_embedded = node.embedded or any(child.any_embedded for child in children)
    return node


def compile_rule(rule: Json) -> Rule:
    return Rule(
        rule=rule.get("rule", ""),
        message=rule.get("message", ""),
        message_expression=rule.get("messageExpression", ""),
        reason=rule.get("reason") or "FieldValueInvalid",
        field_path=rule.get("fieldPath", ""),
        optional_old_self=bool(rule.get("optionalOldSelf")),
    )


def member_path(node: Node, path: str, key: str) -> str:
    """The path of a member: `.key` for a property, `[key]` for one of a map."""
    if key in node.properties or node.additional is None:
        return f"{path}.{key}" if path else key
    return f"{path}[{key}]"
