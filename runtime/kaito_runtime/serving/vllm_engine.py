"""vLLM behind the same `Engine` interface. Imported only when vLLM is installed and there is a GPU.

vLLM reads adapters from folders and knows no strengths, so an adapter at another strength than 1, and the merged sum
of all adapters, are written to a temporary folder with the strengths folded in; the result is the same exact weighted
sum.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaito_runtime.models import resolve
from kaito_runtime.models.loading import load_tokenizer

from .engine.adapter_files import read_deltas, write_adapter
from .engine.codec import TokenizerCodec
from .engine.lora import Variant, weighted_sum
from .generation import (
    AdapterChoice,
    EngineFailed,
    EngineStats,
    FinishReason,
    GenerationRequest,
    Piece,
    PromptTooLong,
    QueueFull,
    Sampling,
    Stopping,
    TimedOut,
    TokenLogprob,
    UnknownAdapter,
)
from .settings import EngineSettings

MAX_RANK = 256
"""Largest adapter rank, the merged sum's included; vLLM sizes its buffers for it."""


@dataclass(frozen=True)
class _Loaded:
    strength: float
    variant: Variant
    request: Any


class VllmEngine:
    """One vLLM engine, its adapters as LoRA requests."""

    name = "vllm"

    def __init__(self, settings: EngineSettings) -> None:
        """Loads the model (blocking, minutes for a large one)."""
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        folder = resolve(settings.model, revision=settings.revision)
        arguments: dict[str, Any] = {
            "model": str(folder),
            "dtype": settings.dtype,
            "trust_remote_code": settings.trust_remote_code,
            "max_num_seqs": settings.max_rows,
            "enable_lora": True,
            "max_lora_rank": MAX_RANK,
            "max_loras": 4,
        }
        if settings.context_length is not None:
            arguments["max_model_len"] = settings.context_length
        if settings.gpu_memory_utilization is not None:
            arguments["gpu_memory_utilization"] = settings.gpu_memory_utilization
        if settings.bits is not None:
            arguments["quantization"] = "bitsandbytes"
        self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        tokenizer = load_tokenizer(
            folder, chat_template=settings.chat_template, trust_remote_code=settings.trust_remote_code
        )
        self._codec = TokenizerCodec(tokenizer)
        self._context_length = int(self._engine.vllm_config.model_config.max_model_len)
        self._most = settings.max_rows + settings.max_queue
        self._rows = settings.max_rows
        self._adapters: dict[str, _Loaded] = {}
        self._merged: Any = None
        self._next_id = 1
        self._scratch = tempfile.TemporaryDirectory(prefix="kaito-adapters-")
        self._accepting = True
        self._active = 0
        self._prompt_tokens = self._generated_tokens = 0

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def codec(self) -> TokenizerCodec:
        return self._codec

    @property
    def adapters(self) -> Mapping[str, float]:
        return {name: loaded.strength for name, loaded in self._adapters.items()}

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece]:
        if not self._accepting:
            raise Stopping("The server is stopping and takes no new requests")
        room = self._context_length - len(request.prompt)
        wanted = request.sampling.max_tokens
        if room < 1 or (wanted is not None and wanted > room):
            raise PromptTooLong(
                f"This model's context is {self._context_length} tokens; the prompt has {len(request.prompt)}"
            )
        if self._active >= self._most:
            raise QueueFull(f"Too many requests: {self._active} are running or waiting", retry_after=1.0)
        lora = self._lora(request.adapter)
        parameters = _sampling_parameters(request.sampling, room, stream=request.stream)
        self._active += 1
        try:
            async with asyncio.timeout(request.timeout):
                async for output in self._engine.generate(
                    {"prompt_token_ids": list(request.prompt)}, parameters, request.id, lora_request=lora
                ):
                    piece = self._piece(output.outputs[0], request)
                    if piece.text or piece.logprobs or piece.finish_reason:
                        yield piece
            self._prompt_tokens += len(request.prompt)
        except TimeoutError:
            raise TimedOut(f"The request took longer than its limit of {request.timeout:g} seconds") from None
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"vLLM failed while generating ({type(error).__name__})") from error
        finally:
            self._active -= 1
            # vLLM aborts a request whose generator is closed; this covers generators that never started.
            await self._engine.abort(request.id)

    def _piece(self, output: Any, request: GenerationRequest) -> Piece:
        tokens = list(output.token_ids)
        self._generated_tokens += len(tokens)
        reason: FinishReason | None = None
        if output.finish_reason is not None:
            reason = "length" if output.finish_reason == "length" else "stop"
        logprobs: tuple[TokenLogprob, ...] = ()
        if request.sampling.logprobs is not None and output.logprobs:
            pairs = zip(tokens, output.logprobs, strict=False)
            logprobs = tuple(self._logprob(token, table, request.sampling.logprobs) for token, table in pairs)
        return Piece(text=output.text, tokens=len(tokens), logprobs=logprobs, finish_reason=reason)

    def _logprob(self, token: int, table: Mapping[int, Any], count: int) -> TokenLogprob:
        text = self._codec.token_bytes
        best = sorted(table.items(), key=lambda item: -item[1].logprob)[:count]
        return TokenLogprob(
            token, text(token), table[token].logprob, tuple((each, text(each), entry.logprob) for each, entry in best)
        )

    def _lora(self, choice: AdapterChoice) -> Any:
        if choice.kind == "base":
            return None
        if choice.kind == "merged":
            return self._merged
        if choice.name not in self._adapters:
            raise UnknownAdapter(f"The adapter {choice.name!r} is not loaded")
        return self._adapters[choice.name].request

    async def load_adapter(self, name: str, folder: Path, strength: float = 1.0) -> None:
        variant = await asyncio.to_thread(lambda: Variant(name, read_deltas(name, folder, strength=strength)))
        request = self._request(name, folder if strength == 1.0 else self._write(variant))
        self._adapters[name] = _Loaded(strength, variant, request)
        self._merge()

    async def unload_adapter(self, name: str) -> None:
        if self._adapters.pop(name, None) is None:
            raise UnknownAdapter(f"The adapter {name!r} is not loaded")
        self._merge()

    def _merge(self) -> None:
        loaded = list(self._adapters.values())
        if len(loaded) < 2:
            self._merged = loaded[0].request if loaded else None
            return
        merged = weighted_sum("merged", [(each.variant, 1.0) for each in loaded])
        self._merged = self._request("merged", self._write(merged))

    def _write(self, variant: Variant) -> Path:
        folder = Path(self._scratch.name) / f"{self._next_id}"
        write_adapter(folder, variant.deltas)
        return folder

    def _request(self, name: str, folder: Path) -> Any:
        from vllm.lora.request import LoRARequest

        number, self._next_id = self._next_id, self._next_id + 1
        # vLLM caches adapters by number and name, so a replaced adapter gets both anew.
        return LoRARequest(f"{name}-{number}", number, str(folder))

    def stats(self) -> EngineStats:
        return EngineStats(
            running=min(self._active, self._rows),
            waiting=max(0, self._active - self._rows),
            prompt_tokens=self._prompt_tokens,
            generated_tokens=self._generated_tokens,
        )

    async def stop(self, *, drain_timeout: float) -> None:
        self._accepting = False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain_timeout
        while self._active and loop.time() < deadline:  # noqa: ASYNC110 - a rare wait, at the end of the process
            await asyncio.sleep(0.05)
        self._engine.shutdown()
        self._scratch.cleanup()


def _sampling_parameters(sampling: Sampling, room: int, *, stream: bool) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=room if sampling.max_tokens is None else sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        seed=sampling.seed,
        stop=list(sampling.stop),
        stop_token_ids=list(sampling.stop_token_ids),
        frequency_penalty=sampling.frequency_penalty,
        presence_penalty=sampling.presence_penalty,
        repetition_penalty=sampling.repetition_penalty,
        logit_bias=dict(sampling.logit_bias) or None,
        logprobs=sampling.logprobs,
        min_tokens=sampling.min_tokens,
        ignore_eos=sampling.ignore_eos,
        skip_special_tokens=sampling.skip_special_tokens,
        output_kind=RequestOutputKind.DELTA if stream else RequestOutputKind.FINAL_ONLY,
    )
