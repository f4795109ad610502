"""Label and field selectors as in k8s.io/apimachinery/pkg/labels and pkg/fields, with their error texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kaito.embedded.apiserver.errors import bad_request

_SPECIAL = "=!(),<>"
_OPERATORS = {"=", "==", "!=", "in", "notin", ">", "<", "gt", "lt"}
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


class SelectorError(ValueError):
    """The text is no selector; the message is what Kubernetes says."""


@dataclass(frozen=True)
class Requirement:
    """One term of a label selector; `operator` is in, notin, exists, !, gt or lt."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        try:
            number, bound = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > bound if self.operator == "gt" else number < bound


@dataclass(frozen=True)
class LabelSelector:
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        present = labels or {}
        return all(requirement.matches(present) for requirement in self.requirements)


class _Token(NamedTuple):
    kind: str  # identifier, one of the operators, "," "(" ")" or "end"
    text: str


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char in " \t\r\n":
            position += 1
        elif char in _SPECIAL:
            end = position + 1
            # A run of special characters is read as long as it is the start of a token.
            while end < len(text) and text[position : end + 1] in ("==", "!="):
                end += 1
            found.append(_Token(text[position:end], text[position:end]))
            position = end
        else:
            end = position
            while end < len(text) and text[end] not in _SPECIAL and text[end] not in " \t\r\n":
                end += 1
            word = text[position:end]
            found.append(_Token(word if word in ("in", "notin") else "identifier", word))
            position = end
    found.append(_Token("end", ""))
    return found


class _Parser:
    """The recursive descent of labels.Parser, kept close to it so that its messages come out the same."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> tuple[Requirement, ...]:
        requirements: list[Requirement] = []
        while True:
            token = self._peek()
            if token.kind in ("identifier", "!", "in", "notin"):
                requirements.append(self._requirement())
                token = self._next()
                if token.kind == "end":
                    return tuple(requirements)
                if token.kind != ",":
                    raise SelectorError(f"found '{token.text}', expected: ',' or 'end of string'")
                after = self._peek()
                if after.kind not in ("identifier", "!", "in", "notin"):
                    raise SelectorError(f"found '{after.text}', expected: identifier after ','")
            elif token.kind == "end":
                return tuple(requirements)
            else:
                raise SelectorError(f"found '{token.text}', expected: !, identifier, or 'end of string'")

    def _peek(self, *, values: bool = False) -> _Token:
        token = self._tokens[self._at]
        return _Token("identifier", token.text) if values and token.kind in ("in", "notin") else token

    def _next(self, *, values: bool = False) -> _Token:
        token = self._peek(values=values)
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _requirement(self) -> Requirement:
        token = self._next(values=True)
        negated = token.kind == "!"
        if negated:
            token = self._next(values=True)
        if token.kind != "identifier":
            raise SelectorError(f"unable to parse requirement: found '{token.text}', expected: identifier")
        key = token.text
        _check_key(key)
        if negated:
            return Requirement(key, "!", frozenset())
        if self._peek().kind in ("end", ","):
            return Requirement(key, "exists", frozenset())
        operator = self._next()
        if operator.kind not in _OPERATORS:
            raise SelectorError(
                f"unable to parse requirement: found '{operator.text}', expected: in, notin, =, ==, !=, gt, lt"
            )
        if operator.kind in ("in", "notin"):
            return _checked(key, operator.kind, self._value_set())
        values = [self._exact_value()]
        name = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}[operator.kind]
        return _checked(key, name, values)

    def _exact_value(self) -> str:
        token = self._peek(values=True)
        if token.kind in ("end", ","):
            return ""
        self._next()
        if token.kind == "identifier":
            return token.text
        raise SelectorError(f"unable to parse requirement: found '{token.text}', expected: identifier")

    def _value_set(self) -> list[str]:
        token = self._next(values=True)
        if token.kind != "(":
            raise SelectorError(f"unable to parse requirement: found '{token.text}' expected: '('")
        token = self._peek(values=True)
        if token.kind == ")":
            self._next()
            return [""]
        if token.kind not in ("identifier", ","):
            raise _unexpected(token, "',', ')' or identifier")
        values = self._identifiers()
        closing = self._next(values=True)
        if closing.kind != ")":
            raise _unexpected(token, "')'")
        return values

    def _identifiers(self) -> list[str]:
        """What stands between the parentheses; an empty place between commas is the empty value."""
        values: set[str] = set()
        while True:
            token = self._next(values=True)
            if token.kind == "identifier":
                values.add(token.text)
                after = self._peek(values=True)
                if after.kind == ")":
                    return sorted(values)
                if after.kind != ",":
                    raise _unexpected(after, "',' or ')'")
            elif token.kind == ",":
                if not values:
                    values.add("")
                after = self._peek(values=True)
                if after.kind == ")":
                    return sorted({*values, ""})
                if after.kind == ",":
                    self._next(values=True)
                    values.add("")
            else:
                raise _unexpected(token, "',', or identifier")


def _unexpected(token: _Token, expected: str) -> SelectorError:
    return SelectorError(f"unable to parse requirement: found '{token.text}', expected: {expected}")


def quoted(text: str) -> str:
    """Go's %q for what can stand in a query."""
    return json.dumps(text, ensure_ascii=False)


