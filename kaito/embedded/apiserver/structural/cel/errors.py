"""What can be wrong with an expression, and with its evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Issue(NamedTuple):
    """One complaint of the compiler; `at` is an offset into the source, in characters."""

    at: int
    message: str


class CompileError(ValueError):
    """The expression is none; the text shows each issue with its place, as cel-go prints them."""

    def __init__(self, source: str, issues: Iterable[Issue]) -> None:
        ordered = sorted(set(issues), key=lambda issue: issue.at)
        super().__init__("\n".join(_shown(source, issue) for issue in ordered))


class EvaluationError(Exception):
    """The expression has no value: `no such key: x`, `index out of bounds: 3`, `division by zero`…"""


NO_SUCH_OVERLOAD = "no such overload"
TOO_DEEP = "expression recursion limit exceeded: 250"


def _shown(source: str, issue: Issue) -> str:
    before = source[: issue.at]
    line, column = before.count("\n"), issue.at - (before.rfind("\n") + 1)
    text = source.split("\n")[line].replace("\t", " ")
    pointer = "".join("．" if ord(char) > 127 else "." for char in text[:column].ljust(column, "."))
    mark = "＾" if column < len(text) and ord(text[column]) > 127 else "^"
    return f"ERROR: <input>:{line + 1}:{column + 1}: {issue.message}\n | {text}\n | {pointer}{mark}"
