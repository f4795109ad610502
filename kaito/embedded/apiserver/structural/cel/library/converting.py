"""Conversions between types, and optionals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, EvaluationError
from kaito.embedded.apiserver.structural.cel.kinds import full_name
from kaito.embedded.apiserver.structural.cel.library import times
from kaito.embedded.apiserver.structural.cel.library.formatting import shown
from kaito.embedded.apiserver.structural.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    SECOND,
    UINT_MAX,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
)

_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity)|nan", re.I | re.A)
_TRUTHS: Final = {
    **dict.fromkeys(("1", "t", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "false", "FALSE", "False"), False),
}


def _unfit(value: Any, kind: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{full_name(value)}' to '{kind}'")


def _int(value: Any) -> int:
    match value:
        case bool():
            raise EvaluationError(NO_SUCH_OVERLOAD)
        case Duration():
            return value.nanoseconds
        case Timestamp():
            return value.nanoseconds // SECOND
        case str():
            if not _INTEGER.fullmatch(value) or not INT_MIN <= int(value) <= INT_MAX:
                raise _unfit(value, "int")
            return int(value)
        case float():
            if not math.isfinite(value) or not -(2.0**63) < value < 2.0**63:
                raise EvaluationError("integer overflow")
            return int(value)
        case UInt():
            if value > INT_MAX:
                raise EvaluationError("integer overflow")
            return int(value)
        case int():
            return value
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _uint(value: Any) -> UInt:
    match value:
        case bool():
            raise EvaluationError(NO_SUCH_OVERLOAD)
        case str():
            if not re.fullmatch("[0-9]+", value, re.ASCII) or int(value) > UINT_MAX:
                raise _unfit(value, "uint")
            return UInt(int(value))
        case float():
            if not math.isfinite(value) or not 0 <= value < 2.0**64:
                raise EvaluationError("unsigned integer overflow")
            return UInt(int(value))
        case int():
            if not 0 <= value <= UINT_MAX:
                raise EvaluationError("unsigned integer overflow")
            return UInt(value)
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _double(value: Any) -> float:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise _unfit(value, "double")
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        if value not in _TRUTHS:
            raise _unfit(value, "bool")
        return _TRUTHS[value]
    if isinstance(value, bool):
        return value
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _string(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    if isinstance(value, float) and math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if hasattr(value, "type_name"):
        return str(value)
    if value is None or isinstance(value, (list, dict, TypeValue, Optional)):
        raise EvaluationError(NO_SUCH_OVERLOAD)
    return shown(value)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _duration(value: Any) -> Duration:
    if isinstance(value, str):
        return times.duration(value)
    return value if isinstance(value, Duration) else Duration(int(value))


def _timestamp(value: Any) -> Timestamp:
    if isinstance(value, str):
        return times.timestamp(value)
    return value if isinstance(value, Timestamp) else times.checked(int(value) * SECOND)


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _is_zero(value: Any) -> bool:
    match value:
        case None | False | 0 | "" | b"" | [] | {}:
            return True
        case Duration():
            return value.nanoseconds == 0
    return False


def _inserted(target: dict[Any, Any], *entry: Any) -> dict[Any, Any]:
    added = {entry[0]: entry[1]} if len(entry) == 2 else entry[0]
    for name in added:
        if name in target:
            raise EvaluationError(f"insert failed: key {shown(name)} already exists")
    return {**target, **added}


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "int": _int,
    "uint": _uint,
    "double": _double,
    "bool": _bool,
    "string": _string,
    "bytes": _bytes,
    "duration": _duration,
    "timestamp": _timestamp,
    "dyn": lambda value: value,
    "type": lambda value: TypeValue(full_name(value)),
    "size": lambda value: len(value),
    "optional.of": lambda value: Optional(True, value),
    "optional.ofNonZeroValue": lambda value: NONE if _is_zero(value) else Optional(True, value),
    "optional.none": lambda: NONE,
    "value": _value,
    "hasValue": lambda optional: optional.present,
    "cel.@mapInsert": _inserted,
}
