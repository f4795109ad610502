"""Kubernetes' semver library (k8s.io/apiserver/pkg/cel/library/semverlib.go, over blang/semver)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError

_PART: Final = re.compile(r"[0-9A-Za-z-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    type_name: ClassVar[str] = "kubernetes.Semver"
    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()

    def order(self) -> tuple[Any, ...]:
        """What comes first sorts first: a version with a pre-release before the same without."""
        pre = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, pre)


def _numeric(text: str, part: str) -> int:
    if not re.fullmatch("[0-9]+", text, re.ASCII):
        raise EvaluationError(f'Invalid character(s) found in {part} number "{text}"')
    if len(text) > 1 and text.startswith("0"):
        raise EvaluationError(f'{part.capitalize()} number must not contain leading zeroes "{text}"')
    if int(text) >= 2**64:
        raise EvaluationError("value out of range")
    return int(text)


def _version(text: str, normalize: bool = False) -> Version:
    if normalize:
        text = _normalized(text)
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise EvaluationError("No Major.Minor.Patch elements found" if text else "Version string empty")
    rest, _, build = parts[2].partition("+")
    patch, dash, pre = rest.partition("-")
    found = tuple(pre.split(".")) if dash else ()
    for part in (*found, *(build.split(".") if "+" in parts[2] else ())):
        if not _PART.fullmatch(part):
            raise EvaluationError(f'Invalid character(s) found in prerelease "{part}"')
    for part in found:
        if part.isdigit() and len(part) > 1 and part.startswith("0"):
            raise EvaluationError(f'Numeric PreRelease version must not contain leading zeroes "{part}"')
    return Version(_numeric(parts[0], "major"), _numeric(parts[1], "minor"), _numeric(patch, "patch"), found)


def _normalized(text: str) -> str:
    """Without `v`, with three numbers, none with leading zeroes."""
    text = text.removeprefix("v")
    parts = text.split(".", 2)
    parts = [
        (part.lstrip("0") or "0") if part and part[:1] == "0" and part.isdigit() and len(part) > 1 else part
        for part in parts
    ]
    if len(parts) < 3:
        if any(char in parts[-1] for char in "+-"):
            raise EvaluationError("Short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _is_version(text: str, normalize: bool = False) -> bool:
    try:
        _version(text, normalize)
    except EvaluationError:
        return False
    return True


def compare(left: Version, right: Version) -> int:
    return (left.order() > right.order()) - (left.order() < right.order())


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "semver": _version,
    "isSemver": _is_version,
    "major": lambda version: version.major,
    "minor": lambda version: version.minor,
    "patch": lambda version: version.patch,
}
