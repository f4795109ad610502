"""Checks of a CRD's `openAPIV3Schema`: it must be structural, and its rules must be ones this server can run."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural import validation
from kaito.embedded.apiserver.structural.rule_checks import RuleChecks
from kaito.embedded.apiserver.structural.schema import compile_node, go_pattern

Json = dict[str, Any]
TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
UNSUPPORTED: Final = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "deprecated")
# What may stand below allOf, anyOf, oneOf and not: checks of values only.
STRUCTURE: Final = (
    "type", "description", "title", "default", "additionalProperties", "nullable",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
)  # fmt: skip


def check_schema(schema: Json, path: str) -> list[Cause]:
    """Everything wrong with the root schema of a version."""
    causes = _check_node(schema, path)
    if "type" not in schema or not schema["type"]:
        causes.append(required(f"{path}.type", "must not be empty at the root"))
    elif schema["type"] != "object":
        causes.append(invalid(f"{path}.type", schema["type"], "must be object at the root"))
    metadata = (schema.get("properties") or {}).get("metadata")
    if metadata is not None and set(metadata.get("properties") or ()) - {"name", "generateName"}:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        causes.append(forbidden(f"{path}.properties[metadata]", detail))
    rules = RuleChecks()
    causes += rules.texts(schema, path)
    return causes or rules.expressions(schema, path)


def _check_node(schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for keyword in UNSUPPORTED:
        if schema.get(keyword):
            causes.append(forbidden(f"{path}.{keyword}", f"{keyword} is not supported"))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.append(forbidden(f"{path}.uniqueItems", detail))
    kind = schema.get("type", "")
    if kind and kind not in TYPES:
        causes.append(not_supported(f"{path}.type", kind, TYPES))
    if pattern := schema.get("pattern"):
        causes += _check_pattern(pattern, f"{path}.pattern")
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        field = f"{path}.x-kubernetes-preserve-unknown-fields"
        causes.append(invalid(field, False, "must be true or undefined"))
    causes += _check_lists(schema, path)
    causes += _check_children(schema, path)
    if "default" in schema and not causes:
        causes += _check_default(schema, f"{path}.default")
    return causes


def _check_pattern(pattern: str, path: str) -> list[Cause]:
    try:
        go_pattern(pattern)
    except ValueError as error:
        return [invalid(path, pattern, f"must be a valid regular expression, but isn't: {error}")]
    return []


def _check_children(schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    kind = schema.get("type", "")
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    if properties and additional not in (None, False):
        detail = "additionalProperties and properties are mutual exclusive"
        causes.append(forbidden(f"{path}.additionalProperties", detail))
    if kind == "array" and not isinstance(schema.get("items"), dict):
        causes.append(required(f"{path}.items", "must be specified"))
    closed = not properties and not schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("x-kubernetes-embedded-resource") and closed:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        causes.append(required(f"{path}.properties", detail))
    for name, child in properties.items():
        causes += _check_typed(child, f"{path}.properties[{name}]", "specified object fields")
    if isinstance(additional, dict):
        causes += _check_typed(additional, f"{path}.additionalProperties", "specified object fields")
    if isinstance(schema.get("items"), dict):
        causes += _check_typed(schema["items"], f"{path}.items", "specified array items")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(schema.get(keyword) or ()):
            causes += _check_value_part(part, schema, f"{path}.{keyword}[{index}]")
    if isinstance(schema.get("not"), dict):
        causes += _check_value_part(schema["not"], schema, f"{path}.not")
    return causes


def _check_typed(schema: Json, path: str, what: str) -> list[Cause]:
    causes = _check_node(schema, path)
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not free and not schema.get("$ref"):
        causes.append(required(f"{path}.type", f"must not be empty for {what}"))
    return causes


def _check_value_part(part: Json, whole: Json, path: str) -> list[Cause]:
    """Below a combination only values are checked; structure belongs to the schema itself."""
    causes: list[Cause] = []
    int_or_string = whole.get("x-kubernetes-int-or-string") and part.get("type") in ("integer", "string")
    for keyword in STRUCTURE:
        if part.get(keyword) and not (keyword == "type" and int_or_string):
            causes.append(forbidden(f"{path}.{keyword}", "must be empty to be structural"))
    for name, child in (part.get("properties") or {}).items():
        causes += _check_value_part(child, {}, f"{path}.properties[{name}]")
    if isinstance(part.get("items"), dict):
        causes += _check_value_part(part["items"], {}, f"{path}.items")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(part.get(keyword) or ()):
            causes += _check_value_part(inner, whole, f"{path}.{keyword}[{index}]")
    if isinstance(part.get("not"), dict):
        causes += _check_value_part(part["not"], whole, f"{path}.not")
    return causes


def _check_lists(schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    kind, items = schema.get("x-kubernetes-list-type"), schema.get("items") or {}
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if kind is None:
        return causes
    if kind not in ("atomic", "set", "map"):
        causes.append(not_supported(f"{path}.x-kubernetes-list-type", kind, ("atomic", "map", "set")))
    if schema.get("type") != "array":
        detail = "must be array if x-kubernetes-list-type is specified"
        causes.append(invalid(f"{path}.type", schema.get("type", ""), detail))
        return causes
    if kind == "set" and items.get("type") in ("object", "array"):
        mark = "x-kubernetes-map-type" if items["type"] == "object" else "x-kubernetes-list-type"
        if items.get(mark) != "atomic":
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            causes.append(invalid(f"{path}.items.{mark}", items.get(mark), detail))
    if kind == "map":
        if not keys:
            detail = "must not be empty if x-kubernetes-list-type is map"
            causes.append(required(f"{path}.x-kubernetes-list-map-keys", detail))
        if items.get("type") != "object":
            detail = "must be object if parent array's x-kubernetes-list-type is map"
            causes.append(invalid(f"{path}.items.type", items.get("type", ""), detail))
        for key in keys:
            found = (items.get("properties") or {}).get(key)
            if found is not None and key not in (items.get("required") or ()) and "default" not in found:
                detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required "
                detail += "property"
                causes.append(required(f"{path}.items.properties[{key}].default", detail))
    return causes


def _check_default(schema: Json, path: str) -> list[Cause]:
    found = validation.check(compile_node({**schema, "default": None}), schema["default"], "")
    return [
        Cause(path if cause.field in ("", "<nil>") else f"{path}.{cause.field}", cause.message, cause.reason)
        for cause in found
    ]
