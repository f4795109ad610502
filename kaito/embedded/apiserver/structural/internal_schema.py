"""Schemas and versions of a CRD as errors print them: Go's internal types as JSON, every field of theirs written."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
# Name in Go, name in JSON, value where it is absent.
_FIELDS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("ID", "id", ""),
    ("Schema", "$schema", ""),
    ("Ref", "$ref", None),
    ("Description", "description", ""),
    ("Type", "type", ""),
    ("Nullable", "nullable", False),
    ("Format", "format", ""),
    ("Title", "title", ""),
    ("Default", "default", None),
    ("Maximum", "maximum", None),
    ("ExclusiveMaximum", "exclusiveMaximum", False),
    ("Minimum", "minimum", None),
    ("ExclusiveMinimum", "exclusiveMinimum", False),
    ("MaxLength", "maxLength", None),
    ("MinLength", "minLength", None),
    ("Pattern", "pattern", ""),
    ("MaxItems", "maxItems", None),
    ("MinItems", "minItems", None),
    ("UniqueItems", "uniqueItems", False),
    ("MultipleOf", "multipleOf", None),
    ("Enum", "enum", None),
    ("MaxProperties", "maxProperties", None),
    ("MinProperties", "minProperties", None),
    ("Required", "required", None),
    ("Items", "items", None),
    ("AllOf", "allOf", None),
    ("OneOf", "oneOf", None),
    ("AnyOf", "anyOf", None),
    ("Not", "not", None),
    ("Properties", "properties", None),
    ("AdditionalProperties", "additionalProperties", None),
    ("PatternProperties", "patternProperties", None),
    ("Dependencies", "dependencies", None),
    ("AdditionalItems", "additionalItems", None),
    ("Definitions", "definitions", None),
    ("ExternalDocs", "externalDocs", None),
    ("Example", "example", None),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", None),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", False),
    ("XIntOrString", "x-kubernetes-int-or-string", False),
    ("XListMapKeys", "x-kubernetes-list-map-keys", None),
    ("XListType", "x-kubernetes-list-type", None),
    ("XMapType", "x-kubernetes-map-type", None),
    ("XValidations", "x-kubernetes-validations", None),
)
_OF_STATUS: Final = frozenset(
    (
        *("Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum"),
        *("MaxLength", "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required"),
        *("Items", "Properties", "ExternalDocs", "Example", "XPreserveUnknownFields", "XValidations"),
    )
)
ALLOWED_AT_ROOT: Final = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    "XValidations]"
)


def internal(schema: Json) -> Json:
    """A whole schema."""
    return {go: _value(name, schema[name]) if schema.get(name) is not None else empty for go, name, empty in _FIELDS}


def forbidden_at_root(schema: Json) -> bool:
    """Whether the root has a field that it may not have where status is a subresource."""
    return any(schema.get(name) not in (None, empty, [], {}) for go, name, empty in _FIELDS if go not in _OF_STATUS)


def internal_rule(rule: Json) -> Json:
    return {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }


def _value(name: str, value: Any) -> Any:
    match name:
        case "items":
            if isinstance(value, list):
                return {"Schema": None, "JSONSchemas": [internal(item) for item in value]}
            return {"Schema": internal(value), "JSONSchemas": None}
        case "allOf" | "oneOf" | "anyOf":
            return [internal(item) for item in value]
        case "not":
            return internal(value)
        case "properties" | "patternProperties" | "definitions":
            return {key: internal(value[key]) for key in sorted(value)}
        case "additionalProperties" | "additionalItems":
            allows = value is not False
            return {"Allows": allows, "Schema": internal(value) if isinstance(value, dict) else None}
        case "dependencies":
            return {key: _dependency(value[key]) for key in sorted(value)}
        case "externalDocs":
            return {"Description": value.get("description", ""), "URL": value.get("url", "")}
        case "x-kubernetes-validations":
            return [internal_rule(rule) for rule in value]
    return value


def _dependency(value: Any) -> Json:
    if isinstance(value, dict):
        return {"Schema": internal(value), "Property": None}
    return {"Schema": None, "Property": value}


def internal_versions(versions: list[Json] | None, shared: dict[str, bool]) -> list[Json] | None:
    """The list of versions; the parts that all versions share have moved to the top of the spec."""
    if versions is None:
        return None
    return [_version(version, shared) for version in versions]


def _version(version: Json, shared: dict[str, bool]) -> Json:
    def own(part: str) -> Any:
        return None if shared.get(part) else version.get(part)

    schema, subresources = own("schema"), own("subresources")
    return {
        "Name": version.get("name", ""),
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": _schema(schema),
        "Subresources": _subresources(subresources),
        "AdditionalPrinterColumns": _columns(own("additionalPrinterColumns")),
        "SelectableFields": [{"JSONPath": f.get("jsonPath", "")} for f in own("selectableFields") or ()] or None,
    }


def _schema(schema: Json | None) -> Json | None:
    if schema is None:
        return None
    inner = schema.get("openAPIV3Schema")
    return {"OpenAPIV3Schema": internal(inner) if inner is not None else None}


def _subresources(found: Json | None) -> Json | None:
    if found is None:
        return None
    scale = found.get("scale")
    shown = None
    if scale is not None:
        shown = {
            "SpecReplicasPath": scale.get("specReplicasPath", ""),
            "StatusReplicasPath": scale.get("statusReplicasPath", ""),
            "LabelSelectorPath": scale.get("labelSelectorPath"),
        }
    return {"Status": {} if found.get("status") is not None else None, "Scale": shown}


def _columns(columns: list[Json] | None) -> list[Json] | None:
    return [
        {
            "Name": column.get("name", ""),
            "Type": column.get("type", ""),
            "Format": column.get("format", ""),
            "Description": column.get("description", ""),
            "Priority": column.get("priority", 0),
            "JSONPath": column.get("jsonPath", ""),
        }
        for column in columns or ()
    ] or None
