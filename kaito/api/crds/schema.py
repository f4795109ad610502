"""From a pydantic model to a Kubernetes structural schema."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from typing import Any

from kaito.api.models.base import ApiModel

_DROPPED = frozenset({"title", "$defs", "x-crd-required", "x_crd_metadata"})


def structural_schema(model: type[ApiModel]) -> dict[str, Any]:
    """`openAPIV3Schema` of `model`: references inlined, `null` alternatives removed, CRD-only keywords applied.

    Keys come out sorted, so that the YAML does not depend on pydantic's order.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    definitions = raw.get("$defs", {})
    models = _subclasses(ApiModel)
    _describe(raw, model)
    for name, definition in definitions.items():
        _describe(definition, models[name])
    return _convert(raw, definitions)


def _subclasses(model: type[ApiModel]) -> dict[str, type[ApiModel]]:
    found: dict[str, type[ApiModel]] = {}
    for one in model.__subclasses__():
        found |= {one.__name__: one} | _subclasses(one)
    return found


def _describe(schema: dict[str, Any], model: type[ApiModel]) -> None:
    """Put the fields' docstrings into `schema` as descriptions.

    pydantic's `use_attribute_docstrings` does the same, but at every import: it reads and parses each class's source.
    """
    texts: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, ApiModel) and one is not ApiModel:
            texts |= _docstrings(one)
    for name, field in model.model_fields.items():
        if name in texts:
            schema["properties"][field.alias or name]["description"] = texts[name]


def _docstrings(model: type[ApiModel]) -> dict[str, str]:
    """The string that follows each annotated field of the class's own body, by field name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    assert isinstance(tree.body[0], ast.ClassDef)
    body = tree.body[0].body
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


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
