"""`POST /v1/chat/completions`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ..answering import EventStream, as_problem, collect_all, merge, unless_gone
from ..bodies import read_body
from ..generation import Engine, GenerationError, GenerationRequest, TokenLogprob
from ..openapi import json_request
from ..problems import Problem
from ..request_ids import request_id
from ..serving_state import ServingState
from .events import DONE, event
from .messages import Message, render_prompt
from .sampling_fields import SamplingFields, StreamedUsage, fit_tokens, usage


class ResponseFormat(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    type: str


class ChatCompletionRequest(SamplingFields):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    # Accepted for compatibility; they change nothing here.
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    modalities: list[Literal["text"]] | None = None
    verbosity: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None

    def check(self) -> None:
        """Raises `Problem` 400 for combinations and features that are not served."""
        self.check_stream_options()
        if self.top_logprobs is not None and not self.logprobs:
            raise Problem(400, "top_logprobs is only allowed when logprobs is true", param="top_logprobs")
        if self.response_format is not None and self.response_format.type != "text":
            raise Problem(400, "Only the response format 'text' is supported", param="response_format")

    def template_arguments(self) -> dict[str, Any]:
        arguments = dict(self.chat_template_kwargs or {})
        reserved = {
            "messages",
            "conversation",
            "tokenize",
            "chat_template",
            "return_tensors",
            "return_dict",
        } & arguments.keys()
        if reserved:
            raise Problem(400, f"chat_template_kwargs cannot set {sorted(reserved)[0]}", param="chat_template_kwargs")
        if self.tools and self.tool_choice != "none":
            arguments["tools"] = self.tools
        if self.add_generation_prompt is not None:
            arguments["add_generation_prompt"] = self.add_generation_prompt
        if self.continue_final_message:
            arguments |= {"continue_final_message": True, "add_generation_prompt": False}
        return arguments


def routes(state: ServingState) -> APIRouter:
    router = APIRouter(tags=["openai"])

    @router.post("/v1/chat/completions", openapi_extra=json_request(ChatCompletionRequest))
    async def chat_completions(request: Request) -> Response:
        """Answers a conversation, whole or as a stream of server-sent events."""
        body = await read_body(request, ChatCompletionRequest, state.settings)
        engine = state.engine
        choice, model = state.choose(body.model)
        body.check()
        messages = [message.for_template() for message in body.messages]
        _, prompt = await render_prompt(engine, messages, **body.template_arguments())
        asked = body.max_completion_tokens or body.max_tokens
        limit = fit_tokens(engine, len(prompt), asked, state.settings.default_max_tokens)
        logprobs = (body.top_logprobs or 0) if body.logprobs else None
        state.check_answers(body.n or 1)
        name = request_id(request, "chatcmpl-")
        requests = [
            GenerationRequest(
                id=f"{name}-{index}",
                prompt=prompt,
                sampling=body.to_sampling(engine, max_tokens=limit, logprobs=logprobs, index=index),
                adapter=choice,
                stream=bool(body.stream),
                timeout=state.settings.timeout,
            )
            for index in range(body.n or 1)
        ]
        head = {"id": name, "created": int(time.time()), "model": model}
        if body.stream:
            chunks = _chunks(engine, requests, head, body.streamed_usage(len(prompt)))
            return await EventStream.begin(request, chunks)
        answers = await unless_gone(request, collect_all(engine, requests))
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": answer.text},
                "logprobs": _logprobs(answer.logprobs) if body.logprobs else None,
                "finish_reason": answer.finish_reason,
            }
            for index, answer in enumerate(answers)
        ]
        total = usage(len(prompt), sum(answer.tokens for answer in answers))
        return JSONResponse({**head, "object": "chat.completion", "choices": choices, "usage": total})

    return router


async def _chunks(
    engine: Engine, requests: Sequence[GenerationRequest], head: dict[str, Any], counted: StreamedUsage
) -> AsyncGenerator[bytes]:
    """The events of a streamed answer; the first comes with the first token, so a refusal can still be a status."""
    head = {**head, "object": "chat.completion.chunk", "system_fingerprint": ""}

    def chunk(index: int, delta: dict[str, str], reason: str | None, logprobs: Any = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return event({**head, "choices": [choice], **counted.beside_choices()})

    started: set[int] = set()
    try:
        async with aclosing(merge(engine, requests)) as pieces:
            async for index, piece in pieces:
                counted.tokens += piece.tokens
                if index not in started:
                    started.add(index)
                    yield chunk(index, {"role": "assistant", "content": ""}, None)
                if piece.text or piece.logprobs:
                    yield chunk(
                        index, {"content": piece.text}, None, _logprobs(piece.logprobs) if piece.logprobs else None
                    )
                if piece.finish_reason is not None:
                    yield chunk(index, {}, piece.finish_reason)
    except GenerationError as error:
        if not started:
            raise
        yield event(as_problem(error).openai_body())
        return
    if (last := counted.last_chunk()) is not None:
        yield event({**head, **last})
    yield DONE


def _logprobs(logprobs: Sequence[TokenLogprob]) -> dict[str, Any]:
    return {
        "content": [
            {
                **_token(item.utf8, item.logprob),
                "top_logprobs": [_token(each, value) for _, each, value in item.top],
            }
            for item in logprobs
        ],
        "refusal": None,
    }


def _token(content: bytes, logprob: float) -> dict[str, Any]:
    # JSON has no -Infinity; OpenAI's own stand-in for "practically impossible" is -9999.
    return {
        "token": content.decode(errors="replace"),
        "logprob": max(logprob, -9999.0),
        "bytes": list(content),
    }
