"""Evaluation: a checked tree becomes a Python function from variables to a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kaito.embedded.apiserver.structural.cel import operating
from kaito.embedded.apiserver.structural.cel.checking import Checked
from kaito.embedded.apiserver.structural.cel.declarations import FUNCTIONS, NAMED_TYPES
from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, EvaluationError
from kaito.embedded.apiserver.structural.cel.kinds import type_name
from kaito.embedded.apiserver.structural.cel.library.implemented import IMPLEMENTED
from kaito.embedded.apiserver.structural.cel.nodes import (
    Call,
    Comprehension,
    Ident,
    ListExpr,
    Literal,
    MapExpr,
    Node,
    Select,
    qualified_name,
)
from kaito.embedded.apiserver.structural.cel.types import Type
from kaito.embedded.apiserver.structural.cel.values import Optional, TypeValue

Variables = Mapping[str, Any]
Program = Callable[[Variables], Any]


def program(checked: Checked) -> Program:
    """The expression as a function. What it returns or raises (EvaluationError) is that of cel-go."""
    return _Builder(checked).build(checked.tree)


class _Builder:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked

    def build(self, node: Node) -> Program:
        match node:
            case Literal(value=value):
                return lambda _: value
            case Ident(name=name):
                return _ident(name.lstrip("."))
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListExpr():
                return self._list(node)
            case MapExpr():
                return self._map(node)
            case Comprehension():
                return self._comprehension(node)
        raise AssertionError(node)

    def _select(self, node: Select) -> Program:
        name = qualified_name(node)
        if name in NAMED_TYPES:
            value = TypeValue(name)
            return lambda _: value
        operand, field = self.build(node.operand), node.field
        if node.test:
            return lambda variables: operating.has(operand(variables), field)
        return lambda variables: operating.member(operand(variables), field)

    def _call(self, node: Call) -> Program:
        parts = [self.build(arg) for arg in ([node.target] if node.target is not None else []) + node.args]
        match node.function, len(parts):
            case "_&&_", _:
                return _logical(parts[0], parts[1], decides=False)
            case "_||_", _:
                return _logical(parts[0], parts[1], decides=True)
            case "_?_:_", _:
                return _conditional(*parts)
            case "@not_strictly_false", _:
                return _not_strictly_false(parts[0])
            case "or" | "orValue", 2:
                return _alternative(parts[0], parts[1], whole=node.function == "or")
        implemented = operating.OPERATORS.get(node.function) or IMPLEMENTED[node.function]
        if any(self._checked.type_of(part).kind in ("dyn", "opaque") for part in (node.target, *node.args) if part):
            implemented = _guarded(node, implemented)
        if len(parts) == 1:
            only = parts[0]
            return lambda variables: implemented(only(variables))
        if len(parts) == 2:
            left, right = parts
            return lambda variables: implemented(left(variables), right(variables))
        return lambda variables: implemented(*[part(variables) for part in parts])

    def _list(self, node: ListExpr) -> Program:
        elements = [(self.build(element), index in node.optional) for index, element in enumerate(node.elements)]

        def run(variables: Variables) -> list[Any]:
            made = []
            for element, optional in elements:
                value = element(variables)
                if optional:
                    if not isinstance(value, Optional):
                        raise EvaluationError(NO_SUCH_OVERLOAD)
                    if not value.present:
                        continue
                    value = value.value
                made.append(value)
            return made

        return run

    def _map(self, node: MapExpr) -> Program:
        entries = [(self.build(key), self.build(value), optional) for key, value, optional in node.entries]

        def run(variables: Variables) -> dict[Any, Any]:
            made: dict[Any, Any] = {}
            for key, value, optional in entries:
                name, item = key(variables), value(variables)
                if optional:
                    if not isinstance(item, Optional):
                        raise EvaluationError(NO_SUCH_OVERLOAD)
                    if not item.present:
                        continue
                    item = item.value
                made[operating.key(name)] = item
            return made

        return run

    def _comprehension(self, node: Comprehension) -> Program:
        over, initial = self.build(node.over), self.build(node.initial)
        condition, step, result = self.build(node.condition), self.build(node.step), self.build(node.result)
        first, second, accumulator = node.variable, node.second, node.accumulator
        bounded = not isinstance(node.condition, Literal)

        def run(variables: Variables) -> Any:
            inner = dict(variables)
            items = operating.entries(over(variables), paired=bool(second))
            inner[accumulator] = initial(variables)
            for one, two in items:
                inner[first] = one
                if second:
                    inner[second] = two
                # An error becomes the accumulator: a later element may still decide the outcome.
                try:
                    inner[accumulator] = step(inner)
                except EvaluationError as error:
                    inner[accumulator] = error
                    if not bounded:
                        raise
                if bounded and condition(inner) is False:
                    break
            return result(inner)

        return run


def _ident(name: str) -> Program:
    named = TypeValue(_RUNTIME_NAMES.get(name, name)) if name in NAMED_TYPES else None

    def run(variables: Variables) -> Any:
        value = variables.get(name, named)
        if isinstance(value, EvaluationError):
            raise value
        if value is None and name not in variables:
            raise EvaluationError(f"no such attribute(s): {name}")
        return value

    return run


_RUNTIME_NAMES = {"duration": "google.protobuf.Duration", "timestamp": "google.protobuf.Timestamp"}


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError(NO_SUCH_OVERLOAD)
    return value


def _logical(left: Program, right: Program, *, decides: bool) -> Program:
    """`&&` and `||`: the value that decides wins over an error on the other side."""

    def run(variables: Variables) -> bool:
        failure: EvaluationError | None = None
        try:
            if _truth(left(variables)) is decides:
                return decides
        except EvaluationError as error:
            failure = error
        if failure is None:
            return _truth(right(variables))
        try:
            if _truth(right(variables)) is decides:
                return decides
        except EvaluationError:
            pass
        raise failure

    return run


def _conditional(condition: Program, yes: Program, no: Program) -> Program:
    return lambda variables: yes(variables) if _truth(condition(variables)) else no(variables)


def _not_strictly_false(operand: Program) -> Program:
    def run(variables: Variables) -> bool:
        try:
            return operand(variables) is not False
        except EvaluationError:
            return True

    return run


def _alternative(optional: Program, other: Program, *, whole: bool) -> Program:
    def run(variables: Variables) -> Any:
        value = optional(variables)
        if not isinstance(value, Optional):
            raise EvaluationError(NO_SUCH_OVERLOAD)
        if value.present:
            return value if whole else value.value
        return other(variables)

    return run


def _guarded(node: Call, implemented: Callable[..., Any]) -> Callable[..., Any]:
    """With types that only the values have: what no overload takes is no such overload."""
    if node.function in operating.UNTYPED:
        return implemented
    member = node.target is not None
    wanted = [overload.args for overload in FUNCTIONS[node.function] if overload.member == member]

    def run(*args: Any) -> Any:
        if any(len(kinds) == len(args) and all(map(_fits, kinds, args)) for kinds in wanted):
            return implemented(*args)
        raise EvaluationError(NO_SUCH_OVERLOAD)

    return run


def _fits(kind: Type, value: Any) -> bool:
    match kind.kind:
        case "param" | "dyn" | "type":
            return True
        case "opaque":
            return type_name(value) == kind.name
        case "list" if isinstance(value, list):
            return all(_fits(kind.params[0], item) for item in value)
        case _:
            return type_name(value) == kind.kind
