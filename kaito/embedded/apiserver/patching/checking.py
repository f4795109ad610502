"""Checks of an applied configuration against its type, in the words of structured-merge-diff."""

from __future__ import annotations

from typing import Any

from kaito.embedded.apiserver.patching.field_sets import ROOT, Path, item_key, printed, shape_kind
from kaito.embedded.apiserver.patching.shapes import Shape
from kaito.embedded.apiserver.schemas.go_text import plain, type_name


def type_error(shape: Shape, value: Any) -> str | None:
    """What is wrong, e.g. `.spec.foo: field not declared in schema`; several errors as a list; None when it fits."""
    errors = _errors(shape, value, ROOT)
    if len(errors) > 1:
        return "errors:\n" + "\n".join(f"  {error}" for error in errors)
    return errors[0] if errors else None


def _errors(shape: Shape, value: Any, path: Path) -> list[str]:
    if value is None:
        return []
    kind = shape_kind(shape, value)
    if kind == "scalar":
        error = _scalar_error(shape, value, path)
        return [error] if error else []
    if kind == "list":
        return _list_errors(shape, value, path)
    if not isinstance(value, dict):
        return [f"{printed(path)}: expected map, got &{{{plain(value)}}}"]
    errors: list[str] = []
    for name in sorted(value):
        child = shape.child(name)
        here = (*path, f"f:{name}")
        if child is None:
            return [*errors, f"{printed(here)}: field not declared in schema"]
        errors += _errors(child, value[name], here)
    return errors


def _list_errors(shape: Shape, value: Any, path: Path) -> list[str]:
    if not isinstance(value, list):
        return [f"{printed(path)}: expected list, got &{{{plain(value)}}}"]
    errors: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        key = item_key(shape, item, index)
        if problem := _unkeyed(shape, item, key):
            return [*errors, f"{printed(path)}: element {index}: {problem}"]
        if key in seen:
            errors.append(f"{printed(path)}: duplicate entries for key {printed((key,))}")
        seen.add(key)
        errors += _errors(shape.element(), item, (*path, key))
    return errors


def _unkeyed(shape: Shape, item: Any, key: str) -> str:
    """Why an item cannot be told from others; empty where it can, or need not be."""
    if shape.list_type == "set":
        if isinstance(item, dict):
            return "associative list without keys has an element that's a map type"
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return "associative list without keys has an element that's an explicit null" if item is None else ""
    if shape.list_type != "map" or not key.startswith("i:"):
        return ""
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    keys = ",".join(f'"{key}"' for key in shape.keys)
    return (
        f"associative list with keys has an element that omits all key fields [{keys}] "
        "(and doesn't have default values for any key fields)"
    )


def _scalar_error(shape: Shape, value: Any, path: Path) -> str | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match shape.scalar:
        case "numeric" if not number:
            return f"{printed(path)}: expected numeric (int or float), got {type_name(value)}"
        case "string" if not isinstance(value, str):
            return f"{printed(path)}: expected string, got {_shown(value)}"
        case "boolean" if not isinstance(value, bool):
            return f"{printed(path)}: expected boolean, got &{{{plain(value)}}}"
        case "":
            if isinstance(value, (dict, list)):
                return f"{printed(path)}: expected any scalar, got &{{{plain(value)}}}"
        case _:
            pass
    return None


def _shown(value: Any) -> str:
    """%#v of the value in its wrapping."""
    return f"&value.valueUnstructured{{Value:{_go(value)}}}"


def _go(value: Any) -> str:
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = ", ".join(f'"{key}":{_go(item)}' for key, item in sorted(value.items()))
        return f"map[string]interface {{}}{{{pairs}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_go, value))}}}"
    return f'"{value}"' if isinstance(value, str) else str(value)
