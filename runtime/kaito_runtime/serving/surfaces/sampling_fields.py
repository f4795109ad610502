"""The sampling parameters that `/v1/chat/completions` and `/v1/completions` have in common, and what they mean for an
engine."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from ..bodies import RequestBody
from ..generation import Engine, Sampling
from ..problems import Problem

StopString = Annotated[str, Field(min_length=1, max_length=256)]
StopStrings = StopString | Annotated[list[StopString], Field(max_length=16)]
TokenId = Annotated[int, Field(ge=0)]


class StreamOptions(RequestBody):
    include_usage: bool = False
    continuous_usage_stats: bool = False
    """vLLM's addition: usage so far with every chunk; needs `include_usage`."""
    include_obfuscation: bool = False
    """Accepted for compatibility; it changes nothing here."""


class SamplingFields(RequestBody):
    """OpenAI's parameters with their ranges, and vLLM's additions under vLLM's names. Null means absent."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=16)
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: StopStrings | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    # vLLM's additions
    top_k: int | None = Field(None, ge=-1)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    min_tokens: int | None = Field(None, ge=0)
    ignore_eos: bool | None = None
    skip_special_tokens: bool | None = None
    stop_token_ids: list[TokenId] | None = Field(None, max_length=64)
    # Accepted for compatibility; they change nothing here.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None

    @field_validator("logit_bias")
    @classmethod
    def _keys_are_tokens(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        for key in bias or {}:
            if not (key.isascii() and key.isdigit()):
                raise ValueError(f"{key[:32]!r} is not a token id")
        return bias

    def to_sampling(self, engine: Engine, *, max_tokens: int | None, logprobs: int | None, index: int = 0) -> Sampling:
        """`index`: which of several answers this is; it moves the seed, so that answers differ and each can be
        reproduced."""
        vocabulary = engine.codec.vocabulary_size
        bias = {int(key): value for key, value in (self.logit_bias or {}).items() if len(key) < 20}
        unknown = [token for token in [*bias, *(self.stop_token_ids or [])] if token >= vocabulary]
        if unknown or len(bias) != len(self.logit_bias or {}):
            raise Problem(
                400,
                f"Token ids must be below the vocabulary size, {vocabulary}",
                param="logit_bias" if self.logit_bias else "stop_token_ids",
            )
        if max_tokens is not None and (self.min_tokens or 0) > max_tokens:
            raise Problem(400, f"min_tokens {self.min_tokens} is more than max_tokens {max_tokens}", param="min_tokens")
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Sampling(
            max_tokens=max_tokens,
            temperature=default_temperature(self._samples()) if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            top_k=max(0, self.top_k or 0),
            min_p=self.min_p or 0.0,
            seed=None if self.seed is None else self.seed + index,
            stop=stop,
            stop_token_ids=tuple(self.stop_token_ids or ()),
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            repetition_penalty=self.repetition_penalty or 1.0,
            logit_bias=bias,
            logprobs=logprobs,
            min_tokens=self.min_tokens or 0,
            ignore_eos=bool(self.ignore_eos),
            skip_special_tokens=self.skip_special_tokens is not False,
        )

    def _samples(self) -> bool:
        """Whether the request makes sense with sampling only."""
        limited = (self.top_p or 1.0) < 1.0 or (self.top_k or 0) > 0 or bool(self.min_p)
        return limited or self.seed is not None or (self.n or 1) > 1

    def streamed_usage(self, prompt: int) -> StreamedUsage:
        """What this request's stream tells of its tokens; `prompt`: those of all prompts."""
        return StreamedUsage(prompt, self.stream_options or StreamOptions())

    def check_stream_options(self) -> None:
        if self.stream_options is not None and not self.stream:
            raise Problem(400, "stream_options is only allowed when stream is true", param="stream_options")


def default_temperature(samples: bool) -> float:
    """Without a temperature answers are greedy, so that the same request has the same answer; but a request that
    limits or seeds the draw, or asks for several answers, means to draw, at OpenAI's default of 1."""
    return 1.0 if samples else 0.0


def fit_tokens(engine: Engine, prompt: int, asked: int | None, default: int) -> int | None:
    """The limit for new tokens: what was asked, or `default` cut to the context's room.

    A limit that does not fit is left for the engine to refuse; None (no room at all) likewise.
    """
    if asked is not None:
        return asked
    room = engine.context_length - prompt
    return min(default, room) if room > 0 else None


class StreamedUsage:
    """Counts a stream's tokens, and makes what its chunks say of them."""

    def __init__(self, prompt: int, options: StreamOptions) -> None:
        self._prompt = prompt
        self._told = options.include_usage
        self._always = options.include_usage and options.continuous_usage_stats
        self.tokens = 0

    def beside_choices(self) -> dict[str, Any]:
        """The field of a chunk with choices: left out, null, or the usage so far."""
        return {"usage": usage(self._prompt, self.tokens) if self._always else None} if self._told else {}

    def last_chunk(self) -> dict[str, Any] | None:
        """The fields of the chunk before the end; None where usage is not asked for."""
        return {"choices": [], "usage": usage(self._prompt, self.tokens)} if self._told else None


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
