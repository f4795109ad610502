"""Whether a schema is structural (apiextensions-apiserver/pkg/apiserver/schema/validation.go)."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural.patterns import go_pattern

Json = dict[str, Any]
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
# What may not stand below allOf, anyOf, oneOf and not, and what it must be there instead.
_STRUCTURE: Final = {
    "type": "must be empty",
    "default": "must be undefined",
    "title": "must be empty",
    "description": "must be empty",
    "nullable": "must be false",
    "x-kubernetes-preserve-unknown-fields": "must be false",
    "x-kubernetes-embedded-resource": "must be false",
    "x-kubernetes-int-or-string": "must be false",
    "x-kubernetes-list-map-keys": "must be empty",
    "x-kubernetes-list-type": "must be undefined",
    "x-kubernetes-map-type": "must be undefined",
    "x-kubernetes-validations": "must be empty",
}
_WHERE: Final = {"root": "the root", "item": "specified array items", "field": "specified object fields"}


def check_structure(schema: Json, path: str) -> list[Cause]:
    """What makes the root schema of a version not structural."""
    return _check(schema, path, "root")


def _check(schema: Json, path: str, level: str) -> list[Cause]:
    causes: list[Cause] = []
    items, additional = schema.get("items"), schema.get("additionalProperties")
    properties: Json = schema.get("properties") or {}
    if schema.get("type") == "array" and not isinstance(items, dict):
        causes.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        causes += _check(items, f"{path}.items", "item")
    for name, child in properties.items():
        causes += _check(child, f"{path}.properties[{name}]", "field")
    if additional is not None:
        if level == "root":
            causes.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, dict):
            causes += _check(additional, f"{path}.additionalProperties", "field")
    causes += _check_extensions(schema, path)
    causes += _check_values(schema, path, skip_any=_is_union(schema), skip_all=_is_refined_union(schema))
    causes += _check_type(schema, path, level)
    if level == "root" or schema.get("x-kubernetes-embedded-resource"):
        causes += _check_own(properties, path)
    if level == "root" and "metadata" in properties:
        causes += _check_metadata(properties["metadata"], f"{path}.properties[metadata]")
    return causes


def _check_extensions(schema: Json, path: str) -> list[Cause]:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    return [
        invalid(f"{path}.{keyword}", True, "must be false if x-kubernetes-int-or-string is true")
        for keyword in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
        if schema.get(keyword)
    ]


def _check_type(schema: Json, path: str, level: str) -> list[Cause]:
    causes: list[Cause] = []
    kind, preserves = schema.get("type") or "", schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("x-kubernetes-embedded-resource"):
        if kind != "object":
            detail = "must be object if x-kubernetes-embedded-resource is true"
            causes.append(invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail))
        if schema.get("additionalProperties") is not None:
            detail = "must not be used if x-kubernetes-embedded-resource is set"
            causes.append(forbidden(f"{path}.additionalProperties", detail))
        if not preserves and not schema.get("properties"):
            detail = "must not be empty if x-kubernetes-embedded-resource is true without "
            causes.append(required(f"{path}.properties", f"{detail}x-kubernetes-preserve-unknown-fields"))
    elif not kind and not preserves and not schema.get("x-kubernetes-int-or-string"):
        word = "at" if level == "root" else "for"
        causes.append(required(f"{path}.type", f"must not be empty {word} {_WHERE[level]}"))
    if level == "root" and kind and kind != "object":
        causes.append(invalid(f"{path}.type", kind, "must be object at the root"))
    return causes


def _check_own(properties: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for name, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        found = (properties.get(name) or {}).get("type") or ""
        if name in properties and found != kind:
            causes.append(invalid(f"{path}.properties[{name}].type", found, f"must be {kind}"))
    return causes


def _check_metadata(metadata: Json, path: str) -> list[Cause]:
    """At the root only name and generateName may be described."""
    named = set(metadata.get("properties") or {})
    rest = {key for key, value in metadata.items() if key not in ("type", "properties", "default") and value}
    if named <= {"name", "generateName"} and not rest:
        return []
    detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
    return [forbidden(path, detail)]


def _is_union(schema: Json) -> bool:
    return schema.get("anyOf") == _INT_OR_STRING


def _is_refined_union(schema: Json) -> bool:
    parts = schema.get("allOf") or []
    return bool(parts) and _is_union(parts[0])


def _check_values(schema: Json, path: str, *, skip_any: bool, skip_all: bool) -> list[Cause]:
    causes: list[Cause] = []
    for keyword in ("anyOf", "allOf", "oneOf"):
        if keyword == "anyOf" and skip_any:
            continue
        for index, part in enumerate(schema.get(keyword) or ()):
            skip = keyword == "allOf" and skip_all and index == 0
            causes += _check_nested(part, f"{path}.{keyword}[{index}]", skip_any=skip)
    if isinstance(schema.get("not"), dict):
        causes += _check_nested(schema["not"], f"{path}.not")
    if pattern := schema.get("pattern"):
        try:
            go_pattern(pattern)
        except ValueError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            causes.append(invalid(f"{path}.pattern", pattern, detail))
    return causes


def _check_nested(part: Json, path: str, *, skip_any: bool = False) -> list[Cause]:
    """Below a combination only values are checked; structure belongs to the schema itself."""
    causes = _check_values(part, path, skip_any=skip_any, skip_all=False)
    if isinstance(part.get("items"), dict):
        causes += _check_nested(part["items"], f"{path}.items")
    for name, child in (part.get("properties") or {}).items():
        causes += _check_nested(child, f"{path}.properties[{name}]")
    if part.get("additionalProperties") is not None:
        causes.append(forbidden(f"{path}.additionalProperties", "must be undefined to be structural"))
    if part.get("externalDocs") is not None:
        causes.append(forbidden(f"{path}.externalDocs", "must be undefined to be structural"))
    for keyword, rule in _STRUCTURE.items():
        found = part.get(keyword)
        if found or (found is not None and keyword == "default"):
            causes.append(forbidden(f"{path}.{keyword}", f"{rule} to be structural"))
    if "metadata" in (part.get("properties") or {}):
        causes.append(forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    return causes
