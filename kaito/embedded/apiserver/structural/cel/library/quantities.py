"""Kubernetes' quantity library (k8s.io/apiserver/pkg/cel/library/quantity.go)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final

from kaito.embedded.apiserver.schemas import quantities
from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.cel.values import INT_MAX, INT_MIN


@dataclass(frozen=True, slots=True)
class Quantity:
    type_name: ClassVar[str] = "kubernetes.Quantity"
    number: Fraction


def _quantity(text: str) -> Quantity:
    try:
        return Quantity(quantities.parse(text)[0])
    except quantities.QuantityError as problem:
        raise EvaluationError(str(problem)) from None


def _is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except quantities.QuantityError:
        return False
    return True


def _compare(left: Quantity, right: Quantity) -> int:
    return (left.number > right.number) - (left.number < right.number)


def _number(value: Quantity | int) -> Fraction:
    return value.number if isinstance(value, Quantity) else Fraction(value)


def _is_integer(value: Quantity) -> bool:
    return value.number.denominator == 1 and INT_MIN <= value.number <= INT_MAX


def _as_integer(value: Quantity) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(value.number)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "quantity": _quantity,
    "isQuantity": _is_quantity,
    "sign": lambda value: (value.number > 0) - (value.number < 0),
    "asApproximateFloat": lambda value: float(value.number),
    "asInteger": _as_integer,
    "isInteger": _is_integer,
    "add": lambda left, right: Quantity(left.number + _number(right)),
    "sub": lambda left, right: Quantity(left.number - _number(right)),
}
COMPARE: Final = _compare
