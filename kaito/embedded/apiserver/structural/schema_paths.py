"""Following paths through a raw schema: whether a field that a rule or a path names is declared."""

from __future__ import annotations

import re
from typing import Any, Final

Json = dict[str, Any]
_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\",
}  # fmt: skip


class PathError(ValueError):
    """The path leads nowhere; the message says why, in the real server's words."""


def resolve(schema: Json, path: str, *, arrays: bool = True) -> tuple[str, Json]:
    """`.spec.a` or `.spec['a']` in normal form (`.spec.a`, `.labels[a]`), and the schema it leads to. Raises PathError.

    Only members of objects and maps can be named; `arrays`: whether `['a']` may be written.
    """
    tokens = _TOKEN.findall(path)
    where, at = "", 0

    def following() -> str:
        nonlocal at
        at += 1
        if at >= len(tokens):
            raise PathError("unexpected end of JSON path")
        return str(tokens[at])

    while at < len(tokens):
        token = tokens[at]
        if token == "[":  # noqa: S105
            if not arrays:
                raise PathError("array notation is not allowed")
            quoted = following()
            if len(quoted) < 2 or not (quoted[0] == quoted[-1] == "'"):
                raise PathError(f"expected single quoted string but got {quoted}")
            where, schema = _step(where, schema, _unescaped(quoted[1:-1]))
            if (closing := following()) != "]":
                raise PathError(f"expected ] but got {closing}")
        elif token == ".":  # noqa: S105
            where, schema = _step(where, schema, following())
        else:
            raise PathError(f"expected [ or . but got: {token}")
        at += 1
    return where, schema


def _step(where: str, schema: Json, name: str) -> tuple[str, Json]:
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    if properties:
        if name not in properties:
            raise PathError("does not refer to a valid field")
        return f"{where}.{name}", properties[name]
    if isinstance(additional, dict):
        return f"{where}[{name}]", additional
    raise PathError("does not refer to a valid field")


def _unescaped(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise PathError(f"invalid string literal: invalid escape char {found[0]}")
        return _ESCAPES[found[1]]

    return _ESCAPE.sub(plain, text)


def resolves(schema: Json, path: str) -> bool:
    try:
        resolve(schema, path)
    except PathError:
        return False
    return bool(path)


def normalized(schema: Json, path: str) -> str:
    """The path in normal form; as it is where it leads nowhere."""
    try:
        return resolve(schema, path.strip())[0]
    except PathError:
        return path
