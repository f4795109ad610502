"""Operators, members, and going over lists and maps."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, EvaluationError
from kaito.embedded.apiserver.structural.cel.kinds import compare, contains, equal, is_number
from kaito.embedded.apiserver.structural.cel.library import formatting, times
from kaito.embedded.apiserver.structural.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    UINT_MAX,
    Duration,
    MapList,
    Optional,
    SetList,
    Timestamp,
    UInt,
)


def member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        if name in value:
            return value[name]
        raise EvaluationError(f"no such key: {name}")
    if isinstance(value, Optional):
        return optional_member(value, name)
    raise EvaluationError(f"no such key: {name}")


def optional_member(value: Any, name: str) -> Optional:
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if isinstance(value, dict):
        return _wrapped(value[name]) if name in value else NONE
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _wrapped(value: Any) -> Optional:
    return value if isinstance(value, Optional) else Optional(True, value)


def has(value: Any, name: str) -> bool:
    if isinstance(value, Optional):
        return value.present and has(value.value, name)
    if isinstance(value, dict):
        return name in value
    raise EvaluationError(NO_SUCH_OVERLOAD)


def key(value: Any) -> Any:
    """A value as a map's key."""
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise EvaluationError("unsupported key type")


def entries(value: Any, *, paired: bool) -> list[tuple[Any, Any]]:
    """What a comprehension goes over: items, or keys; with two variables index and item, or key and value."""
    if isinstance(value, list):
        return list(enumerate(value)) if paired else [(item, None) for item in value]
    if isinstance(value, dict):
        return [(name, value[name]) for name in sorted(value, key=lambda name: (str(type(name)), name))]
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _index(value: Any, at: Any) -> Any:
    if isinstance(value, Optional):
        return _optional_index(value, at)
    if isinstance(value, dict):
        found = _found(value, at)
        if found is _MISSING:
            raise EvaluationError(f"no such key: {formatting.shown(at)}")
        return found
    if isinstance(value, list):
        place = _place(at)
        if not 0 <= place < len(value):
            raise EvaluationError(f"index out of bounds: {place}")
        return value[place]
    raise EvaluationError(NO_SUCH_OVERLOAD)


_MISSING: Final = object()


def _found(value: dict[Any, Any], at: Any) -> Any:
    try:
        return value.get(key(at), _MISSING)
    except EvaluationError:
        return _MISSING


def _place(at: Any) -> int:
    if is_number(at) and float(at).is_integer():
        return int(at)
    raise EvaluationError(f"unsupported index type '{type(at).__name__}' in list")


def _optional_index(value: Any, at: Any) -> Optional:
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if isinstance(value, dict):
        found = _found(value, at)
        return NONE if found is _MISSING else _wrapped(found)
    if isinstance(value, list):
        place = _place(at)
        return _wrapped(value[place]) if 0 <= place < len(value) else NONE
    raise EvaluationError(NO_SUCH_OVERLOAD)


def whole(value: int, like: int) -> int:
    """The result of an integer operation, unless it does not fit."""
    if isinstance(like, UInt):
        if not 0 <= value <= UINT_MAX:
            raise EvaluationError("unsigned integer overflow")
        return UInt(value)
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("integer overflow")
    return value


def _duration(nanoseconds: int) -> Duration:
    if not INT_MIN <= nanoseconds <= INT_MAX:
        raise EvaluationError("integer overflow")
    return Duration(nanoseconds)


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        return _joined(left, right)
    if isinstance(left, (str, bytes)) and type(left) is type(right):
        return left + right  # type: ignore[operator]
    match left, right:
        case Duration(), Duration():
            return _duration(left.nanoseconds + right.nanoseconds)
        case (Timestamp(), Duration()) | (Duration(), Timestamp()):
            return times.checked(left.nanoseconds + right.nanoseconds)
    return _arithmetic(left, right, operator.add)


def _joined(left: list[Any], right: list[Any]) -> list[Any]:
    """Lists of type set and map are merged, others are put one after the other."""
    if isinstance(left, SetList):
        return SetList([*left, *(item for item in right if not contains(left, item))])
    if isinstance(left, MapList):
        merged = {left.key_of(item): item for item in left}
        merged.update((left.key_of(item), item) for item in right)
        return MapList(list(merged.values()), left.keys)
    return [*left, *right]


def _subtract(left: Any, right: Any) -> Any:
    match left, right:
        case (Duration(), Duration()) | (Timestamp(), Timestamp()):
            return _duration(left.nanoseconds - right.nanoseconds)
        case Timestamp(), Duration():
            return times.checked(left.nanoseconds - right.nanoseconds)
    return _arithmetic(left, right, operator.sub)


def _arithmetic(left: Any, right: Any, operate: Callable[[Any, Any], Any]) -> Any:
    if isinstance(left, float) and isinstance(right, float):
        return operate(left, right)
    if type(left) is type(right) and isinstance(left, int) and not isinstance(left, bool):
        return whole(operate(int(left), int(right)), left)
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _multiply(left: Any, right: Any) -> Any:
    return _arithmetic(left, right, operator.mul)


def _divide(left: Any, right: Any) -> Any:
    if isinstance(left, float) and isinstance(right, float):
        if right != 0:
            return left / right
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    if right == 0 and is_number(left) and type(left) is type(right):
        raise EvaluationError("division by zero")
    return _arithmetic(left, right, lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


def _modulo(left: Any, right: Any) -> Any:
    if right == 0 and is_number(left) and type(left) is type(right):
        raise EvaluationError("modulus by zero")
    if isinstance(left, float):
        raise EvaluationError(NO_SUCH_OVERLOAD)
    return _arithmetic(left, right, lambda a, b: abs(a) % abs(b) * (-1 if a < 0 else 1))


def _negate(value: Any) -> Any:
    if isinstance(value, float):
        return -value
    if isinstance(value, int) and not isinstance(value, (bool, UInt)):
        return whole(-value, value)
    raise EvaluationError(NO_SUCH_OVERLOAD)


def _not(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError(NO_SUCH_OVERLOAD)
    return not value


def _in(wanted: Any, holder: Any) -> bool:
    if isinstance(holder, list):
        return contains(holder, wanted)
    if isinstance(holder, dict):
        return _found(holder, wanted) is not _MISSING
    raise EvaluationError(NO_SUCH_OVERLOAD)


OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "_<_": lambda left, right: compare(left, right) < 0,
    "_<=_": lambda left, right: compare(left, right) <= 0,
    "_>_": lambda left, right: compare(left, right) > 0,
    "_>=_": lambda left, right: compare(left, right) >= 0,
    "_+_": _add,
    "_-_": _subtract,
    "_*_": _multiply,
    "_/_": _divide,
    "_%_": _modulo,
    "-_": _negate,
    "!_": _not,
    "@in": _in,
    "_[_]": _index,
    "_[?_]": _optional_index,
    "_?._": optional_member,
}
UNTYPED: Final = frozenset(OPERATORS)
"""Functions that say themselves which values they take."""
