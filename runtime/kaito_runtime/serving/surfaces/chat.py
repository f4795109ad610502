"""`POST /chat` and `GET /`: the contract of Kaito v0.3 to v0.8.

Deviations, all of them named in docs/deviations.md: a prompt goes through the model's chat template where there is
one; the answer comes alone unless `return_full_text` asks for the prompt too; decoding is greedy unless `do_sample`
asks otherwise; a JSON body is taken whatever its content type; bad generation settings are 400 instead of 500;
`messages` is taken beside `prompt`; `model` chooses base or adapter.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ..answering import collect_all, unless_gone
from ..bodies import RequestBody, read_body, validate
from ..generation import Engine, GenerationRequest, Sampling
from ..openapi import json_request
from ..problems import Problem
from ..request_ids import request_id
from ..serving_state import ServingState
from .messages import encode, render_prompt
from .sampling_fields import StopStrings


class ChatMessage(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    role: str
    content: str


class GenerateKwargs(RequestBody):
    """Generation settings under transformers' names. Settings that are not listed are refused."""

    max_length: int | None = Field(None, ge=1, description="Prompt and answer together, in tokens")
    max_new_tokens: int | None = Field(None, ge=1)
    min_length: int | None = Field(None, ge=0)
    min_new_tokens: int | None = Field(None, ge=0)
    do_sample: bool | None = None
    temperature: float | None = Field(None, gt=0)
    top_k: int | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    num_return_sequences: int | None = Field(None, ge=1, le=16)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop_strings: StopStrings | None = None
    skip_special_tokens: bool | None = None
    eos_token_id: int | list[int] | None = None
    # Accepted at their neutral value only.
    num_beams: int | None = None
    early_stopping: bool | None = None
    typical_p: float | None = None
    num_beam_groups: int | None = None
    diversity_penalty: float | None = None
    length_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    pad_token_id: int | None = None
    use_cache: bool | None = None


_NEUTRAL: dict[str, tuple[object, ...]] = {
    "num_beams": (1,),
    "early_stopping": (False,),
    "typical_p": (1.0,),
    "num_beam_groups": (1,),
    "diversity_penalty": (0.0,),
    "length_penalty": (1.0,),
    "no_repeat_ngram_size": (0,),
    "use_cache": (True,),
}


class ChatRequest(RequestBody):
    """Unknown fields are ignored, as in the original contract."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
    prompt: str | None = None
    messages: list[ChatMessage] | None = None
    return_full_text: bool | None = None
    clean_up_tokenization_spaces: bool | None = None
    prefix: str | None = None
    handle_long_generation: str | None = None
    generate_kwargs: dict[str, Any] | None = None
    model: str | None = None


def routes(state: ServingState) -> APIRouter:
    router = APIRouter(tags=["chat"])

    @router.get("/")
    async def home() -> dict[str, str]:
        """Says that the server is there."""
        return {"message": "Server is running"}

    @router.post("/chat", openapi_extra=json_request(ChatRequest))
    async def chat(request: Request) -> Response:
        """Answers a prompt (or a conversation) as `{"Result": text}`."""
        body = await read_body(request, ChatRequest, state.settings)
        if not body.prompt and not body.messages:
            missing = (
                "Conversational parameter messages required"
                if body.messages is not None
                else "Text generation parameter prompt required"
            )
            raise Problem(400, missing)
        settings = _generate_kwargs(body.generate_kwargs or {})
        engine = state.engine
        choice, _ = state.choose(body.model)
        shown, prompt = await _prompt(engine, body)
        sampling = _sampling(engine, settings, len(prompt), state.settings.chat_max_new_tokens)
        state.check_answers(settings.num_return_sequences or 1)
        name = request_id(request, "chat-")
        requests = [
            GenerationRequest(
                id=f"{name}-{index}",
                prompt=prompt,
                sampling=sampling if sampling.seed is None else _reseeded(sampling, index),
                adapter=choice,
                timeout=state.settings.timeout,
            )
            for index in range(settings.num_return_sequences or 1)
        ]
        answers = await unless_gone(request, collect_all(engine, requests))
        before = shown if body.return_full_text else ""
        return JSONResponse({"Result": "".join(before + answer.text for answer in answers)})

    return router


async def _prompt(engine: Engine, body: ChatRequest) -> tuple[str, list[int]]:
    """(what `return_full_text` shows before the answer, prompt tokens)."""
    if body.prompt:
        text = (body.prefix or "") + body.prompt
        if not engine.codec.has_chat_template:
            return text, await encode(engine, text)
        _, tokens = await render_prompt(engine, [{"role": "user", "content": text}])
        return text, tokens
    messages = [message.model_dump() for message in body.messages or []]
    _, tokens = await render_prompt(engine, messages)
    return "\n".join(f"{m['role']}: {m['content']}" for m in messages) + "\n", tokens


def _generate_kwargs(given: dict[str, Any]) -> GenerateKwargs:
    for key in given:
        if key not in GenerateKwargs.model_fields:
            near = difflib.get_close_matches(key, GenerateKwargs.model_fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Problem(
                400, f"generate_kwargs: {key[:64]!r} is not a setting of this server{hint}", param="generate_kwargs"
            )
    settings = validate(GenerateKwargs, given, at=("generate_kwargs",))
    for key, neutral in _NEUTRAL.items():
        value = getattr(settings, key)
        if value is not None and value not in neutral:
            raise Problem(
                400, f"generate_kwargs: {key} {value!r} is not supported, only {neutral[0]!r}", param="generate_kwargs"
            )
    return settings


def _sampling(engine: Engine, settings: GenerateKwargs, prompt: int, default: int) -> Sampling:
    room = engine.context_length - prompt
    limit = settings.max_new_tokens
    if limit is None and settings.max_length is not None:
        limit = settings.max_length - prompt
        if limit < 1:
            raise Problem(
                400,
                f"generate_kwargs: max_length {settings.max_length} leaves no room after a prompt of {prompt} tokens",
            )
    minimum = max(settings.min_new_tokens or 0, (settings.min_length or 0) - prompt, 0)
    ends = settings.eos_token_id
    stop_ids = tuple([ends] if isinstance(ends, int) else ends or ())
    if any(not 0 <= token < engine.codec.vocabulary_size for token in stop_ids):
        raise Problem(400, "generate_kwargs: eos_token_id is not a token of this model")
    stops = settings.stop_strings
    greedy = not settings.do_sample
    return Sampling(
        # As the pipeline does, an answer ends at the end of the context without complaint; the engine refuses a
        # prompt that fills it.
        max_tokens=None if room < 1 else min(default if limit is None else limit, room),
        temperature=0.0 if greedy else (1.0 if settings.temperature is None else settings.temperature),
        top_k=(10 if settings.top_k is None else settings.top_k),
        top_p=1.0 if settings.top_p is None else settings.top_p,
        min_p=settings.min_p or 0.0,
        repetition_penalty=settings.repetition_penalty or 1.0,
        seed=settings.seed,
        stop=tuple([stops] if isinstance(stops, str) else stops or ()),
        stop_token_ids=stop_ids,
        min_tokens=minimum,
        skip_special_tokens=settings.skip_special_tokens is not False,
    )


def _reseeded(sampling: Sampling, index: int) -> Sampling:
    return replace(sampling, seed=(sampling.seed or 0) + index)
