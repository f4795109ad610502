"""What the HTTP surfaces ask of an engine, and what they get back: the seam between the two.

Nothing here imports torch. An engine takes a `GenerationRequest` (tokens in, tokens and text out); chat templates,
request schemas and error bodies belong to the surfaces. `serving.fake.FakeEngine` is the engine for tests of the
surfaces.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True)
class AdapterChoice:
    """Which weights a request runs on.

    `base`: no adapter; `merged`: every loaded adapter at its strength, as one exact weighted sum; `adapter`: the one
    called `name` at its strength.
    """

    kind: Literal["base", "merged", "adapter"]
    name: str = ""


BASE_CHOICE = AdapterChoice(kind="base")
MERGED_CHOICE = AdapterChoice(kind="merged")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen. The defaults are greedy decoding until the end-of-sequence token or the context
    is full."""

    max_tokens: int | None = None
    """Most new tokens; None: whatever the context has room for."""
    temperature: float = 0.0
    """0 is greedy; otherwise logits are divided by it."""
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    min_p: float = 0.0
    seed: int | None = None
    """Draws come from a generator of this request alone, so neighbours in the batch change nothing; None: a random
    seed."""
    stop: tuple[str, ...] = ()
    """The text ends before the first of these; the stop string itself is not returned."""
    stop_token_ids: tuple[int, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    """Over prompt and answer, as transformers does it; 1 is off."""
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    logprobs: int | None = None
    """None: none; n: the chosen token's log probability and the n most likely alternatives (0 allowed)."""
    min_tokens: int = 0
    ignore_eos: bool = False
    skip_special_tokens: bool = True


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """One sequence to generate. `prompt` holds token ids and is never empty."""

    id: str
    prompt: Sequence[int]
    sampling: Sampling
    adapter: AdapterChoice = MERGED_CHOICE
    stream: bool = False
    """True: a piece for every step; False: a single piece at the end."""
    timeout: float | None = None
    """Seconds from submission to the last token, waiting included."""


@dataclass(frozen=True)
class TokenLogprob:
    """A token and its natural log probability under the model's own distribution (before temperature and penalties)."""

    token: int
    utf8: bytes
    """The token's share of the text; often a part of a character only."""
    logprob: float
    top: tuple[tuple[int, bytes, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Newly generated text. The last piece of a request carries `finish_reason`; pieces concatenate to the whole
    answer."""

    text: str
    tokens: int
    """How many tokens this piece accounts for."""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None


class GenerationError(Exception):
    """Something a client is told about. `message` is one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class QueueFull(GenerationError):
    """No room to wait; try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PromptTooLong(GenerationError):
    """Prompt (plus asked tokens) and context do not go together."""


class UnknownAdapter(GenerationError):
    """The request names an adapter that is not (or no longer) loaded."""


class TimedOut(GenerationError):
    """The request's own time limit passed."""


class Stopping(GenerationError):
    """The engine takes no new request, or ended one because draining took too long."""


class AdapterRefused(GenerationError):
    """An adapter's files cannot be used with this base model."""


class EngineFailed(GenerationError):
    """The model's forward pass failed; the sentence names the cause's type, never a traceback."""


@dataclass(frozen=True)
class EngineStats:
    """A snapshot for /metrics. Counters are totals since start."""

    running: int = 0
    waiting: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    steps: int = 0


class TextCodec(Protocol):
    """Text to tokens and back, for one base model. Thread-safe."""

    @property
    def has_chat_template(self) -> bool: ...

    @property
    def vocabulary_size(self) -> int: ...

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Token ids; `special`: with the tokens that the tokenizer puts around a plain prompt (bos)."""
        ...

    def decode(self, tokens: Sequence[int], *, skip_special: bool = True) -> str: ...

    def token_bytes(self, token: int) -> bytes:
        """The token's share of an answer's UTF-8 text, with the space that it begins with."""
        ...

    def render(self, messages: Sequence[Mapping[str, Any]], **template_arguments: Any) -> str:
        """The chat template's text, generation prompt included. Raises `ValueError` with the template's sentence."""
        ...


class Engine(Protocol):
    """Runs one base model and its adapters for many requests at once. Its methods are called from one event loop."""

    @property
    def name(self) -> str: ...

    @property
    def context_length(self) -> int: ...

    @property
    def codec(self) -> TextCodec: ...

    @property
    def adapters(self) -> Mapping[str, float]:
        """Loaded adapters with their strengths, in loading order."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece]:
        """Pieces until one has a `finish_reason`. Closing the iterator cancels the request.

        Raises on the first step: `QueueFull`, `PromptTooLong`, `UnknownAdapter`, `Stopping`; at any step: `TimedOut`,
        `EngineFailed`, `Stopping`.
        """
        ...

    async def load_adapter(self, name: str, folder: Path, strength: float = 1.0) -> None:
        """Loads (or replaces) an adapter while serving. Running requests keep the weights they began with.

        Raises `AdapterRefused`.
        """
        ...

    async def unload_adapter(self, name: str) -> None:
        """Raises `UnknownAdapter`. Running requests keep the weights they began with."""
        ...

    def stats(self) -> EngineStats: ...

    async def stop(self, *, drain_timeout: float) -> None:
        """Refuses new requests, lets accepted ones finish for up to `drain_timeout` seconds, fails the rest, frees
        the model."""
        ...
