"""How members of objects are called in CEL (k8s.io/apiserver/pkg/cel/escaping.go)."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SPECIAL: Final = re.compile(r"__|[.\-/]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-/]*\Z")
_RESERVED: Final = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
        *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)


def escape(name: str) -> str | None:
    """The CEL identifier of a member: `a-b` -> `a__dash__b`, `in` -> `__in__`; None for one that cannot be named."""
    if name in _RESERVED:
        return f"__{name}__"
    if _IDENTIFIER.match(name) is None:
        return None
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], name)
