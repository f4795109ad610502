"""Macros: calls that stand for a comprehension (cel-go's standard ones, optionals, two-variable comprehensions)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Final

from kaito.embedded.apiserver.structural.cel.errors import Issue
from kaito.embedded.apiserver.structural.cel.nodes import (
    ACCUMULATOR,
    Call,
    Comprehension,
    Ident,
    ListExpr,
    Literal,
    MapExpr,
    Node,
    Select,
)

UNUSED: Final = "#unused"


class MacroError(ValueError):
    """The arguments of a macro make no sense."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.issue = Issue(at, message)


def expand(call: Call) -> Node | None:
    """What the call stands for; None where it is no macro. Raises MacroError."""
    if call.target is None:
        return _has(call) if call.function == "has" and len(call.args) == 1 else None
    made = _MACROS.get((call.function, len(call.args)))
    return made(call, call.target) if made is not None else None


def _has(call: Call) -> Node:
    found = call.args[0]
    if not isinstance(found, Select) or found.test:
        raise MacroError(found.at, "invalid argument to has() macro")
    return Select(call.at, found.operand, found.field, test=True)


def _name(node: Node, message: str = "argument must be a simple name") -> str:
    if not isinstance(node, Ident):
        raise MacroError(node.at, message)
    return node.name


def _names(call: Call) -> tuple[str, str]:
    first = _name(call.args[0])
    second = _name(call.args[1])
    if first == second:
        raise MacroError(call.args[1].at, f"duplicate variable name: {first}")
    for name, node in ((first, call.args[0]), (second, call.args[1])):
        if name in (ACCUMULATOR, "__result__"):
            raise MacroError(node.at, "iteration variable overwrites accumulator variable")
    return first, second


class _Loop:
    """Makes comprehensions at one place."""

    def __init__(self, call: Call, over: Node, first: str, second: str = "") -> None:
        self.at = call.at
        self.over = over
        self.first = first
        self.second = second

    def accumulated(self) -> Node:
        return Ident(self.at, ACCUMULATOR)

    def literal(self, value: object) -> Node:
        return Literal(self.at, value)

    def call(self, function: str, *args: Node) -> Node:
        return Call(self.at, function, list(args))

    def node(self, initial: Node, condition: Node, step: Node, result: Node | None = None) -> Node:
        return Comprehension(
            self.at,
            self.first,
            self.second,
            self.over,
            ACCUMULATOR,
            initial,
            condition,
            step,
            result or self.accumulated(),
        )

    def all(self, predicate: Node) -> Node:
        going = self.call("@not_strictly_false", self.accumulated())
        return self.node(self.literal(True), going, self.call("_&&_", self.accumulated(), predicate))

    def exists(self, predicate: Node) -> Node:
        going = self.call("@not_strictly_false", self.call("!_", self.accumulated()))
        return self.node(self.literal(False), going, self.call("_||_", self.accumulated(), predicate))

    def exists_one(self, predicate: Node) -> Node:
        counted = self.call("_+_", self.accumulated(), self.literal(1))
        step = self.call("_?_:_", predicate, counted, self.accumulated())
        result = self.call("_==_", self.accumulated(), self.literal(1))
        return self.node(self.literal(0), self.literal(True), step, result)

    def collected(self, transform: Node, wanted: Node | None) -> Node:
        step = self.call("_+_", self.accumulated(), ListExpr(self.at, [transform]))
        return self._filtered(ListExpr(self.at, []), step, wanted)

    def mapped(self, function: str, args: list[Node], wanted: Node | None) -> Node:
        return self._filtered(MapExpr(self.at, []), self.call(function, self.accumulated(), *args), wanted)

    def _filtered(self, initial: Node, step: Node, wanted: Node | None) -> Node:
        if wanted is not None:
            step = self.call("_?_:_", wanted, step, self.accumulated())
        return self.node(initial, self.literal(True), step)


def _single(call: Call, target: Node) -> tuple[_Loop, str]:
    name = _name(call.args[0])
    if name in (ACCUMULATOR, "__result__"):
        raise MacroError(call.args[0].at, "iteration variable overwrites accumulator variable")
    return _Loop(call, target, name), name


def _all(call: Call, target: Node) -> Node:
    return _single(call, target)[0].all(call.args[1])


def _exists(call: Call, target: Node) -> Node:
    return _single(call, target)[0].exists(call.args[1])


def _exists_one(call: Call, target: Node) -> Node:
    return _single(call, target)[0].exists_one(call.args[1])


def _map(call: Call, target: Node) -> Node:
    loop, _ = _single(call, target)
    return loop.collected(call.args[-1], call.args[1] if len(call.args) == 3 else None)


def _filter(call: Call, target: Node) -> Node:
    loop, name = _single(call, target)
    return loop.collected(Ident(call.args[0].at, name), call.args[1])


def _pair(call: Call, target: Node) -> _Loop:
    return _Loop(call, target, *_names(call))


def _transform_list(call: Call, target: Node) -> Node:
    return _pair(call, target).collected(call.args[-1], call.args[2] if len(call.args) == 4 else None)


def _transform_map(call: Call, target: Node) -> Node:
    loop = _pair(call, target)
    args = [Ident(call.at, loop.first), call.args[-1]]
    return loop.mapped("cel.@mapInsert", args, call.args[2] if len(call.args) == 4 else None)


def _transform_map_entry(call: Call, target: Node) -> Node:
    loop = _pair(call, target)
    return loop.mapped("cel.@mapInsert", [call.args[-1]], call.args[2] if len(call.args) == 4 else None)


def _opt_map(call: Call, target: Node, *, flat: bool = False) -> Node:
    function = "optFlatMap" if flat else "optMap"
    name = _name(call.args[0], f"{function}() variable name must be a simple identifier")
    at = call.at
    bound = Call(at, "value", [], copy.copy(target))
    body = call.args[1]
    taken = Comprehension(
        at,
        UNUSED,
        "",
        ListExpr(at, []),
        name,
        bound,
        Literal(at, False),
        Ident(at, name),
        body,
    )
    some: Node = taken if flat else Call(at, "optional.of", [taken])
    return Call(at, "_?_:_", [Call(at, "hasValue", [], target), some, Call(at, "optional.none", [])])


def _opt_flat_map(call: Call, target: Node) -> Node:
    return _opt_map(call, target, flat=True)


_MACROS: Final[dict[tuple[str, int], Callable[[Call, Node], Node]]] = {
    ("all", 2): _all,
    ("exists", 2): _exists,
    ("exists_one", 2): _exists_one,
    ("map", 2): _map,
    ("map", 3): _map,
    ("filter", 2): _filter,
    ("all", 3): lambda call, target: _pair(call, target).all(call.args[2]),
    ("exists", 3): lambda call, target: _pair(call, target).exists(call.args[2]),
    ("exists_one", 3): lambda call, target: _pair(call, target).exists_one(call.args[2]),
    ("existsOne", 3): lambda call, target: _pair(call, target).exists_one(call.args[2]),
    ("transformList", 3): _transform_list,
    ("transformList", 4): _transform_list,
    ("transformMap", 3): _transform_map,
    ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_map_entry,
    ("transformMapEntry", 4): _transform_map_entry,
    ("optMap", 2): _opt_map,
    ("optFlatMap", 2): _opt_flat_map,
}
