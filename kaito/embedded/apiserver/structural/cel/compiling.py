"""From a rule's text to something that can be evaluated, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kaito.embedded.apiserver.structural.cel import evaluating, literals, parsing
from kaito.embedded.apiserver.structural.cel.checking import Checked, Fields, check
from kaito.embedded.apiserver.structural.cel.costs import Coster, SizeOf
from kaito.embedded.apiserver.structural.cel.errors import CompileError, EvaluationError
from kaito.embedded.apiserver.structural.cel.evaluating import Program
from kaito.embedded.apiserver.structural.cel.library import costs, regular
from kaito.embedded.apiserver.structural.cel.library.implemented import IMPLEMENTED
from kaito.embedded.apiserver.structural.cel.nodes import Call, Literal
from kaito.embedded.apiserver.structural.cel.types import Type
from kaito.embedded.apiserver.structural.cel.walking import walk

_FOLDED = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")


class ProgramError(ValueError):
    """The expression is well typed, but what it does with constants cannot work."""


@dataclass(frozen=True)
class Compiled:
    program: Program
    result: Type
    names: frozenset[str]
    cost: int
    """The highest estimate, in units of cel-go."""


def compile_expression(source: str, variables: Mapping[str, Type], fields: Fields, size_at: SizeOf) -> Compiled:
    """Raises CompileError and ProgramError."""
    tree = parsing.parse(source)
    checked = check(source, tree, variables, fields)
    if found := literals.problems(checked):
        raise CompileError(source, found)
    _fold(checked)
    return Compiled(
        evaluating.program(checked),
        checked.result,
        frozenset(checked.names),
        Coster(checked, size_at, costs.estimate).cost(tree).high,
    )


def _fold(checked: Checked) -> None:
    for node in walk(checked.tree):
        if not isinstance(node, Call) or not node.args or not isinstance(node.args[-1], Literal):
            continue
        value = node.args[-1].value
        try:
            if node.function in _FOLDED and node.target is None:
                IMPLEMENTED[node.function](value)
            elif node.function in ("matches", "find", "findAll") and isinstance(node.args[0], Literal):
                regular.compiled(node.args[0].value)
        except EvaluationError as problem:
            raise ProgramError(str(problem)) from None
