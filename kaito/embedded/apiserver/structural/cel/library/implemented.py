"""Every function by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel.library import (
    converting,
    formats,
    lists,
    network,
    quantities,
    regular,
    texts,
    times,
    urls,
    versions,
)


def _compare(left: Any, right: Any) -> int:
    return versions.compare(left, right) if isinstance(left, versions.Version) else quantities.COMPARE(left, right)


IMPLEMENTED: Final[dict[str, Callable[..., Any]]] = {
    **converting.FUNCTIONS,
    **formats.FUNCTIONS,
    **lists.FUNCTIONS,
    **network.FUNCTIONS,
    **quantities.FUNCTIONS,
    **texts.FUNCTIONS,
    **times.PARTS,
    **urls.FUNCTIONS,
    **versions.FUNCTIONS,
    "matches": regular.matches,
    "find": regular.find,
    "findAll": regular.find_all,
    # Quantities and versions are compared by the same names.
    "compareTo": _compare,
    "isGreaterThan": lambda left, right: _compare(left, right) > 0,
    "isLessThan": lambda left, right: _compare(left, right) < 0,
}
