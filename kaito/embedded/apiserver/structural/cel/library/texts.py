"""cel-go's strings extension, version 2. Positions count characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.cel.library import formatting

_WHITESPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"  # noqa: E501


def _out_of_range(index: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out_of_range(index)
    return text[index : index + 1]


def index_of(text: str, wanted: str, start: int | None = None) -> int:
    if start is None:
        return text.find(wanted)
    if wanted == "" and start <= len(text):
        return start
    if start < 0:
        raise _out_of_range(start)
    return text.find(wanted, start) if start < len(text) else -1


def last_index_of(text: str, wanted: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(wanted)
    if wanted == "":
        return start
    if start < 0 or start > len(text):
        raise _out_of_range(start)
    return text.rfind(wanted, 0, start + len(wanted))


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count if count >= 0 else -1)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator) if limit < 0 else text.split(separator, limit - 1)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise _out_of_range(start)
    if not 0 <= stop <= len(text):
        raise _out_of_range(stop)
    if start > stop:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _lower(text: str) -> str:
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in text)


def _upper(text: str) -> str:
    return "".join(chr(ord(char) - 32) if "a" <= char <= "z" else char for char in text)


def _join(items: list[str], separator: str = "") -> str:
    return separator.join(items)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "charAt": _char_at,
    "format": formatting.formatted,
    "join": _join,
    "lowerAscii": _lower,
    "upperAscii": _upper,
    "strings.quote": formatting.quoted,
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda text: text.strip(_WHITESPACE),
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
}
