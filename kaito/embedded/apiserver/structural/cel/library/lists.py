"""Kubernetes' lists library, and cel-go's sets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, EvaluationError
from kaito.embedded.apiserver.structural.cel.kinds import compare, contains, equal
from kaito.embedded.apiserver.structural.cel.library import texts
from kaito.embedded.apiserver.structural.cel.operating import OPERATORS
from kaito.embedded.apiserver.structural.cel.values import NONE, Optional


def _is_sorted(items: list[Any]) -> bool:
    return all(compare(left, right) <= 0 for left, right in itertools.pairwise(items))


def _sum(items: list[Any]) -> Any:
    total: Any = None
    for item in items:
        total = item if total is None else OPERATORS["_+_"](total, item)
    return 0 if total is None else total


def _extreme(name: str, sign: int) -> Callable[[list[Any]], Any]:
    def find(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        best = items[0]
        for item in items[1:]:
            if compare(item, best) * sign > 0:
                best = item
        return best

    return find


def _index_of(holder: Any, wanted: Any, *start: int) -> int:
    if isinstance(holder, str):
        return texts.index_of(holder, wanted, *start)
    return next((index for index, item in enumerate(holder) if equal(item, wanted)), -1)


def _last_index_of(holder: Any, wanted: Any, *start: int) -> int:
    if isinstance(holder, str):
        return texts.last_index_of(holder, wanted, *start)
    return next((index for index in range(len(holder) - 1, -1, -1) if equal(holder[index], wanted)), -1)


def _all_in(items: list[Any], wanted: list[Any]) -> bool:
    return all(contains(items, item) for item in wanted)


def _unwrap(items: list[Any]) -> list[Any]:
    if not all(isinstance(item, Optional) for item in items):
        raise EvaluationError(NO_SUCH_OVERLOAD)
    return [item.value for item in items if item.present]


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": _extreme("min", -1),
    "max": _extreme("max", 1),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "sets.contains": _all_in,
    "sets.equivalent": lambda left, right: _all_in(left, right) and _all_in(right, left),
    "sets.intersects": lambda left, right: any(contains(right, item) for item in left),
    "first": lambda items: Optional(True, items[0]) if items else NONE,
    "last": lambda items: Optional(True, items[-1]) if items else NONE,
    "optional.unwrap": _unwrap,
    "unwrapOpt": _unwrap,
}
