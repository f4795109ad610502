"""Ids of requests: the client's `x-request-id` where it is usable, otherwise a fresh one; sent back in the same
header."""

from __future__ import annotations

import re
import uuid

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
_USABLE = re.compile(r"[\x21-\x7e]{1,128}")
_STATE = "kaito_request_id"


class RequestIdMiddleware:
    """Gives every request its id and every answer the header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for key, value in scope["headers"] if key == HEADER.encode()), b"").decode("latin-1")
        usable = _USABLE.fullmatch(given) is not None
        name = given if usable else uuid.uuid4().hex
        scope[_STATE] = (name, usable)

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        await self._app(scope, receive, labelled)


def request_id(request: Request, prefix: str) -> str:
    """The completion's id: exactly the client's header (as Kaito has it), or `prefix` and 32 hexadecimal digits."""
    name, given = request.scope[_STATE]
    return str(name) if given else f"{prefix}{name}"
