"""The order in which a custom resource is validated (apiextensions' customresource strategy): metadata, schema, scale,
embedded objects, list invariants, and rules only where nothing before them makes their evaluation meaningless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.resources import ScalePaths
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.structural import embedded, rules, validation
from kaito.embedded.apiserver.structural.resource import BLOCKING, NOT_CHECKED, StructuralSchema
from kaito.embedded.apiserver.structural.schema import ABSENT

_LARGEST = 2**31 - 1
_GO_TYPES = {str: "string", bool: "bool", float: "float64", dict: "map[string]interface {}", list: "[]interface {}"}


def validate(
    schema: StructuralSchema, obj: Object, old: Object | None, scale: ScalePaths | None, found: Sequence[Cause]
) -> list[Cause]:
    """Everything wrong with an object. `found` is what is wrong with its metadata."""
    root = schema.root
    before: Any = ABSENT if old is None else old
    causes = [*found, *validation.check(root, obj, "", before)]
    if scale is not None:
        causes += _scale_causes(obj, scale)
    causes += embedded.check(root, obj, "", before)
    causes += validation.check_lists(root, obj, "", before)
    if root.any_rules:
        if any(cause.reason in BLOCKING for cause in causes):
            causes.append(NOT_CHECKED)
        else:
            causes += rules.evaluate(root, obj, "", before)
    return causes


def _scale_causes(obj: Object, scale: ScalePaths) -> list[Cause]:
    causes: list[Cause] = []
    for path in (scale.spec_replicas, scale.status_replicas):
        value, problem = _nested(obj, path, int, "int64")
        if problem:
            causes.append(Cause(path, f"Invalid value: 0: {problem}"))
        elif value is not None and value < 0:
            causes.append(Cause(path, f"Invalid value: {value}: should be a non-negative integer"))
        elif value is not None and value > _LARGEST:
            causes.append(Cause(path, f"Invalid value: {value}: should be less than or equal to {_LARGEST}"))
    if scale.selector:
        _, problem = _nested(obj, scale.selector, str, "string")
        if problem:
            causes.append(Cause(scale.selector, f'Invalid value: "": {problem}'))
    return causes


def _nested(obj: Object, path: str, wanted: type, name: str) -> tuple[Any, str]:
    """The value at a path, or why there is none of the wanted type (unstructured.NestedInt64 and its like)."""
    value: Any = obj
    walked: list[str] = []
    for part in path.strip(".").split("."):
        if not isinstance(value, dict):
            return None, _accessor_error(walked, value, "map[string]interface{}")
        walked.append(part)
        if part not in value:
            return None, ""
        value = value[part]
    if isinstance(value, wanted) and not isinstance(value, bool):
        return value, ""
    return None, _accessor_error(walked, value, name)


def _accessor_error(walked: list[str], value: Any, wanted: str) -> str:
    return f".{'.'.join(walked)} accessor error: {_go(value)} is of the type {_go_type(value)}, expected {wanted}"


def _go_type(value: Any) -> str:
    return "<nil>" if value is None else "int64" if type(value) is int else _GO_TYPES.get(type(value), "unknown")


def _go(value: Any) -> str:
    """A value as %v prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(_go(item) for item in value)}]"
    return str(value)
