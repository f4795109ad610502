"""Field errors that render as knative's `apis.FieldError` does, because users see and match these texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class FieldError:
    """One finding: a message, the paths it is about (possibly none), and details for a line of their own."""

    message: str
    paths: tuple[str, ...] = ()
    details: str = ""


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
            tuple(replace(one, paths=tuple(_join(prefix, path) for path in one.paths)) for one in self.findings)
        )

    def __str__(self) -> str:
        """One finding a line: equal messages merged, paths sorted and unique, lines in order of their messages."""
        merged: dict[tuple[str, str], set[str]] = {}
        for one in self.findings:
            merged.setdefault((one.message, one.details), set()).update(one.paths)
        return "\n".join(
            f"{message}: {', '.join(sorted(paths))}" + (f"\n{details}" if details else "")
            for (message, details), paths in sorted(merged.items())
        )


NONE = FieldErrors()


def generic(message: str, *paths: str) -> FieldErrors:
    """`<message>: <paths>`."""
    return FieldErrors((FieldError(message, paths),))


def invalid(value: str, path: str, details: str = "") -> FieldErrors:
    """`invalid value: <value>: <path>`, and the details on the next line."""
    return FieldErrors((FieldError(f"invalid value: {value}", (path,), details),))


def missing(*paths: str) -> FieldErrors:
    """`missing field(s): <paths>`."""
    return generic("missing field(s)", *paths)
