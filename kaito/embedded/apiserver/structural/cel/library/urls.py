"""Kubernetes' URL library (k8s.io/apiserver/pkg/cel/library/urls.go, over net/url's ParseRequestURI)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import unquote_plus

from kaito.embedded.apiserver.structural.cel.errors import EvaluationError

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ESCAPED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>\"%\u0080-\U0010ffff]*")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~$&+,/:;=@!'()*[]%")


@dataclass(frozen=True, slots=True)
class URL:
    type_name: ClassVar[str] = "kubernetes.URL"
    scheme: str
    host: str
    path: str
    query: str

    def port(self) -> str:
        tail = self.host.rpartition("]")[2] if self.host.startswith("[") else self.host
        _, colon, port = tail.rpartition(":")
        return port if colon and (not port or port.isdigit()) else ""

    def hostname(self) -> str:
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        name, colon, port = self.host.rpartition(":")
        return name if colon and (not port or port.isdigit()) else self.host


def _failed(text: str, reason: str) -> EvaluationError:
    return EvaluationError(f'URL parse error during conversion from string: parse "{text}": {reason}')


def _url(text: str) -> URL:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise _failed(text, "net/url: invalid control character in URL")
    if not text:
        raise _failed(text, "empty url")
    scheme, rest = "", text
    if (found := _SCHEME.match(text)) is not None:
        scheme, rest = found[1].lower(), text[found.end() :]
    elif text.startswith(":"):
        raise _failed(text, "missing protocol scheme")
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return URL(scheme, "", "", query)
        raise _failed(text, "invalid URI for request")
    host = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        host = _host(text, authority)
    if (bad := _ESCAPED.search(rest)) is not None:
        raise _failed(text, f'invalid URL escape "{rest[bad.start() : bad.start() + 3]}"')
    return URL(scheme, host, rest, query)


def _host(text: str, authority: str) -> str:
    host = authority.rpartition("@")[2]
    if " " in host or _HOST.fullmatch(host) is None:
        bad = next((char for char in host if not _HOST.fullmatch(char)), " ")
        raise _failed(text, f'invalid character "{bad}" in host name')
    tail = host.rpartition("]")[2] if host.startswith("[") else host
    _, colon, port = tail.rpartition(":")
    if host.startswith("[") and "]" not in host:
        raise _failed(text, "missing ']' in host")
    if colon and port and not port.isdigit():
        raise _failed(text, f'invalid port "{colon}{port}" after host')
    return host


def is_url(text: str) -> bool:
    try:
        _url(text)
    except EvaluationError:
        return False
    return True


def _escaped_path(url: URL) -> str:
    return "".join(
        char if char in _UNRESERVED else "".join(f"%{byte:02X}" for byte in char.encode()) for char in url.path
    )


def _query(url: URL) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in url.query.split("&"):
        if not part or ";" in part or _ESCAPED.search(part):
            continue
        name, _, value = part.partition("=")
        found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "url": _url,
    "isURL": is_url,
    "getScheme": lambda url: url.scheme,
    "getHost": lambda url: url.host,
    "getHostname": lambda url: url.hostname(),
    "getPort": lambda url: url.port(),
    "getEscapedPath": _escaped_path,
    "getQuery": _query,
}
