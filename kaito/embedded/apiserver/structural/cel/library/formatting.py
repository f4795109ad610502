"""`'%s is %d'.format([…])` and `strings.quote` (cel-go's ext/formatting.go, version 1)."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, NamedTuple

from kaito.embedded.apiserver.schemas.go_text import number_text
from kaito.embedded.apiserver.structural.cel.errors import EvaluationError
from kaito.embedded.apiserver.structural.cel.kinds import type_name
from kaito.embedded.apiserver.structural.cel.values import Duration, Timestamp, TypeValue, UInt

_ESCAPES: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\",
    '"': '\\"',
}  # fmt: skip
_CLAUSE: Final = re.compile(r"%(?:(%)|(?:\.(\d+))?(.))", re.DOTALL)
_DEFAULT_PRECISION: Final = 6
_RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_WORDS: Final = {
    "d": ("decimal clause can only be used on integers", {"int", "uint"}),
    "f": ("fixed-point clause can only be used on doubles", {"double", "string"}),
    "e": ("scientific clause can only be used on doubles", {"double", "string"}),
    "b": ("only integers and bools can be formatted as binary", {"int", "uint", "bool"}),
    "x": ("only integers, byte buffers, and strings can be formatted as hex", {"int", "uint", "string", "bytes"}),
    "X": ("only integers, byte buffers, and strings can be formatted as hex", {"int", "uint", "string", "bytes"}),
    "o": ("octal clause can only be used on integers", {"int", "uint"}),
}
_STRINGS: Final = {
    *("list", "map", "int", "uint", "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null_type"),
}


class Clause(NamedTuple):
    verb: str
    precision: int | None


def clauses(text: str) -> list[Clause]:
    """The clauses of a format string, `%%` apart. Raises EvaluationError."""
    found: list[Clause] = []
    for match in _CLAUSE.finditer(text):
        if match[1]:
            continue
        if match[3] not in "sdfebxXo":
            raise EvaluationError(f'unrecognized formatting clause "{match[3]}"')
        found.append(Clause(match[3], int(match[2]) if match[2] else None))
    if text.replace("%%", "").endswith("%"):
        raise EvaluationError("unexpected end of string")
    return found


def unfit(clause: Clause, kind: str) -> str:
    """Why a value of the type cannot be written so; empty where it can."""
    if clause.verb == "s":
        if kind in _STRINGS:
            return ""
        words = (
            "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, "
        )
        return f"{words}and timestamps, was given {kind}"
    message, kinds = _WORDS[clause.verb]
    return "" if kind in kinds else f"{message}, was given {kind}"


def formatted(text: str, args: list[Any]) -> str:
    """Raises EvaluationError."""
    out: list[str] = []
    at = used = 0
    clauses(text)
    for match in _CLAUSE.finditer(text):
        out.append(text[at : match.start()])
        at = match.end()
        if match[1]:
            out.append("%")
            continue
        if used >= len(args):
            raise EvaluationError(f"index {used} out of range")
        clause = Clause(match[3], int(match[2]) if match[2] else None)
        out.append(_written(clause, args[used]))
        used += 1
    if used < len(args):
        raise EvaluationError(f"too many arguments supplied to string.format (expected {used}, got {len(args)})")
    return "".join((*out, text[at:]))


def _written(clause: Clause, value: Any) -> str:
    if reason := unfit(clause, type_name(value)):
        raise EvaluationError(f"error during formatting: {reason}")
    match clause.verb:
        case "s":
            return shown(value)
        case "d":
            return str(int(value))
        case "f":
            return _fixed(value, clause.precision)
        case "e":
            return _scientific(value, clause.precision)
        case "b":
            return f"{int(value):b}"
        case "o":
            return f"{int(value):o}"
        case _:
            return _hexadecimal(value, upper=clause.verb == "X")


def _special(value: float | str) -> str | None:
    """What is no finite number, also where it is written as a text."""
    if isinstance(value, str):
        if value in ("NaN", "Infinity", "-Infinity"):
            return value
        reason = "fixed-point clause can only be used on doubles"
        raise EvaluationError(f"error during formatting: {reason}, was given {value}")
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return None


def _fixed(value: float, precision: int | None) -> str:
    places = _DEFAULT_PRECISION if precision is None else precision
    if (text := _special(value)) is not None:
        return text
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}" if places else f"{value:,.0f}"


def _scientific(value: float, precision: int | None) -> str:
    places = _DEFAULT_PRECISION if precision is None else precision
    if (text := _special(value)) is not None:
        return text
    mantissa, _, exponent = f"{value:.{places}e}".partition("e")
    return f"{mantissa}×10{exponent.removeprefix('+').translate(_RAISED)}"


def _hexadecimal(value: Any, *, upper: bool) -> str:
    if isinstance(value, str):
        text = value.encode().hex()
    elif isinstance(value, bytes):
        text = value.hex()
    else:
        text = f"{int(value):x}"
    return text.upper() if upper else text


def shown(value: Any) -> str:
    """The value as `%s` writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case UInt() | int():
            return str(int(value))
        case float():
            return _special(value) or number_text(value)
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case Timestamp() | Duration():
            return str(value)
        case TypeValue():
            return value.name
        case list():
            return "[" + ", ".join(map(_inner, value)) + "]"
        case dict():
            pairs = sorted((_inner(key), _inner(item)) for key, item in value.items())
            return "{" + ", ".join(f"{key}:{item}" for key, item in pairs) + "}"
    raise EvaluationError("no such overload")


def _inner(value: Any) -> str:
    """The value inside a list or a map: as it is written in CEL, nearly."""
    match value:
        case str():
            return quoted(value)
        case bytes():
            return f"b{quoted(shown(value))}"
        case float():
            if math.isnan(value):
                return '"NaN"'
            if math.isinf(value):
                return '"+Inf"' if value > 0 else '"-Inf"'
            return f"{value:.{_DEFAULT_PRECISION}f}"
        case Timestamp():
            return f"timestamp({quoted(shown(value))})"
        case Duration():
            return f"duration({quoted(shown(value))})"
    return shown(value)


def quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'
