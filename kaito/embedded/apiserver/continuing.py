"""Continue tokens: where a list in pages goes on, and as of which revision (k8s.io/apiserver/pkg/storage)."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import orjson

from kaito.embedded.apiserver.errors import StatusError, bad_request
from kaito.embedded.apiserver.go_json import syntax_error

_VERSION = "meta.k8s.io/v1"
INCONSISTENT = -1
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class Position(NamedTuple):
    """A place in a list: the revision it was begun at (INCONSISTENT: whatever is newest) and the first key to show."""

    revision: int
    start: str


def encode(position: Position) -> str:
    raw = orjson.dumps({"v": _VERSION, "rv": position.revision, "start": position.start})
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(token: str) -> Position:
    """Raises a 400 with the words of the real server."""
    raw = _raw(token)
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise _bad(syntax_error(raw) or str(problem)) from None
    if not isinstance(content, dict):
        raise _bad("json: cannot unmarshal into Go value of type storage.continueToken")
    version, revision, start = content.get("v", ""), content.get("rv", 0), content.get("start", "")
    if version != _VERSION:
        raise _bad(f"server does not recognize this encoded version {version}")
    if not isinstance(revision, int) or revision == 0:
        raise _bad("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not isinstance(start, str) or not start:
        raise _bad("encoded start key empty (version meta.k8s.io/v1)")
    return Position(revision, start.removeprefix("/"))


def expired(position: Position) -> StatusError:
    """410 with a token that goes on from the newest state."""
    error = StatusError(410, "Expired", EXPIRED)
    token = encode(Position(INCONSISTENT, "/" + position.start))
    original = error.status()
    error.status = lambda: {**original, "metadata": {"continue": token}}  # type: ignore[method-assign]
    return error


def _raw(token: str) -> bytes:
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    for index, char in enumerate(token):
        if char not in alphabet:
            raise _bad(f"illegal base64 data at input byte {index}")
    if len(token) % 4 == 1:
        raise _bad(f"illegal base64 data at input byte {len(token) - 1}")
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        raise _bad("illegal base64 data at input byte 0") from None


def _bad(why: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")
