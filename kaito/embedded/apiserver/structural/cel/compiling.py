"""From a rule's text to something that can be evaluated, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel import evaluating, literals, parsing
from kaito.embedded.apiserver.structural.cel.checking import Checked, Fields, check
from kaito.embedded.apiserver.structural.cel.costs import Coster, SizeOf
from kaito.embedded.apiserver.structural.cel.errors import TOO_DEEP, CompileError, EvaluationError, Issue
from kaito.embedded.apiserver.structural.cel.evaluating import Program
from kaito.embedded.apiserver.structural.cel.library import costs, regular
from kaito.embedded.apiserver.structural.cel.library.implemented import IMPLEMENTED
from kaito.embedded.apiserver.structural.cel.nodes import Call, Literal, Node
from kaito.embedded.apiserver.structural.cel.types import Type
from kaito.embedded.apiserver.structural.cel.walking import walk

_FOLDED: Final = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")


class ProgramError(ValueError):
    """The expression is well typed, but what it does with constants cannot work."""


@dataclass(frozen=True)
class Compiled:
    program: Program
    result: Type
    names: frozenset[str]
    cost: int
    """The highest estimate, in units of cel-go."""


class ResultError(ValueError):
    """The expression has another type than the wanted one."""


def compile_expression(
    source: str, variables: Mapping[str, Type], fields: Fields, size_at: SizeOf, wanted: Type | None = None
) -> Compiled:
    """Raises CompileError, ResultError where the result is not of the wanted type, and ProgramError."""
    try:
        return _compile(source, variables, fields, size_at, wanted)
    except RecursionError:
        raise CompileError(source, [Issue(0, TOO_DEEP)]) from None


def _compile(
    source: str, variables: Mapping[str, Type], fields: Fields, size_at: SizeOf, wanted: Type | None
) -> Compiled:
    tree = parsing.parse(source)
    checked = check(source, tree, variables, fields)
    if found := literals.problems(checked):
        raise CompileError(source, found)
    if wanted is not None and checked.result != wanted:
        raise ResultError(str(checked.result))
    _fold(checked)
    return Compiled(
        _guarded(evaluating.program(checked)),
        checked.result,
        frozenset(checked.names),
        Coster(checked, size_at, costs.estimate).cost(tree).high,
    )


def _guarded(program: Program) -> Program:
    """Where the caller's stack is deep already, a deep expression has no value."""

    def run(variables: evaluating.Variables) -> Any:
        try:
            return program(variables)
        except RecursionError:
            raise EvaluationError(TOO_DEEP) from None

    return run


def _fold(checked: Checked) -> None:
    """Tries what cel-go works out before any evaluation: conversions and patterns that are constant."""
    for node in walk(checked.tree):
        if not isinstance(node, Call):
            continue
        try:
            _constant(node)
            if node.function in ("matches", "find", "findAll") and node.args:
                pattern = _constant(node.args[-1 if node.target is None else 0])
                if isinstance(pattern, str):
                    regular.compiled(pattern)
        except EvaluationError as problem:
            raise ProgramError(str(problem)) from None


_VARIABLE: Final = object()


def _constant(node: Node) -> Any:
    """The value of a literal or of a conversion of one; _VARIABLE for all else."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Call) and node.function in _FOLDED and node.target is None and len(node.args) == 1:
        inner = _constant(node.args[0])
        return inner if inner is _VARIABLE else IMPLEMENTED[node.function](inner)
    return _VARIABLE
