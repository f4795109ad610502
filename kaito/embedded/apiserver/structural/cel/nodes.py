"""The syntax tree. Every node has the offset in the source that errors about it point to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Node:
    at: int


@dataclass(slots=True, eq=False)
class Literal(Node):
    value: Any


@dataclass(slots=True, eq=False)
class Ident(Node):
    name: str


@dataclass(slots=True, eq=False)
class Select(Node):
    """`operand.field`; `test` for has(operand.field)."""

    operand: Node
    field: str
    test: bool = False


@dataclass(slots=True, eq=False)
class Call(Node):
    """`function(args)` or `target.function(args)`; operators are functions named as in cel-go (`_+_`)."""

    function: str
    args: list[Node]
    target: Node | None = None
    overloads: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ListExpr(Node):
    """`optional` holds the positions of elements written `?x`."""

    elements: list[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class MapExpr(Node):
    entries: list[tuple[Node, Node, bool]]
    """Key, value, and whether the key is written `?k`."""


@dataclass(slots=True, eq=False)
class StructExpr(Node):
    """`Type{field: value}`: no type in a rule can be made so, but it parses."""

    name: str
    entries: list[tuple[str, Node]]


@dataclass(slots=True, eq=False)
class Comprehension(Node):
    """What the macros all, exists, map… stand for; `second` is "" for those of one variable."""

    variable: str
    second: str
    over: Node
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node


ACCUMULATOR = "@result"


def qualified_name(node: Node) -> str | None:
    """`a.b.c` where the node is a chain of plain names."""
    if isinstance(node, Ident):
        return node.name.lstrip(".")
    if isinstance(node, Select) and not node.test:
        prefix = qualified_name(node.operand)
        return f"{prefix}.{node.field}" if prefix is not None else None
    return None