def _check_key(key: str) -> None:
    problems = qualified_name_problems(key)
    if problems:
        raise SelectorError(f"unable to parse requirement: <nil>: Invalid value: {quoted(key)}: {'; '.join(problems)}")


def _checked(key: str, operator: str, values: Sequence[str]) -> Requirement:
    for index, value in enumerate(values):
        problems = label_value_problems(value)
        if problems:
            place = f"values[{index}][{key}]"
            raise SelectorError(
                f"unable to parse requirement: {place}: Invalid value: {quoted(value)}: {'; '.join(problems)}"
            )
        if operator in ("gt", "lt") and not re.fullmatch(r"[+-]?\d+", value):
            raise SelectorError(
                f'unable to parse requirement: values[{index}]: Invalid value: "{value}": '
                "for 'Gt', 'Lt' operators, the value must be an integer"
            )
    return Requirement(key, operator, frozenset(values))


def qualified_name_problems(name: str) -> list[str]:
    """What is wrong with a label key or another qualified name (util/validation.IsQualifiedName)."""
    prefix, slash, rest = name.rpartition("/")
    problems: list[str] = []
    if slash:
        if "/" in prefix:
            return [
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and "
                "end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
                "for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix "
                "and '/' (e.g. 'example.com/MyName')"
            ]
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            if len(prefix) > 253:
                problems.append("prefix part must be no more than 253 characters")
            if not _SUBDOMAIN.fullmatch(prefix):
                problems.append(
                    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
                    "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
                    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                )
    if not rest:
        problems.append("name part must be non-empty")
    elif len(rest) > 63:
        problems.append("name part must be no more than 63 characters")
    if not _QUALIFIED.fullmatch(rest):
        problems.append(QUALIFIED_NAME_TEXT)
    return problems


def label_value_problems(value: str) -> list[str]:
    """What is wrong with a label's value (util/validation.IsValidLabelValue)."""
    problems: list[str] = []
    if len(value) > 63:
        problems.append("must be no more than 63 characters")
    if value and not _QUALIFIED.fullmatch(value):
        problems.append(LABEL_VALUE_TEXT)
    return problems


def parse_label_selector(text: str) -> LabelSelector:
    """Raises a 400 StatusError with the text that the real server sends."""
    if not text:
        return LabelSelector()
    try:
        return LabelSelector(_Parser(text).parse())
    except SelectorError as problem:
        raise bad_request(str(problem)) from None


@dataclass(frozen=True)
class FieldSelector:
    """Terms (field, value, wanted): wanted False is "!="."""

    terms: tuple[tuple[str, str, bool], ...] = ()

    def value_of(self, field: str) -> str | None:
        """The value that `field` must equal, where the selector says so."""
        return next((value for name, value, wanted in self.terms if wanted and name == field), None)

    def matches(self, read: Callable[[str], str]) -> bool:
        """`read` gives an object's value of a field as text."""
        return all((read(field) == value) is wanted for field, value, wanted in self.terms)


def parse_field_selector(text: str) -> FieldSelector:
    """Raises a 400 StatusError for text that is no selector; which fields there are is not asked here."""
    terms: list[tuple[str, str, bool]] = []
    for part in sorted(_split_terms(text)):
        if not part:
            continue
        field, operator, raw = _split_operator(text, part)
        terms.append((field, _unescape(raw), operator != "!="))
    return FieldSelector(tuple(terms))


def _split_terms(text: str) -> list[str]:
    """Splits at commas that no backslash escapes."""
    if "\\" not in text:
        return text.split(",")
    parts, part, escaped = [], "", False
    for char in text:
        if char == "," and not escaped:
            parts.append(part)
            part = ""
        else:
            part += char
        escaped = char == "\\" and not escaped
    return [*parts, part]


def _split_operator(selector: str, part: str) -> tuple[str, str, str]:
    for position in range(len(part)):
        for operator in ("!=", "==", "="):
            if part.startswith(operator, position):
                return part[:position], operator, part[position + len(operator) :]
    raise bad_request(f"invalid selector: '{selector}'; can't understand '{part}'")


def _unescape(value: str) -> str:
    if not re.search(r"[\\,=]", value):
        return value
    out: list[str] = []
    position = 0
    while position < len(value):
        char = value[position]
        if char == "\\":
            following = value[position + 1 : position + 2]
            if following not in ("\\", ",", "="):
                raise bad_request(f"invalid field selector: invalid escape sequence: {char}{following}")
            out.append(following)
            position += 2
            continue
        if char in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(char)}")
        out.append(char)
        position += 1
    return "".join(out)
