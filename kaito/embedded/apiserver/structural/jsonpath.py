"""JSONPath as printer columns, scale paths and selectable fields use it (k8s.io/client-go/util/jsonpath, a subset).

Known: `.name`, `['name']`, `\\.` escapes inside names, `[0]`, `[-1]`, `[1:3]`, `[*]`, `.*`, `..name`, unions `[0,2]`
and
`['a','b']`, filters `[?(@.type=="Ready")]` with ==, !=, <, <=, >, >= and bare existence. Anything else is a PathError.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = re.compile(r"(?:\\.|[^\s.\[\]{}()'\"@?*,\\])+")
FILTER: Final = re.compile(r"\[\?\(\s*(.+?)\s*\)\]")
COMPARISON: Final = re.compile(r"^(@[^=!<>]*?)\s*(==|!=|<=|>=|<|>)\s*(.+)$")
SLICE: Final = re.compile(r"^(-?\d*):(-?\d*)(?::(-?\d*))?$")
COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
ABSENT: Final = object()


class PathError(ValueError):
    """The text is no JSONPath that this server knows; the message says what and where."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A parsed path; `find` gives every value it leads to, in document order."""

    text: str
    steps: tuple[Callable[[Any], Iterator[Any]], ...]

    def find(self, value: Any) -> list[Any]:
        found = [value]
        for step in self.steps:
            found = [inner for outer in found for inner in step(outer)]
        return found

    def first(self, value: Any) -> Any:
        """The first value, or None where there is none."""
        return next(iter(self.find(value)), None)


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> JsonPath:
    """Parses a path with or without the surrounding braces. Raises PathError."""
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1].strip()
    body = body.removeprefix("$").removeprefix("@")
    steps: list[Callable[[Any], Iterator[Any]]] = []
    at = 0
    while at < len(body):
        step, at = _step(text, body, at)
        if step is not None:
            steps.append(step)
    return JsonPath(text, tuple(steps))


def _step(text: str, body: str, at: int) -> tuple[Callable[[Any], Iterator[Any]] | None, int]:
    if body[at] == "[":
        return _bracket(text, body, at)
    if body.startswith("..", at):
        found = NAME.match(body, at + 2)
        if found is None:
            raise PathError(f"unrecognized character in action at {at + 2} of {text!r}")
        return functools.partial(_recurse, _unescape(found[0])), found.end()
    if body[at] == ".":
        if body.startswith(".*", at):
            return _children, at + 2
        if at + 1 == len(body) or body[at + 1] == "[":
            return None, at + 1
        at += 1
    found = NAME.match(body, at)
    if found is None:
        raise PathError(f"unrecognized character in action: {body[at]!r} at {at} of {text!r}")
    return functools.partial(_member, _unescape(found[0])), found.end()


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _bracket(text: str, body: str, at: int) -> tuple[Callable[[Any], Iterator[Any]], int]:
    if body.startswith("[?(", at):
        found = FILTER.match(body, at)
        if found is None:
            raise PathError(f"unterminated filter in {text!r}")
        return _filter(text, found[1]), found.end()
    end = _closing(body, at)
    if end < 0:
        raise PathError(f"unterminated array in {text!r}")
    inner = body[at + 1 : end].strip()
    return _array(text, inner), end + 1


def _closing(body: str, at: int) -> int:
    quote = ""
    for index in range(at + 1, len(body)):
        char = body[index]
        if quote:
            quote = "" if char == quote and body[index - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char == "]":
            return index
    return -1


def _array(text: str, inner: str) -> Callable[[Any], Iterator[Any]]:
    if inner == "*":
        return _children
    parts = re.findall(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,'"]+""", inner)
    choices: list[Callable[[Any], Iterator[Any]]] = []
    for part in (p.strip() for p in parts):
        if part[:1] in ("'", '"') and part[-1:] == part[:1] and len(part) > 1:
            choices.append(functools.partial(_member, _unescape(part[1:-1])))
        elif re.fullmatch(r"-?\d{1,18}", part):
            choices.append(functools.partial(_index, int(part)))
        elif (found := SLICE.match(part)) and all(len(n or "") < 18 for n in found.groups()):
            bounds = [int(n) if n not in (None, "", "-") else None for n in found.groups()]
            choices.append(functools.partial(_slice, slice(*bounds)))
        else:
            raise PathError(f"invalid array index {part} in {text!r}")
    if not choices:
        raise PathError(f"invalid array index {inner!r} in {text!r}")

    def union(value: Any) -> Iterator[Any]:
        for choice in choices:
            yield from choice(value)

    return union


def _filter(text: str, condition: str) -> Callable[[Any], Iterator[Any]]:
    found = COMPARISON.match(condition)
    if found is None:
        if not condition.startswith("@"):
            raise PathError(f"unrecognized filter {condition!r} in {text!r}")
        return functools.partial(_where, parse(condition), None, None)
    left, compare, right = found.groups()
    return functools.partial(_where, parse(left), COMPARE[compare], _literal(text, right))


def _literal(text: str, literal: str) -> Any:
    if literal[:1] in ("'", '"') and literal[-1:] == literal[:1] and len(literal) > 1:
        return literal[1:-1]
    try:
        return json.loads(literal)
    except ValueError as error:
        raise PathError(f"unrecognized literal {literal!r} in {text!r}") from error


def _member(name: str, value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]


def _index(index: int, value: Any) -> Iterator[Any]:
    if isinstance(value, list) and -len(value) <= index < len(value):
        yield value[index]


def _slice(bounds: slice, value: Any) -> Iterator[Any]:
    if isinstance(value, list) and bounds.step != 0:
        yield from value[bounds]


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _recurse(name: str, value: Any) -> Iterator[Any]:
    yield from _member(name, value)
    for child in _children(value):
        yield from _recurse(name, child)


def _where(path: JsonPath, compare: Callable[[Any, Any], bool] | None, wanted: Any, value: Any) -> Iterator[Any]:
    for item in _children(value):
        found = next(iter(path.find(item)), ABSENT)
        if found is ABSENT:
            continue
        if compare is None:
            yield item
            continue
        try:
            if compare(found, wanted):
                yield item
        except TypeError:
            continue
