"""Checks of a CRD's `openAPIV3Schema`: it must be structural, and its rules must be ones this server can run.

From apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural.default_checks import check_defaults
from kaito.embedded.apiserver.structural.internal_schema import ALLOWED_AT_ROOT, forbidden_at_root, internal
from kaito.embedded.apiserver.structural.list_checks import check_list_keys, check_lists
from kaito.embedded.apiserver.structural.rule_checks import RuleChecks, check_texts
from kaito.embedded.apiserver.structural.structurality import check_structure

Json = dict[str, Any]
TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
UNSUPPORTED: Final = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
NESTED: Final = ("items", "additionalProperties", "allOf", "anyOf", "oneOf", "not")
OWN: Final = ("metadata", "apiVersion", "kind")


def check_schema(schema: Json, path: str, *, has_status: bool = False) -> list[Cause]:
    """Everything wrong with the root schema of a version. `has_status`: status is a subresource."""
    causes: list[Cause] = []
    if has_status:
        causes += _check_beside_status(schema, path)
    if schema.get("nullable"):
        causes.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    if _is_unreadable(schema):
        return causes + _check_node(schema, path, is_root=True)
    structure = check_structure(schema, path)
    structure = structure or check_defaults(schema, path)
    causes += structure
    found = _check_node(schema, path, is_root=True)
    causes += found
    if not structure and not found:
        causes += RuleChecks().expressions(schema, path)
    return causes


def _check_beside_status(schema: Json, path: str) -> list[Cause]:
    kind = schema.get("type") or ""
    if kind and kind != "object":
        detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        return [invalid(f"{path}.type", kind, detail)]
    if forbidden_at_root(schema):
        detail = "fields are allowed at the root of the schema if the status subresource is enabled"
        return [invalid(path, internal(schema), f"only {ALLOWED_AT_ROOT} {detail}")]
    return []


def _is_unreadable(schema: Any) -> bool:
    """Whether there is anything of JSON schema that structural schemas have no place for: nothing more can be said."""
    if isinstance(schema, list):
        return any(map(_is_unreadable, schema))
    if not isinstance(schema, dict):
        return False
    if schema.get("items") and isinstance(schema["items"], list):
        return True
    if any(schema.get(keyword) for keyword in UNSUPPORTED):
        return True
    nested = [*(schema.get("properties") or {}).values(), *(schema.get(keyword) for keyword in NESTED)]
    return any(map(_is_unreadable, nested))


def _check_node(schema: Json, path: str, *, is_root: bool = False, no_default: str = "") -> list[Cause]:
    """`no_default`: why nothing here may have a default."""
    causes = _check_keywords(schema, path, no_default)
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    if properties and (additional is False or isinstance(additional, dict)):
        detail = "additionalProperties and properties are mutual exclusive"
        causes.append(forbidden(f"{path}.additionalProperties", detail))
    if isinstance(additional, dict):
        causes += _check_node(additional, f"{path}.additionalProperties", no_default=no_default)
    is_resource = is_root or schema.get("x-kubernetes-embedded-resource")
    for name, child in properties.items():
        reason = no_default
        if is_resource and name in OWN:
            reason = f"in {'top-level' if is_root else 'embedded'} {name}"
        causes += _check_node(child, f"{path}.properties[{name}]", no_default=reason)
    for name, child in (schema.get("patternProperties") or {}).items():
        causes += _check_node(child, f"{path}.patternProperties[{name}]", no_default=no_default)
    if isinstance(schema.get("not"), dict):
        causes += _check_node(schema["not"], f"{path}.not", no_default=no_default)
    for keyword in ("allOf", "oneOf", "anyOf"):
        for index, part in enumerate(schema.get(keyword) or ()):
            causes += _check_node(part, f"{path}.{keyword}[{index}]", no_default=no_default)
    for name, child in (schema.get("definitions") or {}).items():
        causes += _check_node(child, f"{path}.definitions[{name}]", no_default=no_default)
    items = schema.get("items")
    if isinstance(items, dict):
        causes += _check_node(items, f"{path}.items", no_default=no_default)
    elif isinstance(items, list):
        for index, item in enumerate(items):
            causes += _check_node(item, f"{path}.items[{index}]", no_default=no_default)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        field = f"{path}.x-kubernetes-preserve-unknown-fields"
        causes.append(invalid(field, False, "must be true or undefined"))
    causes += check_lists(schema, path)
    causes += check_list_keys(schema, path)
    return causes + check_texts(schema, path)


def _check_keywords(schema: Json, path: str, no_default: str) -> list[Cause]:
    causes: list[Cause] = []
    kind = schema.get("type") or ""
    if kind and kind not in TYPES:
        causes.append(not_supported(f"{path}.type", kind, TYPES))
    if schema.get("default") is not None and no_default:
        causes.append(forbidden(f"{path}.default", f"must not be set {no_default}"))
    for keyword in UNSUPPORTED:
        if schema.get(keyword) not in (None, "", {}) or (keyword == "$ref" and schema.get(keyword) is not None):
            causes.append(forbidden(f"{path}.{keyword}", f"{keyword} is not supported"))
    if kind == "null":
        causes.append(forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(schema.get("items"), list) and schema["items"]:
        causes.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.append(forbidden(f"{path}.uniqueItems", detail))
    for keyword, wanted in (("map", "object"), ("list", "array")):
        if schema.get(f"x-kubernetes-{keyword}-type") is not None and kind != wanted:
            detail = f"must be {wanted} if x-kubernetes-{keyword}-type is specified"
            causes.append(invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail))
    return causes
