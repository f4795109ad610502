"""Service-account tokens: JWTs signed with RS256, bound to their object, as TokenRequest issues them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kaito.embedded.apiserver.identity import User, authenticated, service_account_name
from kaito.embedded.pki import ServiceAccountKey

ISSUER = "https://kubernetes.default.svc"
DEFAULT_SECONDS = 3600
_VERIFIED_KEPT = 512


class InvalidToken(Exception):
    """The token is not one of ours ("" as message), has expired, or its account is gone: in the real server's words."""


@dataclass(frozen=True)
class Bound:
    """The object a token is bound to; it dies with it."""

    kind: str
    name: str
    uid: str


class TokenIssuer:
    """Issues and verifies tokens. `uid_of(kind, namespace, name)` is the uid of a live object, "" where it is gone."""

    def __init__(
        self,
        key: ServiceAccountKey,
        uid_of: Callable[[str, str, str], str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._private = key.key
        self._public = key.key.public_key()
        self._uid_of = uid_of
        self._now = now
        der = self._public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = _encode(hashlib.sha256(der).digest())
        self._verified: dict[bytes, dict[str, Any]] = {}

    def issue(
        self, namespace: str, name: str, uid: str, *, audiences: Sequence[str], seconds: int, bound: Bound | None
    ) -> tuple[str, float]:
        """The token and the moment (Unix seconds) when it expires."""
        now = int(self._now())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if bound is not None:
            private[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
        claims = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now,
            "sub": service_account_name(namespace, name),
        }
        head = _encode(orjson.dumps({"alg": "RS256", "kid": self.key_id}))
        body = _encode(orjson.dumps(claims))
        signature = self._private.sign(f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{head}.{body}.{_encode(signature)}", float(now + seconds)

    def verified(self, token: str, audiences: Sequence[str] = (ISSUER,)) -> tuple[User, list[str]]:
        """The account's user, and those of the audiences that the token is meant for. Raises InvalidToken."""
        try:
            return self._verified_claims(self._claims(token), audiences)
        except (KeyError, TypeError, AttributeError) as problem:
            raise InvalidToken("") from problem

    def _verified_claims(self, claims: dict[str, Any], audiences: Sequence[str]) -> tuple[User, list[str]]:
        meant = [audience for audience in claims["aud"] if audience in audiences]
        if not meant:
            own, wanted = (orjson.dumps(list(names)).decode().replace(",", " ") for names in (claims["aud"], audiences))
            raise InvalidToken(f"token audiences {own} is invalid for the target audiences {wanted}")
        now = self._now()
        if now >= claims["exp"]:
            raise InvalidToken("service account token has expired")
        if now < claims["nbf"] - 10:
            raise InvalidToken("service account token is not valid yet")
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        if self._uid_of("ServiceAccount", namespace, account["name"]) != account["uid"]:
            raise InvalidToken(f"service account {namespace}/{account['name']} has been deleted")
        extra: dict[str, tuple[str, ...]] = {"authentication.kubernetes.io/credential-id": ("JTI=" + claims["jti"],)}
        for kind in ("Pod", "Secret", "Node"):
            bound = private.get(kind.lower())
            if not bound:
                continue
            if self._uid_of(kind, "" if kind == "Node" else namespace, bound["name"]) != bound["uid"]:
                raise InvalidToken(f"service account token has been invalidated: its {kind.lower()} is gone")
            if kind in ("Pod", "Node"):
                extra[f"authentication.kubernetes.io/{kind.lower()}-name"] = (bound["name"],)
                extra[f"authentication.kubernetes.io/{kind.lower()}-uid"] = (bound["uid"],)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return authenticated(claims["sub"], groups, uid=account["uid"], extra=extra), meant

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token of ours; signatures are checked once a token. Raises InvalidToken."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._verified.get(digest)
        if known is not None:
            return known
        try:
            head, body, signature = token.split(".")
            claims: dict[str, Any] = orjson.loads(_decode(body))
            if claims["iss"] != ISSUER or orjson.loads(_decode(head))["alg"] != "RS256":
                raise InvalidToken("")
            self._public.verify(_decode(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as problem:
            raise InvalidToken("go-jose/go-jose: error in cryptographic primitive") from problem
        except (ValueError, TypeError, KeyError, binascii.Error) as problem:
            raise InvalidToken("") from problem
        if len(self._verified) >= _VERIFIED_KEPT:
            self._verified.pop(next(iter(self._verified)))
        self._verified[digest] = claims
        return claims

    def jwks(self) -> dict[str, Any]:
        """The public key set, for /openid/v1/jwks."""
        numbers = self._public.public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes(3, "big")
        key = {
            "use": "sig",
            "kty": "RSA",
            "kid": self.key_id,
            "alg": "RS256",
            "n": _encode(modulus),
            "e": _encode(exponent),
        }
        return {"keys": [key]}


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
