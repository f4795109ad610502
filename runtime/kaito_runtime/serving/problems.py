"""What a client is told when something is wrong: one status, one sentence, in the body shape of the surface it called.

`/v1/*` answers OpenAI error objects, everything else FastAPI's `detail`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from .generation import (
    AdapterRefused,
    EngineFailed,
    GenerationError,
    PromptTooLong,
    QueueFull,
    Stopping,
    TimedOut,
    UnknownAdapter,
)

log = logging.getLogger(__name__)

MOST_RETRY_SECONDS = 60


class Problem(Exception):
    """An answer other than success. `detail` replaces `message` in FastAPI-shaped bodies (validation lists)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.detail = message if detail is None else detail
        self.headers = dict(headers or {})

    def openai_body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class ClientGone(Exception):
    """The client closed its connection; nobody reads the answer."""


def of_generation(error: GenerationError) -> Problem:
    """The engine's error as a client sees it."""
    if isinstance(error, QueueFull):
        seconds = min(MOST_RETRY_SECONDS, max(1, math.ceil(error.retry_after)))
        return Problem(
            429, error.message, type="requests", code="rate_limit_exceeded", headers={"Retry-After": str(seconds)}
        )
    if isinstance(error, PromptTooLong):
        return Problem(400, error.message, param="messages", code="context_length_exceeded")
    if isinstance(error, UnknownAdapter):
        return Problem(404, error.message, param="model", code="model_not_found")
    if isinstance(error, AdapterRefused):
        return Problem(400, error.message, code="adapter_refused")
    if isinstance(error, TimedOut):
        return Problem(408, error.message, type="timeout", code="request_timeout")
    if isinstance(error, Stopping):
        return Problem(503, error.message, type="server_error", code="stopping", headers={"Retry-After": "1"})
    if isinstance(error, EngineFailed):
        return Problem(500, error.message, type="server_error", code="generation_failed")
    return Problem(500, error.message, type="server_error")


def respond(request: Request, problem: Problem) -> JSONResponse:
    """The problem in the shape of the surface that `request` called."""
    body = problem.openai_body() if request.url.path.startswith("/v1/") else {"detail": problem.detail}
    return JSONResponse(body, status_code=problem.status, headers=problem.headers)


def install(app: FastAPI) -> None:
    """Registers the handlers that turn exceptions into answers."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return respond(request, error)

    async def on_generation_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, GenerationError)
        return respond(request, of_generation(error))

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = "not_found_error" if error.status_code == 404 else "invalid_request_error"
        return respond(request, Problem(error.status_code, str(error.detail), type=kind, headers=error.headers))

    async def on_gone(request: Request, error: Exception) -> JSONResponse:
        # 499 is what proxies log for this; no client sees it.
        return JSONResponse({"detail": "Client closed the connection"}, status_code=499)

    async def on_bug(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return respond(request, Problem(500, HTTPStatus.INTERNAL_SERVER_ERROR.phrase, type="server_error"))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(GenerationError, on_generation_error)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(ClientGone, on_gone)
    app.add_exception_handler(Exception, on_bug)
