"""The CEL functions that Kubernetes adds to the language, as far as this server knows them.

Every name that may be called in a rule is in KNOWN: a rule that calls anything else is refused when its CRD is written.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.schemas import quantities
from kaito.embedded.apiserver.structural.formats import fits
from kaito.embedded.apiserver.structural.schema import go_pattern


def _find(text: str, pattern: str) -> str:
    found = go_pattern(pattern).search(text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [m[0] for m in go_pattern(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


def _is_sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(items))


def _index_of(holder: Any, wanted: Any, start: int = 0) -> int:
    if isinstance(holder, str):
        return holder.find(wanted, start)
    return next((i for i, item in enumerate(holder) if item == wanted), -1)


def _last_index_of(holder: Any, wanted: Any) -> int:
    if isinstance(holder, str):
        return holder.rfind(wanted)
    return next((i for i in range(len(holder) - 1, -1, -1) if holder[i] == wanted), -1)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if separator == "":
        return list(text)
    return text.split(separator) if limit < 0 else text.split(separator, max(limit - 1, 0))


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError("index out of range")
    return text[start:stop]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError("index out of range")
    return text[index : index + 1]


def _is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except quantities.QuantityError:
        return False
    return True


def _lower_ascii(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _upper_ascii(text: str) -> str:
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in text)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
    "sum": lambda items: sum(items),
    "min": lambda *items: min(items[0] if len(items) == 1 else items),
    "max": lambda *items: max(items[0] if len(items) == 1 else items),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "lowerAscii": _lower_ascii,
    "upperAscii": _upper_ascii,
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "charAt": _char_at,
    "trim": lambda text: text.strip(),
    "join": lambda items, separator="": separator.join(items),
    "isURL": lambda text: fits("uri", text),
    "isIP": lambda text: fits("ipv4", text) or fits("ipv6", text),
    "isCIDR": lambda text: fits("cidr", text),
    "isQuantity": _is_quantity,
}
BUILT_IN: Final = frozenset(
    [
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "size",
        "startsWith",
        "endsWith",
        "contains",
        "matches",
        "string",
        "int",
        "uint",
        "double",
        "bool",
        "bytes",
        "duration",
        "timestamp",
        "type",
        "dyn",
        "hasValue",
        "value",
        "orValue",
        "optional",
        "of",
        "none",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ]
)
KNOWN: Final = BUILT_IN | FUNCTIONS.keys()
CALL: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(")
LITERAL: Final = re.compile(r"""[rR]?"(?:\\.|[^"\\])*"|[rR]?'(?:\\.|[^'\\])*'""", re.DOTALL)
OPERATORS: Final = frozenset({"in"})


def unknown_calls(rule: str) -> list[str]:
    """Names that the rule calls and this server does not have."""
    return [name for name in CALL.findall(LITERAL.sub('""', rule)) if name not in KNOWN and name not in OPERATORS]
