"""Regular expressions: RE2's syntax, as far as Python's engine has it."""

from __future__ import annotations

import re

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.patterns import go_pattern


def compiled(pattern: str) -> re.Pattern[str]:
    """Raises EvaluationError."""
    try:
        return go_pattern(pattern)
    except ValueError as problem:
        raise EvaluationError(str(problem)) from None


def matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def find(text: str, pattern: str) -> str:
    found = compiled(pattern).search(text)
    return found[0] if found else ""


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """What matches, without overlaps; as in Go an empty match right after a match does not count."""
    found: list[str] = []
    end = -1
    for match in compiled(pattern).finditer(text):
        if match.end() > match.start() or match.start() != end:
            found.append(match[0])
        end = match.end()
    return found if limit < 0 else found[:limit]
