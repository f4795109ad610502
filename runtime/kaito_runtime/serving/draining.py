"""What a draining server tells clients: no more requests on this connection; and that one of them came too late."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .generation import Stopping
from .problems import of_generation, respond
from .serving_state import ServingState


class LastAnswerMiddleware:
    """Adds `Connection: close` to every answer while the server drains; the HTTP server then closes after it.

    A request that the HTTP server cancels at the end of the drain (its body has not arrived) gets 503 in place of a
    traceback in the log.
    """

    def __init__(self, app: ASGIApp, state: ServingState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def closing(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                if self._state.phase == "draining":
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, closing)
        except asyncio.CancelledError:
            if self._state.phase != "draining":
                raise
            if not begun:
                late = of_generation(Stopping("The server stopped before this request had arrived"))
                await respond(Request(scope), late)(scope, receive, closing)
