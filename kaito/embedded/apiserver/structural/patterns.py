"""Regular expressions of Go (RE2's syntax) with Python's engine."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Final

_POSIX: Final = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\t\n\v\f\r ",
    "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f", "word": "0-9A-Za-z_", "ascii": r"\x00-\x7f", "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f", "graph": "!-~", "print": " -~",
}  # fmt: skip
_CATEGORY: Final = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|(\w))")
_GROUP: Final = re.compile(r"\(\?(?:P?<(\w+)>|([imsU]*(?:-[imsU]+)?)([:)]))")
_REPEAT: Final = re.compile(r"[*+?]|\{\d+(?:,\d*)?\}")
_ESCAPES: Final = frozenset("AbBdDsSwWzafnrtvxQE01234567pPC")


@lru_cache(maxsize=1024)
def go_pattern(pattern: str) -> re.Pattern[str]:
    """The compiled pattern: `$` is the very end of the text, classes are ASCII. Raises ValueError in Go's words."""
    try:
        return re.compile(_Translation(pattern).text(), re.ASCII)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {_reason(error, pattern)}: `{pattern}`") from error


def _reason(error: re.error, pattern: str) -> str:
    if "unterminated subpattern" in error.msg:
        return "missing closing )"
    return error.msg


class _Translation:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._out: list[str] = []
        self._at = 0
        # Flags in the middle of a group become a group up to its end: how many to close at each level.
        self._opened = [0]
        self._repeated = False

    def text(self) -> str:
        pattern = self._pattern
        while self._at < len(pattern):
            char = pattern[self._at]
            repeat = _REPEAT.match(pattern, self._at)
            if repeat is not None:
                self._repeat(repeat)
                continue
            self._repeated = False
            if char == "\\":
                self._escape(in_class=False)
            elif char == "[":
                self._class()
            elif char == "(":
                self._group()
            elif char == ")":
                self._close()
            else:
                self._put({"$": r"\Z"}.get(char, char))
        if len(self._opened) > 1:
            raise _wrong("missing closing )", pattern)
        return "".join((*self._out, ")" * self._opened[0]))

    def _put(self, text: str, length: int = 1) -> None:
        self._out.append(text)
        self._at += length

    def _repeat(self, repeat: re.Match[str]) -> None:
        if self._repeated:
            raise _wrong("invalid nested repetition operator", self._since_repeat(repeat))
        if not self._out or self._out[-1] in ("(", "|", "(?:"):
            raise _wrong("missing argument to repetition operator", repeat[0])
        counts = [int(part) for part in repeat[0].strip("{}").split(",") if part.isdigit()]
        if any(count > 1000 for count in counts) or (len(counts) == 2 and counts[0] > counts[1]):
            raise _wrong("invalid repeat count", repeat[0])
        lazy = self._pattern[repeat.end() : repeat.end() + 1] == "?"
        self._start = self._at
        self._put(repeat[0] + ("?" if lazy else ""), len(repeat[0]) + lazy)
        self._repeated = True

    def _since_repeat(self, repeat: re.Match[str]) -> str:
        return self._pattern[self._start : repeat.end()]

    def _escape(self, *, in_class: bool) -> None:
        pattern, at = self._pattern, self._at
        if at + 1 == len(pattern):
            raise ValueError(r"error parsing regexp: trailing backslash at end of expression: ``")
        following = pattern[at + 1]
        if (category := _CATEGORY.match(pattern, at)) is not None:
            self._put(_category(category, in_class=in_class), len(category[0]))
        elif following == "Q" and not in_class:
            end = pattern.find(r"\E", at)
            quoted = pattern[at + 2 :] if end < 0 else pattern[at + 2 : end]
            self._put(re.escape(quoted), len(quoted) + (2 if end < 0 else 4))
        elif following == "x" and pattern[at + 2 : at + 3] == "{":
            end = pattern.find("}", at)
            self._put(re.escape(chr(int(pattern[at + 3 : end], 16))), end - at + 1)
        elif following == "z" and not in_class:
            self._put(r"\Z", 2)
        elif following == "C":
            self._put(".", 2)
        elif (following.isascii() and following.isalnum() and following not in _ESCAPES) or following in "123456789":
            raise _wrong("invalid escape sequence", f"\\{following}")
        else:
            self._put(pattern[at : at + 2], 2)

    def _class(self) -> None:
        pattern = self._pattern
        start = self._at
        self._put("[")
        if pattern[self._at : self._at + 1] == "^":
            self._put("^")
        first = True
        while self._at < len(pattern):
            char = pattern[self._at]
            if char == "]" and not first:
                self._put("]")
                return
            first = False
            if pattern.startswith("[:", self._at) and (end := pattern.find(":]", self._at)) > 0:
                name = pattern[self._at + 2 : end]
                if name.lstrip("^") not in _POSIX:
                    raise _wrong("invalid character class range", f"[:{name}:]")
                text = _POSIX[name.lstrip("^")]
                self._put(_negated(text) if name.startswith("^") else text, end + 2 - self._at)
            elif char == "\\":
                self._escape(in_class=True)
            else:
                self._put("\\" + char if char in "[&~|]" else char)
        raise _wrong("missing closing ]", pattern[start:])

    def _group(self) -> None:
        pattern, at = self._pattern, self._at
        if not pattern.startswith("(?", at):
            self._opened.append(0)
            self._put("(")
            return
        found = _GROUP.match(pattern, at)
        if found is None:
            raise _wrong("invalid or unsupported Perl syntax", pattern[at : at + 3])
        if found[1]:
            self._opened.append(0)
            self._put(f"(?P<{found[1]}>", len(found[0]))
            return
        flags = found[2].replace("U", "")
        opening = f"(?{flags}:" if flags.strip("-") else "(?:"
        if found[3] == ":":
            self._opened.append(0)
        else:
            self._opened[-1] += 1
        self._put(opening, len(found[0]))

    def _close(self) -> None:
        if len(self._opened) == 1:
            raise _wrong("unexpected )", self._pattern)
        self._put(")" * (self._opened.pop() + 1))


def _wrong(reason: str, part: str) -> ValueError:
    return ValueError(f"error parsing regexp: {reason}: `{part}`")


def _category(found: re.Match[str], *, in_class: bool) -> str:
    name = found[3] or found[4]
    ranges = _ranges(name)
    if ranges is None:
        raise _wrong("invalid character class range", found[0])
    negated = (found[1] == "P") != bool(found[2])
    if in_class:
        return _negated(ranges) if negated else ranges
    return f"[^{ranges}]" if negated else f"[{ranges}]"


@lru_cache(maxsize=64)
def _ranges(name: str) -> str | None:
    """The characters of a Unicode category as the inside of a class; None for scripts, which Python does not know."""
    if name == "Any":
        return r"\x00-\U0010ffff"
    found = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(name)]
    return _joined(found) if found else None


def _negated(ranges: str) -> str:
    inside = re.compile(f"[{ranges}]")
    return _joined([code for code in range(sys.maxunicode + 1) if not inside.match(chr(code))])


def _joined(codes: list[int]) -> str:
    parts: list[str] = []
    start = previous = codes[0]
    for code in [*codes[1:], -1]:
        if code != previous + 1:
            parts.append(f"\\U{start:08x}-\\U{previous:08x}")
            start = code
        previous = code
    return "".join(parts)
