"""Following paths through a raw schema: whether a field that a rule or a path names is declared."""

from __future__ import annotations

import re
from typing import Any, Final

Json = dict[str, Any]
PART: Final = re.compile(r"\.([A-Za-z_$][\w$-]*)|\['((?:[^'\\]|\\.)*)'\]")


def member(schema: Json, name: str) -> Json | None:
    """The schema of a member; None where it is not declared, an open one where anything goes."""
    found: Json | None = (schema.get("properties") or {}).get(name)
    if found is not None:
        return found
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        return additional
    return {} if schema.get("x-kubernetes-preserve-unknown-fields") or additional is True else None


def resolves(schema: Json, path: str) -> bool:
    """Whether `.spec.a` or `.spec['a']` leads to a declared field."""
    at, current = 0, schema
    while at < len(path):
        found = PART.match(path, at)
        if found is None:
            return False
        name = found[1] if found[1] is not None else found[2]
        following = (current.get("properties") or {}).get(name)
        if following is None:
            return False
        current, at = following, found.end()
    return bool(path)
