"""Field errors that render as knative's `apis.FieldError` does, because users see and match these texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FieldError:
    """One finding: a message and the paths it is about (possibly none)."""

    message: str
    paths: tuple[str, ...] = ()


def _join(prefix: str, path: str) -> str:
    """`prefix.path`; empty components vanish and an index sticks to what is before it."""
    parts: list[str] = []
    for part in f"{prefix}.{path}".split("."):
        if not part:
            continue
        if parts and part.startswith("[") and part.endswith("]"):
            parts[-1] += part
        else:
            parts.append(part)
    return ".".join(parts)


@dataclass(frozen=True)
class FieldErrors:
    """Any number of findings; false when there are none. Immutable: `+` merges, `via` prefixes."""

    findings: tuple[FieldError, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __add__(self, other: FieldErrors) -> FieldErrors:
        return FieldErrors(self.findings + other.findings)

    def __iter__(self) -> Iterator[FieldError]:
        return iter(self.findings)

    def via(self, prefix: str) -> FieldErrors:
        """The same findings one level further out: paths get `prefix.` in front; findings without path stay so."""
        return FieldErrors(
            tuple(FieldError(one.message, tuple(_join(prefix, path) for path in one.paths)) for one in self.findings)
        )

    def __str__(self) -> str:
        """One finding a line: equal messages merged, paths sorted and unique, lines in order of their messages."""
        merged: dict[str, set[str]] = {}
        for one in self.findings:
            merged.setdefault(one.message, set()).update(one.paths)
        return "\n".join(f"{message}: {', '.join(sorted(paths))}" for message, paths in sorted(merged.items()))


NONE = FieldErrors()


def generic(message: str, *paths: str) -> FieldErrors:
    """`<message>: <paths>`."""
    return FieldErrors((FieldError(message, paths),))


def invalid(value: str, path: str) -> FieldErrors:
    """`invalid value: <value>: <path>`."""
    return generic(f"invalid value: {value}", path)


def missing(*paths: str) -> FieldErrors:
    """`missing field(s): <paths>`."""
    return generic("missing field(s)", *paths)
