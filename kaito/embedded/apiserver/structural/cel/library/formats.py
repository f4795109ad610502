"""Kubernetes' format library (k8s.io/apiserver/pkg/cel/library/format.go)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.structural import formats
from kaito.embedded.apiserver.structural.cel.values import NONE, Optional


@dataclass(frozen=True, slots=True)
class Format:
    type_name: ClassVar[str] = "kubernetes.NamedFormat"
    name: str


def _prefix(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """A name's beginning may end with a dash."""
    return lambda text: check(f"{text[:-1]}a" if len(text) > 1 and text.endswith("-") else text)


def _format(name: str, message: str) -> Callable[[str], list[str]]:
    return lambda text: [] if formats.fits(name, text) else [message]


CHECKS: Final[dict[str, Callable[[str], list[str]]]] = {
    "dns1123Label": names.label,
    "dns1123Subdomain": names.subdomain,
    "dns1035Label": names.label_1035,
    "qualifiedName": names.qualified_name,
    "dns1123LabelPrefix": _prefix(names.label),
    "dns1123SubdomainPrefix": _prefix(names.subdomain),
    "dns1035LabelPrefix": _prefix(names.label_1035),
    "labelValue": names.label_value,
    "uri": _format("uri", "invalid URI"),
    "uuid": _format("uuid", "does not match the UUID format"),
    "byte": _format("byte", "invalid base64"),
    "date": _format("date", "invalid date"),
    "datetime": _format("date-time", "invalid datetime"),
}


def _named(name: str) -> Optional:
    return Optional(True, Format(name)) if name in CHECKS else NONE


def _validate(given: Format, text: str) -> Optional:
    found = CHECKS[given.name](text)
    return Optional(True, found) if found else NONE


def _constant(name: str) -> Callable[[], Format]:
    return lambda: Format(name)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "format.named": _named,
    "validate": _validate,
    **{f"format.{name}": _constant(name) for name in CHECKS},
}
