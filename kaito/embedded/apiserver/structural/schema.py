"""Structural schemas of custom resources, compiled once per CRD version.

`compile_schema` turns an `openAPIV3Schema` into a tree of nodes; StructuralSchema offers what the API server does
with an object: prune, default, validate. All of it is pure; nothing but patterns is cached outside the compiled tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

Json = dict[str, Any]
ABSENT: Final = object()


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


def compile_node(schema: Json, *, is_resource: bool = False) -> Node:
    """Compiles one schema and what is below it. Raises ValueError for a pattern that cannot be compiled."""
    additional = schema.get("additionalProperties")
    node = Node(
        type=schema.get("type", ""),
        nullable=bool(schema.get("nullable")),
        default=schema.get("default", ABSENT),
        properties={key: compile_node(value) for key, value in (schema.get("properties") or {}).items()},
        additional=compile_node(additional) if isinstance(additional, dict) else None,
        allows_additional=additional is True or isinstance(additional, dict),
        items=compile_node(schema["items"]) if isinstance(schema.get("items"), dict) else None,
        required=tuple(schema.get("required") or ()),
        enum=tuple(schema["enum"]) if schema.get("enum") else None,
        format=schema.get("format", ""),
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
        all_of=tuple(compile_node(item) for item in schema.get("allOf") or ()),
        any_of=tuple(compile_node(item) for item in schema.get("anyOf") or ()),
        one_of=tuple(compile_node(item) for item in schema.get("oneOf") or ()),
        negated=compile_node(schema["not"]) if schema.get("not") else None,
        int_or_string=bool(schema.get("x-kubernetes-int-or-string")),
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


@lru_cache(maxsize=1024)
def go_pattern(pattern: str) -> re.Pattern[str]:
    """An RE2 pattern as a Python one: `$` is the very end of the text, `\\z` likewise. Raises ValueError."""
    out, in_class, at = [], False, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            pair = pattern[at : at + 2]
            out.append({"\\z": "\\Z"}.get(pair, pair))
            at += 2
            continue
        if char == "[" and not in_class:
            in_class = True
        elif char == "[" and pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
            out.append(POSIX_CLASSES.get(pattern[at + 2 : end], pattern[at : end + 2]))
            at = end + 2
            continue
        elif char == "]" and in_class and out[-1] not in ("[", "[^"):
            in_class = False
        elif char == "$" and not in_class:
            char = "\\Z"
        out.append(char)
        at += 1
    try:
        return re.compile("".join(out))
    except re.error as error:
        reason = "missing closing )" if "unterminated subpattern" in error.msg else error.msg
        raise ValueError(f"error parsing regexp: {reason}: `{pattern}`") from error


POSIX_CLASSES: Final = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f", "word": r"\w",
}  # fmt: skip
