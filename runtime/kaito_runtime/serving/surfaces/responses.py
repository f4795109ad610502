"""`POST /v1/responses`: OpenAI's newer API, without stored conversations and without tools.

As in Kaito the answer is a stream unless `stream` is false; a client that accepts JSON only (`Accept:
application/json`, which OpenAI's own client sends) and says nothing about `stream` gets JSON.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ..answering import EventStream, as_problem, collect, merge, unless_gone
from ..bodies import RequestBody, read_body
from ..generation import Engine, GenerationError, GenerationRequest, Sampling
from ..openapi import json_request
from ..problems import Problem
from ..request_ids import request_id
from ..serving_state import ServingState
from .events import DONE, event
from .messages import Message, TextPart, render_prompt
from .sampling_fields import default_temperature, fit_tokens


class InputItem(BaseModel):
    """A message of the input; other kinds of items are refused by `ResponsesRequest.check`."""

    model_config = ConfigDict(strict=True, extra="allow")
    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[TextPart] | None = None


class TextSettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    format: dict[str, Any] | None = None


class ResponsesRequest(RequestBody):
    model: str | None = None
    input: str | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    text: TextSettings | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    truncation: str | None = None
    metadata: dict[str, Any] | None = None
    # Accepted for compatibility; they change nothing here.
    include: list[str] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, Any] | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream_options: dict[str, Any] | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    max_tool_calls: int | None = None

    def check(self) -> None:
        """Raises `Problem` 400 for features that are not served."""
        for name in ("tools", "previous_response_id", "background", "top_logprobs"):
            if getattr(self, name):
                raise Problem(400, f"{name} is not supported", param=name)
        if self.truncation not in (None, "disabled"):
            raise Problem(400, "truncation is not supported, only 'disabled'", param="truncation")
        kind = ((self.text and self.text.format) or {}).get("type", "text")
        if kind != "text":
            raise Problem(400, "Only the text format 'text' is supported", param="text")

    def messages(self) -> list[dict[str, Any]]:
        """The input as chat messages, the instructions first."""
        messages = [{"role": "system", "content": self.instructions}] if self.instructions else []
        if isinstance(self.input, str):
            return [*messages, {"role": "user", "content": self.input}]
        for item in self.input:
            if item.type != "message" or item.role is None:
                raise Problem(
                    400, f"Input items of type {item.type[:64]!r} without a role are not supported", param="input"
                )
            messages.append(Message(role=item.role, content=item.content).for_template())
        return messages


def routes(state: ServingState) -> APIRouter:
    router = APIRouter(tags=["openai"])

    @router.post("/v1/responses", openapi_extra=json_request(ResponsesRequest))
    async def responses(request: Request) -> Response:
        """Answers an input, as a stream of events or as one object."""
        body = await read_body(request, ResponsesRequest, state.settings)
        engine = state.engine
        choice, model = state.choose(body.model)
        body.check()
        _, prompt = await render_prompt(engine, body.messages())
        name = request_id(request, "").removeprefix("resp_")
        streamed = _streamed(body, request.headers.get("accept", ""))
        sampled = body.seed is not None or (body.top_p or 1.0) < 1.0
        sampling = Sampling(
            max_tokens=fit_tokens(engine, len(prompt), body.max_output_tokens, state.settings.default_max_tokens),
            temperature=default_temperature(sampled) if body.temperature is None else body.temperature,
            top_p=body.top_p or 1.0,
            seed=body.seed,
        )
        work = GenerationRequest(
            id=name,
            prompt=prompt,
            sampling=sampling,
            adapter=choice,
            stream=streamed,
            timeout=state.settings.timeout,
        )
        answer = _Answer(name, model, body, sampling)
        if streamed:
            return await EventStream.begin(request, _events(engine, work, answer))
        result = await unless_gone(request, collect(engine, work))
        return JSONResponse(answer.finished(result.text, result.finish_reason, len(prompt), result.tokens))

    return router


def _streamed(body: ResponsesRequest, accept: str) -> bool:
    if body.stream is not None:
        return body.stream
    return not ("application/json" in accept and "text/event-stream" not in accept)


class _Answer:
    """Builds the objects of one answer."""

    def __init__(self, name: str, model: str, body: ResponsesRequest, sampling: Sampling) -> None:
        self._message_id = f"msg_{name}"
        self._head = {
            "id": f"resp_{name}",
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "metadata": body.metadata or {},
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "truncation": "disabled",
        }

    def object(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        empty = {"error": None, "incomplete_details": None, "usage": None}
        return {**self._head, **empty, "status": status, "output": output, **more}

    def message(self, status: str, text: str | None) -> dict[str, Any]:
        content = [] if text is None else [self.part(text)]
        return {"id": self._message_id, "type": "message", "role": "assistant", "status": status, "content": content}

    @staticmethod
    def part(text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    @property
    def place(self) -> dict[str, Any]:
        return {"item_id": self._message_id, "output_index": 0, "content_index": 0}

    def finished(self, text: str, reason: str | None, prompt: int, tokens: int) -> dict[str, Any]:
        complete = reason != "length"
        status = "completed" if complete else "incomplete"
        return self.object(
            status,
            [self.message(status, text)],
            incomplete_details=None if complete else {"reason": "max_output_tokens"},
            usage={
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt + tokens,
            },
        )


async def _events(engine: Engine, work: GenerationRequest, answer: _Answer) -> AsyncGenerator[bytes]:
    """The events in OpenAI's order, numbered; the first ones come with the first token."""
    number = 0

    def numbered(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return event({"type": kind, "sequence_number": number - 1, **fields})

    def opening() -> list[bytes]:
        begun = answer.object("in_progress", [])
        return [
            numbered("response.created", response=begun),
            numbered("response.in_progress", response=begun),
            numbered("response.output_item.added", output_index=0, item=answer.message("in_progress", None)),
            numbered("response.content_part.added", **answer.place, part=answer.part("")),
        ]

    text, tokens, reason = "", 0, None
    try:
        async with aclosing(merge(engine, [work])) as pieces:
            async for _, piece in pieces:
                if number == 0:
                    for begun in opening():
                        yield begun
                tokens += piece.tokens
                reason = piece.finish_reason
                if piece.text:
                    text += piece.text
                    yield numbered("response.output_text.delta", **answer.place, delta=piece.text, logprobs=[])
    except GenerationError as error:
        if number == 0:
            raise
        problem = as_problem(error)
        yield numbered("error", code=problem.code, message=problem.message, param=problem.param)
        return
    final = answer.finished(text, reason, len(work.prompt), tokens)
    yield numbered("response.output_text.done", **answer.place, text=text, logprobs=[])
    yield numbered("response.content_part.done", **answer.place, part=answer.part(text))
    yield numbered("response.output_item.done", output_index=0, item=final["output"][0])
    yield numbered(f"response.{final['status']}", response=final)
    yield DONE
