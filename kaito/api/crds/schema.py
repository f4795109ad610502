"""From a pydantic model to a Kubernetes structural schema."""

from __future__ import annotations

from typing import Any

from kaito.api.models.base import ApiModel

_DROPPED = frozenset({"title", "$defs", "x-crd-required", "x_crd_metadata"})


def structural_schema(model: type[ApiModel]) -> dict[str, Any]:
    """`openAPIV3Schema` of `model`: references inlined, `null` alternatives removed, CRD-only keywords applied.

    Keys come out sorted, so that the YAML does not depend on pydantic's order.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(raw, raw.get("$defs", {}))


def _convert(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    merged = _inline(node, definitions)
    if merged.get("x_crd_metadata"):
        return {"type": "object"}
    if merged.get("x-kubernetes-preserve-unknown-fields"):
        merged.pop("type", None)
    result: dict[str, Any] = {}
    for key, value in merged.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "properties":
            result[key] = {name: _convert(value[name], definitions) for name in sorted(value)}
            required = sorted(
                name for name, field in value.items() if _inline(field, definitions).get("x-crd-required")
            )
            if required:
                result["required"] = required
        elif key == "required":
            continue
        elif key == "items":
            result[key] = _convert(value, definitions)
        elif key == "additionalProperties" and isinstance(value, dict):
            result[key] = _convert(value, definitions) if "anyOf" not in value else value
        elif key == "additionalProperties":
            continue
        else:
            result[key] = value
    return dict(sorted(result.items()))


def _inline(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The node with its `$ref` and its optional alternative merged in; the node's own keywords win."""
    own = dict(node)
    reference = own.pop("$ref", None)
    if reference is not None:
        return {**_inline(definitions[reference.rsplit("/", 1)[1]], definitions), **own}
    alternatives = own.get("anyOf")
    if alternatives and {"type": "null"} in alternatives:
        del own["anyOf"]
        (present,) = [alternative for alternative in alternatives if alternative != {"type": "null"}]
        return {**_inline(present, definitions), **own}
    return own
