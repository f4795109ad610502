"""What the real server says when a patched object does not fit its Go type (runtime.DefaultUnstructuredConverter).

Strategic merge patches and server-side apply go this way instead of through the JSON decoder, and its words are others.
"""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.schemas import quantities, times
from kaito.embedded.apiserver.schemas.decoding import canonical_base64
from kaito.embedded.apiserver.schemas.go_text import type_name
from kaito.embedded.apiserver.schemas.types import Type, type_for

INTEGERS: Final = frozenset({"int32", "int64", "int", "uint8"})
BITS: Final = {"int32": 32, "int64": 64, "int": 64}
KINDS: Final = {"[]interface {}": "slice", "map[string]interface {}": "map"}


def conversion_error(value: Any, api_version: str, kind: str) -> str | None:
    """The first thing that keeps a value from being a built-in object; None when nothing does."""
    known = type_for(api_version, kind)
    return None if known is None else _error(known, value)


def converted(value: Any, api_version: str, kind: str) -> Any:
    """The value with its integers as Go's conversion leaves them: what is too large keeps its lowest bits."""
    known = type_for(api_version, kind)
    return value if known is None else _fitted(known, value)


def _fitted(kind: Type, value: Any) -> Any:
    match kind.kind:
        case "ptr":
            return _fitted(kind.elem, value)
        case "struct" if isinstance(value, dict):
            fields = kind.fields
            return {key: _fitted(fields[key].type, item) if key in fields else item for key, item in value.items()}
        case "map" if isinstance(value, dict):
            return {key: _fitted(kind.elem, item) for key, item in value.items()}
        case "slice" if isinstance(value, list):
            return [_fitted(kind.elem, item) for item in value]
        case name if name in BITS and isinstance(value, (int, float)):
            size = 1 << BITS[name]
            return (int(value) + size // 2) % size - size // 2
        case _:
            return value


def _error(kind: Type, value: Any) -> str | None:
    if value is None:
        return None
    found = KINDS.get(type_name(value), type_name(value))
    match kind.kind:
        case "ptr":
            return _error(kind.elem, value)
        case "struct":
            return _struct_error(kind, value) if found == "map" else f"cannot restore struct from: {found}"
        case "map":
            if found != "map":
                return f"cannot restore map from {found}"
            return next((error for item in value.values() if (error := _error(kind.elem, item))), None)
        case "slice":
            if found != "slice":
                return f"cannot restore slice from {found}"
            return next((error for item in value if (error := _error(kind.elem, item))), None)
        case "bytes":
            return _bytes_error(value, found)
        case "string" | "bool" | "float64" | "int32" | "int64" | "int" | "uint8":
            return _scalar_error(kind, value, found)
        case _:
            return _own_error(kind, value)


def _struct_error(kind: Type, value: dict[str, Any]) -> str | None:
    for raw, declared in kind.parts:
        if raw.get("inline"):
            error = _error(declared, value)
        else:
            error = _error(declared, value.get(raw["json"]))
        if error:
            return error
    return None


def _scalar_error(kind: Type, value: Any, found: str) -> str | None:
    """Go converts between numbers, and from whole numbers to text: what JSON does not allow of that is refused."""
    wanted = kind.kind
    if found == wanted or (found == "int64" and wanted in INTEGERS | {"float64"}):
        return None
    if found == "float64" and wanted in INTEGERS:
        return None if value.is_integer() else f"cannot convert {found} to {kind.go}"
    if found == "int64" and wanted == "string":
        return f"cannot convert {found} to {kind.go}"
    return f"unrecognized type: {wanted}"


def _bytes_error(value: Any, found: str) -> str | None:
    if found == "slice":
        return None
    if found != "string":
        return f"cannot restore slice from {found}"
    try:
        canonical_base64(value)
    except ValueError as problem:
        return f"error decoding from json: {problem}"
    return None


def _own_error(kind: Type, value: Any) -> str | None:
    """Types that read their JSON themselves."""
    word = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}.get(type(value), "object")
    try:
        match kind.kind:
            case "quantity":
                quantities.canonical(str(value).strip() if type(value) in (str, int, float) else "?")
            case "time" | "micro-time" | "duration" if word != "string":
                return f"json: cannot unmarshal {word} into Go value of type string"
            case "time":
                times.canonical_time(value)
            case "micro-time":
                times.canonical_micro_time(value)
            case "int-or-string" if word not in ("string", "number") or isinstance(value, float):
                shown = f"{word} {value}" if word == "number" else word
                return f"json: cannot unmarshal {shown} into Go value of type int32"
            case "int-or-string" if word == "number" and not -(2**31) <= value < 2**31:
                return f"json: cannot unmarshal number {value} into Go value of type int32"
            case _:
                pass
    except ValueError as problem:
        return str(problem)
    return None
