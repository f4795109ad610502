"""CEL rules of custom resources: x-kubernetes-validations."""

from __future__ import annotations

import re
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas import times
from kaito.embedded.apiserver.structural import cel_engine
from kaito.embedded.apiserver.structural.durations import parse_duration
from kaito.embedded.apiserver.structural.functions import FUNCTIONS, unknown_calls
from kaito.embedded.apiserver.structural.schema import ABSENT, Node, Rule
from kaito.embedded.apiserver.structural.validation import correlated, same, type_name

cel = cel_engine.load()
PREFIXES: Final = {
    "FieldValueForbidden": "Forbidden: ",
    "FieldValueRequired": "Required value: ",
}
# CEL names of members that are no identifiers (k8s.io/apiserver/pkg/cel/escaping.go).
ESCAPES: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
RESERVED: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-/]*\Z")


class RuleError(ValueError):
    """The rule cannot be compiled; the message says why."""


def compile_program(expression: str) -> Any:
    """Raises RuleError for an expression that the CEL library or this server does not know."""
    if missing := unknown_calls(expression):
        name = missing[0]
        at = re.search(rf"\b{name}\s*\(", expression)
        column = at.start() + len(name) if at else 0
        pointer = "." * column + "^"
        place = f"ERROR: <input>:1:{column + 1}: undeclared reference to '{name}' (in container '')"
        raise RuleError(f"{place}\n | {expression}\n | {pointer}")
    try:
        return cel.compile(expression)
    except Exception as error:  # the library raises ValueError and, for some inputs, its own panics
        text = str(error)
        text = text[text.find("ERROR: ") :] if "ERROR: " in text else text
        raise RuleError(text.replace("\n| ", "\n | ")) from error


def evaluate(node: Node, value: Any, path: str, old: Any = ABSENT) -> list[Cause]:
    """The causes of every rule below `node` that does not hold. `old` is the stored counterpart, ABSENT on create."""
    causes: list[Cause] = []
    if not node.any_rules or value is None:
        return causes
    # What did not change cannot be wrong now, except for rules that look at the change. Most writes change the status
    # only, and an evaluation costs more than this comparison.
    asked = node.rules
    if asked and _unchanged(value, old):
        asked = tuple(rule for rule in asked if rule.is_transition)
    if asked:
        self_value, old_value = _bound(node, value), ABSENT if old is ABSENT else _bound(node, old)
        for rule in asked:
            if cause := _check(rule, value, path, self_value, old_value):
                causes.append(cause)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for key in sorted(value):
            child = node.child(key)
            if child is not None and child.any_rules:
                here = f"{path}.{key}" if path else key
                causes += evaluate(child, value[key], here, before.get(key, ABSENT))
    elif isinstance(value, list) and node.items is not None and node.items.any_rules:
        for index, item in enumerate(value):
            causes += evaluate(node.items, item, f"{path}[{index}]", correlated(node, item, old))
    return causes


def _unchanged(value: Any, old: Any) -> bool:
    return value is old or (old is not ABSENT and value == old and same(value, old))


def _check(rule: Rule, value: Any, path: str, self_value: Any, old_value: Any) -> Cause | None:
    if rule.is_transition and old_value is ABSENT and not rule.optional_old_self:
        return None
    variables = {"self": self_value}
    if rule.optional_old_self:
        variables["oldSelf"] = cel.OptionalValue.none() if old_value is ABSENT else cel.OptionalValue.of(old_value)
    elif rule.is_transition:
        variables["oldSelf"] = old_value
    where = (path + rule.field_path).lstrip(".") if rule.field_path else path
    context = cel.Context(variables=variables, functions=FUNCTIONS)
    try:
        if rule.program is None:
            rule.program = compile_program(rule.rule)
        if rule.program.execute(context) is True:
            return None
    except Exception as error:  # CEL evaluation errors have no common base
        message = f"rule evaluation error: {error}: {rule.rule}"
        return Cause(where or "<nil>", f'Invalid value: "{type_name(value)}": {message}')
    return _cause(rule, where, value, _message(rule, context))


def _message(rule: Rule, context: Any) -> str:
    if rule.message_expression:
        try:
            if rule.message_program is None:
                rule.message_program = compile_program(rule.message_expression)
            text = rule.message_program.execute(context)
        except Exception:  # a message that cannot be made is replaced, as the real server does
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text
    return rule.message or f"failed rule: {' '.join(rule.rule.split())}"


def _cause(rule: Rule, where: str, value: Any, message: str) -> Cause:
    prefix = PREFIXES.get(rule.reason)
    if prefix is None:
        word = "Duplicate value" if rule.reason == "FieldValueDuplicate" else "Invalid value"
        prefix = f'{word}: "{type_name(value)}": ' if word == "Invalid value" else f'{word}: "{type_name(value)}"'
        if word == "Duplicate value":
            return Cause(where or "<nil>", prefix, rule.reason)
    return Cause(where or "<nil>", f"{prefix}{message}", rule.reason)


def _bound(node: Node, value: Any) -> Any:
    """The value as rules see it: times and durations typed, member names made identifiers."""
    if isinstance(value, dict):
        bound = {}
        for key, item in value.items():
            child = node.properties.get(key)
            if child is not None:
                bound[escape(key)] = _bound(child, item)
            elif node.additional is not None:
                bound[key] = _bound(node.additional, item)
            elif node.preserve or key in ("apiVersion", "kind", "metadata"):
                bound[key] = item
        return bound
    if isinstance(value, list) and node.items is not None:
        return [_bound(node.items, item) for item in value]
    if isinstance(value, str) and node.format in ("date-time", "date", "duration"):
        return _typed(node.format, value)
    if isinstance(value, int) and not isinstance(value, bool) and node.type == "number":
        return float(value)
    return value


def _typed(name: str, value: str) -> Any:
    if name == "duration":
        return parse_duration(value) or value
    try:
        return times.parse(value if name == "date-time" else f"{value}T00:00:00Z")
    except times.TimeError:
        return value


def escape(name: str) -> str:
    """The CEL identifier of a member: `a-b` -> `a__dash__b`, `in` -> `__in__`."""
    if name in RESERVED:
        return f"__{name}__"
    if IDENTIFIER.match(name):
        for plain, escaped in ESCAPES:
            name = name.replace(plain, escaped)
    return name
