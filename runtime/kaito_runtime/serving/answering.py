"""Runs generation requests for an HTTP request and stops them when its client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .generation import Engine, FinishReason, GenerationError, GenerationRequest, Piece, TokenLogprob
from .problems import ClientGone, Problem, of_generation

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole generated sequence."""

    text: str
    tokens: int
    finish_reason: FinishReason
    logprobs: tuple[TokenLogprob, ...] = ()


async def collect(engine: Engine, request: GenerationRequest) -> Answer:
    """All pieces of one request put together."""
    pieces: list[Piece] = []
    async with aclosing(_pieces(engine, request)) as stream:
        async for piece in stream:
            pieces.append(piece)
    return Answer(
        text="".join(piece.text for piece in pieces),
        tokens=sum(piece.tokens for piece in pieces),
        finish_reason=pieces[-1].finish_reason or "stop",
        logprobs=tuple(logprob for piece in pieces for logprob in piece.logprobs),
    )


async def collect_all(engine: Engine, requests: Sequence[GenerationRequest]) -> list[Answer]:
    """The answers in the order of the requests, which run side by side; the first failure cancels the others."""
    if len(requests) == 1:
        return [await collect(engine, requests[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(collect(engine, request)) for request in requests]
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    return [task.result() for task in tasks]


async def merge(engine: Engine, requests: Sequence[GenerationRequest]) -> AsyncGenerator[tuple[int, Piece]]:
    """Pieces of several requests as they come, each with the index of its request. Closing the iterator cancels all
    of them."""
    if len(requests) == 1:
        async with aclosing(_pieces(engine, requests[0])) as stream:
            async for piece in stream:
                yield 0, piece
        return
    queue: asyncio.Queue[tuple[int, Piece | BaseException | None]] = asyncio.Queue()

    async def run(index: int, request: GenerationRequest) -> None:
        try:
            async with aclosing(_pieces(engine, request)) as stream:
                async for piece in stream:
                    queue.put_nowait((index, piece))
            queue.put_nowait((index, None))
        except GenerationError as error:
            queue.put_nowait((index, error))

    tasks = [asyncio.create_task(run(index, request)) for index, request in enumerate(requests)]
    try:
        left = len(tasks)
        while left:
            index, item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield index, item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pieces(engine: Engine, request: GenerationRequest) -> AsyncGenerator[Piece]:
    async with aclosing(engine.generate(request)) as stream:
        async for piece in stream:
            yield piece


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; cancels it and raises `ClientGone` when the client disconnects first. The body must have
    been read."""
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(request.receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for each in (task, watcher):
            if not each.done():
                each.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """Server-sent events that end when the client goes away, also while nothing is being sent.

    `events` yields finished `data:` blocks. Its first item is awaited before the status line is sent, so an error
    there is an ordinary error answer; a later error is sent as `failure(problem)` and ends the stream.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], *, first: bytes) -> None:
        super().__init__(status_code=200, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._first = first

    @classmethod
    async def begin(cls, request: Request, events: AsyncGenerator[bytes]) -> EventStream:
        """Waits for the first event. Raises what producing it raises."""
        first = await unless_gone(request, _first(events))
        return cls(events, first=first)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.ensure_future(self._send(send))
        watcher = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        except OSError:
            return  # the connection broke while sending: same as a disconnect
        finally:
            for each in (task, watcher):
                each.cancel()
            await asyncio.gather(task, watcher, return_exceptions=True)
            await self._events.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        async for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _first(events: AsyncGenerator[bytes]) -> bytes:
    return await anext(events)


def as_problem(error: GenerationError | Problem) -> Problem:
    return error if isinstance(error, Problem) else of_generation(error)
