"""`POST /v1/completions`: text in, text out, no chat template."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from ..answering import EventStream, as_problem, collect_all, merge, unless_gone
from ..bodies import read_body
from ..generation import Engine, GenerationError, GenerationRequest, TokenLogprob
from ..openapi import json_request
from ..problems import Problem
from ..request_ids import request_id
from ..serving_state import ServingState
from .events import DONE, event
from .messages import encode
from .sampling_fields import SamplingFields, StreamedUsage, TokenId, fit_tokens, usage

DEFAULT_TOKENS = 16
"""OpenAI's default for this endpoint."""
MOST_PROMPTS = 64

TokenIds = Annotated[list[TokenId], Field(min_length=1)]


class CompletionRequest(SamplingFields):
    prompt: (
        str
        | TokenIds
        | Annotated[list[str], Field(min_length=1, max_length=MOST_PROMPTS)]
        | Annotated[list[TokenIds], Field(min_length=1, max_length=MOST_PROMPTS)]
    )
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = None
    best_of: int | None = Field(None, ge=1)
    suffix: str | None = None
    add_special_tokens: bool | None = None

    def check(self) -> None:
        """Raises `Problem` 400 for combinations and features that are not served."""
        self.check_stream_options()
        if self.suffix:
            raise Problem(400, "suffix is not supported", param="suffix")
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise Problem(400, "best_of is only supported when it equals n", param="best_of")
        if self.echo and self.logprobs is not None:
            raise Problem(400, "echo is not supported together with logprobs", param="echo")

    def prompts(self) -> list[str | list[int]]:
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [[token for token in self.prompt if isinstance(token, int)]]
        return [prompt for prompt in self.prompt if not isinstance(prompt, int)]


def routes(state: ServingState) -> APIRouter:
    router = APIRouter(tags=["openai"])

    @router.post("/v1/completions", openapi_extra=json_request(CompletionRequest))
    async def completions(request: Request) -> Response:
        """Continues one or several prompts, whole or as a stream of server-sent events."""
        body = await read_body(request, CompletionRequest, state.settings)
        engine = state.engine
        choice, model = state.choose(body.model)
        body.check()
        state.check_answers(len(body.prompts()) * (body.n or 1))
        name = request_id(request, "cmpl-")
        requests: list[GenerationRequest] = []
        shown: list[str] = []
        for text_or_tokens in body.prompts():
            text, prompt = await _tokens(engine, text_or_tokens, special=body.add_special_tokens is not False)
            limit = fit_tokens(engine, len(prompt), body.max_tokens, DEFAULT_TOKENS)
            for index in range(body.n or 1):
                shown.append(text if body.echo else "")
                requests.append(
                    GenerationRequest(
                        id=f"{name}-{len(requests)}",
                        prompt=prompt,
                        sampling=body.to_sampling(engine, max_tokens=limit, logprobs=body.logprobs, index=index),
                        adapter=choice,
                        stream=bool(body.stream),
                        timeout=state.settings.timeout,
                    )
                )
        head = {"id": name, "object": "text_completion", "created": int(time.time()), "model": model}
        prompt_tokens = sum(len(r.prompt) for r in requests[:: body.n or 1])
        if body.stream:
            chunks = _chunks(engine, requests, shown, head, body.streamed_usage(prompt_tokens))
            return await EventStream.begin(request, chunks)
        answers = await unless_gone(request, collect_all(engine, requests))
        choices = [
            {
                "index": index,
                "text": before + answer.text,
                "logprobs": _logprobs(answer.logprobs, 0) if body.logprobs is not None else None,
                "finish_reason": answer.finish_reason,
            }
            for index, (before, answer) in enumerate(zip(shown, answers, strict=True))
        ]
        total = usage(prompt_tokens, sum(answer.tokens for answer in answers))
        return JSONResponse({**head, "choices": choices, "usage": total})

    return router


async def _tokens(engine: Engine, prompt: str | list[int], *, special: bool) -> tuple[str, list[int]]:
    """(the prompt as text, its tokens). Raises `Problem` 400 for an empty prompt and for tokens the model does not
    have."""
    if isinstance(prompt, str):
        tokens = await encode(engine, prompt, special=special)
        if not tokens:
            raise Problem(400, "The prompt is empty", param="prompt")
        return prompt, tokens
    if max(prompt) >= engine.codec.vocabulary_size:
        raise Problem(
            400, f"Token ids must be below the vocabulary size, {engine.codec.vocabulary_size}", param="prompt"
        )
    return engine.codec.decode(prompt), prompt


async def _chunks(
    engine: Engine,
    requests: Sequence[GenerationRequest],
    shown: Sequence[str],
    head: dict[str, Any],
    counted: StreamedUsage,
) -> AsyncGenerator[bytes]:
    """The events of a streamed answer. `shown`: what is echoed before each."""

    def chunk(index: int, text: str, reason: str | None, logprobs: Any = None) -> bytes:
        choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
        return event({**head, "choices": [choice], **counted.beside_choices()})

    offsets: dict[int, int] = {}
    try:
        async with aclosing(merge(engine, requests)) as pieces:
            async for index, piece in pieces:
                counted.tokens += piece.tokens
                text = piece.text if index in offsets else shown[index] + piece.text
                place = offsets.get(index, 0)
                offsets[index] = place + len(text)
                logprobs = _logprobs(piece.logprobs, place) if piece.logprobs else None
                if text or logprobs or piece.finish_reason:
                    yield chunk(index, text, piece.finish_reason, logprobs)
    except GenerationError as error:
        if not offsets:
            raise
        yield event(as_problem(error).openai_body())
        return
    if (last := counted.last_chunk()) is not None:
        yield event({**head, **last})
    yield DONE


def _logprobs(logprobs: Sequence[TokenLogprob], offset: int) -> dict[str, Any]:
    """OpenAI's older shape: parallel lists; `offset` is where the first token's text begins."""
    texts = [item.utf8.decode(errors="replace") for item in logprobs]
    offsets = []
    for text in texts:
        offsets.append(offset)
        offset += len(text)
    return {
        "tokens": texts,
        "token_logprobs": [max(item.logprob, -9999.0) for item in logprobs],
        "top_logprobs": [
            {each.decode(errors="replace"): max(value, -9999.0) for _, each, value in item.top} for item in logprobs
        ],
        "text_offset": offsets,
    }
