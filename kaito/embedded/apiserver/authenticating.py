"""From a request's credentials to a User: bearer token, client certificate, or nobody (system:anonymous)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from kaito.embedded.apiserver.errors import unauthorized
from kaito.embedded.apiserver.identity import ANONYMOUS, User, authenticated
from kaito.embedded.apiserver.tokens import InvalidToken, TokenIssuer

_WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."  # noqa: S105 (the name of a subprotocol)


class StaticTokens:
    """Fixed bearer tokens. They are kept and compared as digests, so neither timing nor a dump of them tells one."""

    def __init__(self) -> None:
        self._users: dict[bytes, User] = {}

    def add(self, token: str, name: str, groups: tuple[str, ...] = ()) -> None:
        self._users[_digest(token)] = authenticated(name, groups)

    def find(self, token: str) -> User | None:
        wanted = _digest(token)
        found: User | None = None
        for digest, user in self._users.items():
            if hmac.compare_digest(digest, wanted):
                found = user
        return found


class Authenticator:
    """Tries the ways to prove an identity in the order of the real server: certificate, then token."""

    def __init__(self, static: StaticTokens, issuer: TokenIssuer) -> None:
        self._static = static
        self._issuer = issuer

    def authenticate(self, headers: Mapping[str, str], peer_certificate: Mapping[str, Any] | None) -> User:
        """Raises 401 for a token or certificate that is wrong; no credentials at all is system:anonymous."""
        if peer_certificate:
            user = _certificate_user(peer_certificate)
            if user is not None:
                return user
        header = headers.get("Authorization", "")
        token = ""
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            token = rest.strip()
        if not token:
            token = _websocket_token(headers.get("Sec-WebSocket-Protocol", ""))
        if not token:
            return ANONYMOUS
        return self.user_of(token)

    def user_of(self, token: str) -> User:
        """The user a bearer token stands for. Raises 401."""
        user = self._static.find(token)
        if user is not None:
            return user
        try:
            return self._issuer.verified(token)[0]
        except InvalidToken as problem:
            raise unauthorized() from problem

    def static_user(self, token: str) -> User | None:
        """The user of a fixed bearer token, None where it is none."""
        return self._static.find(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _certificate_user(certificate: Mapping[str, Any]) -> User | None:
    """CommonName is the user, every Organization a group (the TLS layer has already checked the signature)."""
    name = ""
    groups: list[str] = []
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    return authenticated(name, tuple(groups)) if name else None


def _websocket_token(protocols: str) -> str:
    """Browsers cannot set Authorization on a websocket: the token travels as a subprotocol."""
    import base64

    for protocol in protocols.split(","):
        name = protocol.strip()
        if name.startswith(_WEBSOCKET_TOKEN):
            raw = name.removeprefix(_WEBSOCKET_TOKEN)
            try:
                return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
            except ValueError as problem:
                raise unauthorized() from problem
    return ""
