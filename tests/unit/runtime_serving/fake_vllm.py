"""The few names of vLLM that the engine uses, with an engine that answers at once and records what it was asked."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any


class RequestOutputKind(Enum):
    DELTA = 1
    FINAL_ONLY = 2


class SamplingParams(SimpleNamespace):
    pass


class AsyncEngineArgs(SimpleNamespace):
    pass


@dataclass
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str


@dataclass
class AsyncLLM:
    arguments: AsyncEngineArgs
    asked: list[tuple[Any, SamplingParams, str, LoRARequest | None]] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    down: bool = False
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.vllm_config = SimpleNamespace(model_config=SimpleNamespace(max_model_len=128))

    @classmethod
    def from_engine_args(cls, arguments: AsyncEngineArgs) -> "AsyncLLM":
        return cls(arguments)

    async def generate(
        self, prompt: Any, parameters: SamplingParams, request_id: str, lora_request: LoRARequest | None = None
    ) -> AsyncIterator[Any]:
        self.asked.append((prompt, parameters, request_id, lora_request))
        if self.failure is not None:
            raise self.failure
        tokens, texts = [10, 11, 12], ["a", "b", "c"]
        table = {10: SimpleNamespace(logprob=-0.5), 11: SimpleNamespace(logprob=-1.0)}
        if parameters.output_kind is RequestOutputKind.DELTA:
            for number, (token, text) in enumerate(zip(tokens, texts, strict=True)):
                reason = "length" if number == 2 else None
                output = SimpleNamespace(text=text, token_ids=[token], logprobs=[table], finish_reason=reason)
                yield SimpleNamespace(outputs=[output])
            return
        logprobs = None if parameters.logprobs is None else [table]
        output = SimpleNamespace(text="abc", token_ids=tokens, logprobs=logprobs, finish_reason="stop")
        yield SimpleNamespace(outputs=[output])

    async def abort(self, request_id: str) -> None:
        self.aborted.append(request_id)

    def shutdown(self) -> None:
        self.down = True


def modules() -> dict[str, ModuleType]:
    """What `sys.modules` must hold for `vllm_engine` to find it all."""
    names = {
        "vllm": {"AsyncEngineArgs": AsyncEngineArgs, "SamplingParams": SamplingParams},
        "vllm.sampling_params": {"RequestOutputKind": RequestOutputKind},
        "vllm.v1": {},
        "vllm.v1.engine": {},
        "vllm.v1.engine.async_llm": {"AsyncLLM": AsyncLLM},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": LoRARequest},
    }
    made = {}
    for name, members in names.items():
        made[name] = ModuleType(name)
        made[name].__dict__.update(members)
        made[name].__path__ = []
    assert not made.keys() & sys.modules.keys(), "the real vLLM is imported"
    return made
