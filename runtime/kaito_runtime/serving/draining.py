"""Tells clients with kept-alive connections that a draining server takes no further request from them."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .serving_state import ServingState


class LastAnswerMiddleware:
    """Adds `Connection: close` to every answer while the server drains; the HTTP server then closes after it."""

    def __init__(self, app: ASGIApp, state: ServingState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._state.phase == "draining":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, closing if scope["type"] == "http" else send)
