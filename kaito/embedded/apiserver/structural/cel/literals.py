"""Checks of what is written down in an expression: cel-go's AST validators as Kubernetes enables them."""

from __future__ import annotations

from collections.abc import Iterable

from kaito.embedded.apiserver.structural.cel import types
from kaito.embedded.apiserver.structural.cel.checking import Checked
from kaito.embedded.apiserver.structural.cel.errors import EvaluationError, Issue
from kaito.embedded.apiserver.structural.cel.library import formatting, regular, times
from kaito.embedded.apiserver.structural.cel.nodes import Call, ListExpr, Literal, MapExpr, Node
from kaito.embedded.apiserver.structural.cel.types import Type
from kaito.embedded.apiserver.structural.cel.walking import walk

_CHECKED = {"duration": times.duration, "timestamp": times.timestamp, "matches": regular.compiled}


def problems(checked: Checked) -> list[Issue]:
    """Durations, times, patterns and format strings that are none, and lists and maps of several types."""
    issues: list[Issue] = []
    free: set[int] = set()
    for node in walk(checked.tree):
        match node:
            case Call():
                issues += _call(node, checked)
                if node.function == "format" and node.target is not None:
                    free |= {id(inner) for arg in node.args for inner in walk(arg)}
            case ListExpr() if id(node) not in free:
                parts = [(element, index in node.optional) for index, element in enumerate(node.elements)]
                issues += _mixed(parts, checked)
            case MapExpr() if id(node) not in free:
                issues += _mixed([(key, False) for key, _, _ in node.entries], checked)
                issues += _mixed([(value, optional) for _, value, optional in node.entries], checked)
    return issues


def _call(node: Call, checked: Checked) -> list[Issue]:
    if node.function in _CHECKED and node.args and node.overloads:
        arg = node.args[-1]
        if isinstance(arg, Literal) and isinstance(arg.value, str):
            try:
                _CHECKED[node.function](arg.value)
            except (EvaluationError, ValueError):
                return [Issue(arg.at, f"invalid {node.function} argument")]
    if node.function == "format" and isinstance(node.target, Literal) and len(node.args) == 1:
        return _format(node, str(node.target.value), checked)
    return []


def _format(node: Call, text: str, checked: Checked) -> list[Issue]:
    given = node.args[0]
    if not isinstance(given, ListExpr):
        return []
    try:
        clauses = formatting.clauses(text)
    except EvaluationError as problem:
        return [Issue(node.at, f"could not parse formatting clause: {problem}")]
    if len(clauses) > len(given.elements):
        return [Issue(node.at, f"index {len(given.elements)} out of range")]
    if len(clauses) < len(given.elements):
        unused = len(given.elements) - len(clauses)
        return [Issue(node.at, f"too many arguments supplied to string.format (expected {len(clauses)}, got {unused})")]
    found = []
    for clause, arg in zip(clauses, given.elements, strict=True):
        for part in _leaves(arg) if clause.verb == "s" else [arg]:
            kind = checked.type_of(part)
            if (message := formatting.unfit(clause, _name(kind))) and kind.kind not in ("dyn", "param"):
                found.append(Issue(part.at, f"error during formatting: {message}"))
    return found


def _leaves(node: Node) -> list[Node]:
    """The parts of a list or map that is written down; the node itself otherwise."""
    match node:
        case ListExpr():
            return [leaf for element in node.elements for leaf in _leaves(element)]
        case MapExpr():
            return [leaf for key, value, _ in node.entries for part in (key, value) for leaf in _leaves(part)]
    return [node]


def _name(kind: Type) -> str:
    if kind.kind in ("opaque", "object"):
        return kind.name
    return "null_type" if kind.kind == "null" else kind.kind


def _mixed(parts: Iterable[tuple[Node, bool]], checked: Checked) -> list[Issue]:
    first: Type | None = None
    for node, optional in parts:
        kind = checked.type_of(node)
        if optional and types.is_optional(kind):
            kind = kind.params[0]
        if first is None:
            first = kind
        elif not _alike(first, kind):
            return [Issue(node.at, f"expected type '{first}' but found '{kind}'")]
    return []


def _alike(left: Type, right: Type) -> bool:
    return left == right
