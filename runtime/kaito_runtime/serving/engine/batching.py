"""`BatchingEngine`: the scheduler's thread behind the asyncio `Engine` interface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..generation import AdapterChoice, EngineStats, GenerationRequest, Piece, PromptTooLong, UnknownAdapter
from .adapter_files import read_adapter
from .codec import TokenizerCodec
from .decoder import Decoder, UnsupportedModel
from .lora import BASE_VARIANT, AdaptedLayers, Variant, weighted_sum
from .scheduling import Scheduler, SchedulingLimits
from .sequences import SequenceState


class BatchingEngine:
    """Continuous batching over a transformers causal language model, adapters chosen per request."""

    name = "transformers"

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        limits: SchedulingLimits,
        context_length: int | None = None,
    ) -> None:
        """Warms the model up with one pass (blocking). `context_length`: a limit below the model's own.

        Raises `UnsupportedModel` for architectures that cannot be run row by row.
        """
        config = model.config.get_text_config(decoder=True)
        own = int(getattr(config, "max_position_embeddings", 0) or 2048)
        length = min(own, context_length or own)
        self._decoder = Decoder(model, max_rows=limits.max_rows, max_length=length)
        self._model = model
        self._codec = TokenizerCodec(tokenizer)
        self._eos = _end_tokens(model, tokenizer)
        self._layers = AdaptedLayers(model)
        self._adapters: dict[str, tuple[Variant, float]] = {}
        self._merged = BASE_VARIANT
        try:
            token_bytes = self._warm_up()
        except Exception as error:  # whatever an unusual architecture raises, it means this
            raise UnsupportedModel(f"{type(model).__name__} does not run on rows: {error}") from error
        self._decoder.cache.budget = max(1, limits.cache_bytes // max(1, token_bytes))
        self._context_length = max(1, min(length, limits.cache_bytes // max(1, token_bytes)))
        self._mail: list[tuple[_Listener, Piece | Exception]] = []
        self._scheduler = Scheduler(self._decoder, self._layers, limits, token_bytes=token_bytes, flush=self._deliver)
        self._scheduler.start()

    def _warm_up(self) -> int:
        """Runs a prefill and a decode step; returns the cache's bytes per token of a row."""
        cache = self._decoder.cache
        with torch.inference_mode():
            cache.reserve(1, 3)
            self._decoder.step(0, [[0, 0]], [0])
            self._decoder.step(0, [[0]], [2])
        rows, length = cache.capacity
        return cache.nbytes // (rows * length)

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def codec(self) -> TokenizerCodec:
        return self._codec

    @property
    def adapters(self) -> Mapping[str, float]:
        # A copy first: the model's thread may be changing it.
        return {name: strength for name, (_, strength) in self._adapters.copy().items()}

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece]:
        room = self._context_length - len(request.prompt)
        wanted = request.sampling.max_tokens
        if room < 1 or (wanted is not None and wanted > room):
            asked = "" if wanted is None else f" and {wanted} are to be generated"
            raise PromptTooLong(
                f"This model's context is {self._context_length} tokens; the prompt has {len(request.prompt)}{asked}"
            )
        listener = _Listener(asyncio.get_running_loop())
        sequence = SequenceState(
            request,
            variant=self._variant(request.adapter),
            limit=room if wanted is None else wanted,
            codec=self._codec,
            eos=self._eos,
            sink=lambda item: self._mail.append((listener, item)),
        )
        self._scheduler.submit(sequence)
        finished = False
        try:
            while not finished:
                item = await listener.next()
                if isinstance(item, Exception):
                    finished = True
                    raise item
                finished = item.finish_reason is not None
                yield item
        finally:
            if not finished:
                self._scheduler.cancel(sequence)

    async def load_adapter(self, name: str, folder: Path, strength: float = 1.0) -> None:
        def load() -> None:
            variant = read_adapter(name, folder, self._model, strength=strength)
            self._layers.prepare(variant)
            self._adapters[name] = (variant, strength)
            self._merge()

        await asyncio.wrap_future(self._scheduler.call(load))

    async def unload_adapter(self, name: str) -> None:
        def unload() -> None:
            if self._adapters.pop(name, None) is None:
                raise UnknownAdapter(f"The adapter {name!r} is not loaded")
            self._merge()

        await asyncio.wrap_future(self._scheduler.call(unload))

    def _merge(self) -> None:
        # Strengths are already folded into each adapter's own variant.
        self._merged = weighted_sum("", [(variant, 1.0) for variant, _ in self._adapters.values()])
        self._layers.prepare(self._merged)

    def stats(self) -> EngineStats:
        return self._scheduler.stats()

    async def stop(self, *, drain_timeout: float) -> None:
        self._scheduler.refuse()
        deadline = time.monotonic() + drain_timeout
        while not self._scheduler.idle and time.monotonic() < deadline:  # noqa: ASYNC110 - the thread sets no asyncio event
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._scheduler.stop)

    def _variant(self, choice: AdapterChoice) -> Variant:
        if choice.kind == "base":
            return BASE_VARIANT
        if choice.kind == "merged":
            return self._merged
        if choice.name not in self._adapters:
            raise UnknownAdapter(f"The adapter {choice.name!r} is not loaded")
        return self._adapters[choice.name][0]

    def _deliver(self) -> None:
        """Hands what a turn produced to the listeners: one wake-up per event loop and turn."""
        mail, self._mail = self._mail, []
        for loop in {listener.loop for listener, _ in mail}:
            batch = [(listener, item) for listener, item in mail if listener.loop is loop]
            try:
                loop.call_soon_threadsafe(_hand_over, batch)
            except RuntimeError:  # the loop is closed: nobody listens any more
                continue


class _Listener:
    """A request's side of the mail: filled on its event loop, read by its `generate`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._queue: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        self.put: Callable[[Piece | Exception], None] = self._queue.put_nowait

    async def next(self) -> Piece | Exception:
        return await self._queue.get()


def _hand_over(batch: list[tuple[_Listener, Piece | Exception]]) -> None:
    for listener, item in batch:
        listener.put(item)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer: those of the generation config and the tokenizer's own."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ends = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*ends, tokenizer.eos_token_id] if token is not None)
