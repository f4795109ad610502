"""Going through a tree."""

from __future__ import annotations

from collections.abc import Iterator

from kaito.embedded.apiserver.structural.cel.nodes import (
    Call,
    Comprehension,
    ListExpr,
    MapExpr,
    Node,
    Select,
)


def children(node: Node) -> list[Node]:
    match node:
        case Select():
            return [node.operand]
        case Call():
            return [*([node.target] if node.target is not None else []), *node.args]
        case ListExpr():
            return node.elements
        case MapExpr():
            return [part for key, value, _ in node.entries for part in (key, value)]
        case Comprehension():
            return [node.over, node.initial, node.condition, node.step, node.result]
    return []


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from walk(child)
