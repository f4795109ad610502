"""CEL rules of custom resources: x-kubernetes-validations (apiextensions-apiserver/pkg/apiserver/schema/cel)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural.binding import bound
from kaito.embedded.apiserver.structural.cel.compiling import Compiled, ProgramError, ResultError, compile_expression
from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, CompileError, EvaluationError
from kaito.embedded.apiserver.structural.cel.types import BOOL, STRING, Type, optional_of
from kaito.embedded.apiserver.structural.cel.values import NONE, Optional
from kaito.embedded.apiserver.structural.declared_types import Declared, declare
from kaito.embedded.apiserver.structural.schema import ABSENT, Node, Rule, member_path
from kaito.embedded.apiserver.structural.schema_paths import normalized
from kaito.embedded.apiserver.structural.validation import correlated, same

PREFIXES: Final = {
    "FieldValueForbidden": "Forbidden: ",
    "FieldValueRequired": "Required value: ",
}
MESSAGE_TYPE: Final = "must evaluate to a string"
LONGEST_MESSAGE: Final = 5 * 1024


class RuleError(ValueError):
    """The rule cannot be compiled; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """One rule, ready to be evaluated."""

    rule: Rule
    compiled: Compiled
    message: Compiled | None
    path: str

    @property
    def is_transition(self) -> bool:
        return "oldSelf" in self.compiled.names


def compile_rule(text: str, declared: Declared, *, optional_old_self: bool, wanted: Type = BOOL) -> Compiled:
    """A rule or (`wanted` STRING) a message of a schema whose type is `declared`. Raises RuleError."""
    old = optional_of(declared.type) if optional_old_self else declared.type
    variables = {"self": declared.type, "oldSelf": old}
    try:
        return compile_expression(text, variables, declared.objects(), declared.size_at, wanted)
    except CompileError as problem:
        raise RuleError(f"compilation failed: {problem}") from None
    except ResultError:
        raise RuleError("cel expression must evaluate to a bool" if wanted == BOOL else MESSAGE_TYPE) from None
    except ProgramError as problem:
        raise RuleError(f"program instantiation failed: {problem}") from None


def evaluate(node: Node, value: Any, old: Any = ABSENT) -> tuple[list[Cause], list[Cause]]:
    """The rules at and below the root that do not hold, and those that need not hold: what they look at did not change.

    `old` is the stored object, ABSENT on create. The latter become warnings.
    """
    walk = _Walk()
    walk.visit(node, value, "", old, old, unchanged=False)
    return walk.causes, walk.ratcheted


class _Walk:
    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self.ratcheted: list[Cause] = []

    def visit(self, node: Node, value: Any, path: str, old: Any, correlate: Any, *, unchanged: bool) -> None:
        """`old` is what oldSelf means, `correlate` the counterpart by which an unchanged value is known; both may be
        ABSENT. `unchanged`: the nearest ancestor with a counterpart equals it."""
        if not node.any_rules or value is None:
            return
        if correlate is not ABSENT:
            unchanged = value is correlate or (value == correlate and same(value, correlate))
        if node.rules:
            self._check(node, value, path, old, unchanged=unchanged)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            beside = correlate if isinstance(correlate, dict) else {}
            for key in sorted(value):
                child = node.child(key)
                if child is not None and child.any_rules:
                    here = member_path(node, path, key)
                    pair = before.get(key, ABSENT), beside.get(key, ABSENT)
                    self.visit(child, value[key], here, *pair, unchanged=unchanged)
        elif isinstance(value, list) and node.items is not None and node.items.any_rules:
            for index, item in enumerate(value):
                counterpart = correlated(node, item, old)
                self.visit(node.items, item, f"{path}[{index}]", counterpart, counterpart, unchanged=unchanged)

    def _check(self, node: Node, value: Any, path: str, old: Any, *, unchanged: bool) -> None:
        if node.programs is None:
            node.programs = _programs(node)
        old = ABSENT if old is None else old
        before: Any = ABSENT
        variables: dict[str, Any] | None = None
        for program in node.programs:
            rule = program.rule
            if program.is_transition and old is ABSENT and not rule.optional_old_self:
                continue
            if variables is None:
                variables = {"self": bound(node, value)}
            if program.is_transition:
                if before is ABSENT and old is not ABSENT:
                    before = bound(node, old)
                given = {**variables, "oldSelf": _old_self(before, optional=rule.optional_old_self)}
            else:
                given = variables
            cause, is_error = _failure(program, node, path, given)
            if cause is not None:
                quiet = unchanged and not program.is_transition and not is_error
                (self.ratcheted if quiet else self.causes).append(cause)


def _old_self(before: Any, *, optional: bool) -> Any:
    if not optional:
        return before
    return NONE if before is ABSENT else Optional(True, before)


def _programs(node: Node) -> list[Program]:
    declared = declare(node.source, is_resource=node.is_resource)
    if declared is None:
        return []
    declared = declared.named("self")
    found = []
    for rule in node.rules:
        if not rule.rule.strip():
            continue
        made = compile_rule(rule.rule, declared, optional_old_self=rule.optional_old_self)
        message = None
        if rule.message_expression:
            optional = rule.optional_old_self
            message = compile_rule(rule.message_expression, declared, optional_old_self=optional, wanted=STRING)
        path = normalized(node.source, rule.field_path) if rule.field_path else ""
        found.append(Program(rule, made, message, path))
    return found


def _failure(program: Program, node: Node, path: str, variables: Mapping[str, Any]) -> tuple[Cause | None, bool]:
    """What is wrong, and whether that is an error of the evaluation rather than a rule that does not hold."""
    rule, kind = program.rule, node.type
    try:
        if program.compiled.program(variables) is True:
            return None, False
    except EvaluationError as problem:
        text = rule.message.strip() or rule.rule.strip()
        if str(problem).startswith(NO_SUCH_OVERLOAD):
            reason = "call arguments did not match a supported operator, function or macro signature for rule"
            detail = f"'{problem}': {reason}: {text}"
        else:
            detail = f"{problem} evaluating rule: {text}"
        return Cause(path or "<nil>", f'Invalid value: "{kind}": {detail}'), True
    where = path + program.path if path else program.path.lstrip(".")
    detail = _message(program, variables) or rule.message.strip() or f"failed rule: {rule.rule.strip()}"
    return _cause(rule.reason, where or "<nil>", kind, detail), False


def _message(program: Program, variables: Mapping[str, Any]) -> str:
    """What the message expression says; empty where it cannot be used, as on the real server."""
    if program.message is None:
        return ""
    try:
        text = program.message.program(variables)
    except EvaluationError:
        return ""
    text = text.strip() if isinstance(text, str) else ""
    return "" if "\n" in text or len(text.encode()) > LONGEST_MESSAGE else text


def _cause(reason: str, where: str, kind: str, detail: str) -> Cause:
    if reason == "FieldValueDuplicate":
        return Cause(where, f'Duplicate value: "{kind}"', reason)
    prefix = PREFIXES.get(reason)
    if prefix is None:
        return Cause(where, f'Invalid value: "{kind}": {detail}', reason)
    return Cause(where, f"{prefix}{detail}", reason)
