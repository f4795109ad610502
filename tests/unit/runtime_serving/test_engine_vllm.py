"""The vLLM engine's side of the bargain, against a stand-in for vLLM: what it is asked, what comes back."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
from kaito_runtime.errors import UsageFailure
from kaito_runtime.serving import loading
from kaito_runtime.serving.generation import (
    BASE_CHOICE,
    MERGED_CHOICE,
    AdapterChoice,
    EngineFailed,
    GenerationRequest,
    PromptTooLong,
    Sampling,
    Stopping,
    UnknownAdapter,
)
from kaito_runtime.serving.settings import EngineSettings
from safetensors.torch import load_file

from . import fake_vllm
from .tiny import make_adapter, tiny_model, tiny_tokenizer

pytestmark = pytest.mark.torch


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    for name, module in fake_vllm.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    from kaito_runtime.serving.vllm_engine import VllmEngine

    tiny_tokenizer().save_pretrained(tmp_path / "model")
    made = VllmEngine(EngineSettings(model=str(tmp_path / "model"), context_length=128, max_rows=2, max_queue=0))
    yield made
    await made.stop(drain_timeout=0)
    sys.modules.pop("kaito_runtime.serving.vllm_engine")


def make_request(**fields: Any) -> GenerationRequest:
    return GenerationRequest(
        **{"id": "r1", "prompt": [5, 6, 7], "sampling": Sampling(), "adapter": BASE_CHOICE, **fields}
    )


async def test_requests_and_answers_are_translated(engine: Any) -> None:
    sampling = Sampling(max_tokens=9, temperature=0.5, seed=3, stop=("x",), logprobs=2)
    (whole,) = [piece async for piece in engine.generate(make_request(sampling=sampling))]
    assert (whole.text, whole.tokens, whole.finish_reason) == ("abc", 3, "stop")
    assert [(each.token, each.logprob) for each in whole.logprobs] == [(10, -0.5)]
    assert [(token, value) for token, _, value in whole.logprobs[0].top] == [(10, -0.5), (11, -1.0)]
    prompt, parameters, name, lora = engine._engine.asked[0]
    assert (prompt, name, lora) == ({"prompt_token_ids": [5, 6, 7]}, "r1", None)
    assert (parameters.max_tokens, parameters.temperature, parameters.seed, parameters.stop) == (9, 0.5, 3, ["x"])
    pieces = [piece async for piece in engine.generate(make_request(stream=True))]
    assert [(piece.text, piece.finish_reason) for piece in pieces] == [("a", None), ("b", None), ("c", "length")]
    assert engine._engine.asked[1][1].max_tokens == 125
    assert engine.stats().generated_tokens == 6


async def test_adapters_are_folders_with_their_strengths_folded_in(engine: Any, tmp_path: Path) -> None:
    model = tiny_model()
    first = make_adapter(tmp_path / "first", model, seed=1)
    second = make_adapter(tmp_path / "second", model, seed=2, r=6, target_modules=["o_proj"])

    async def folder(choice: AdapterChoice) -> Path:
        async for _ in engine.generate(make_request(adapter=choice)):
            pass
        return Path(engine._engine.asked[-1][3].lora_path)

    await engine.load_adapter("first", first)
    assert await folder(MERGED_CHOICE) == first
    await engine.load_adapter("second", second, 0.5)
    assert dict(engine.adapters) == {"first": 1.0, "second": 0.5}
    assert await folder(AdapterChoice(kind="adapter", name="first")) == first

    def delta(place: Path, layer: str) -> torch.Tensor:
        tensors = load_file(place / "adapter_model.safetensors")
        config = json.loads((place / "adapter_config.json").read_text())
        key = f"base_model.model.{layer}"
        return (tensors[f"{key}.lora_B.weight"] @ tensors[f"{key}.lora_A.weight"]) * config["lora_alpha"] / config["r"]

    layer = "model.layers.0.self_attn.o_proj"
    half = await folder(AdapterChoice(kind="adapter", name="second"))
    torch.testing.assert_close(delta(half, layer), 0.5 * delta(second, layer))
    merged = await folder(MERGED_CHOICE)
    torch.testing.assert_close(delta(merged, layer), delta(first, layer) + 0.5 * delta(second, layer))
    other = "model.layers.1.mlp.down_proj"
    torch.testing.assert_close(delta(merged, other), delta(first, other))
    await engine.unload_adapter("first")
    with pytest.raises(UnknownAdapter):
        await folder(AdapterChoice(kind="adapter", name="first"))


async def test_refusals_are_the_same_as_the_other_engines(engine: Any) -> None:
    async def run(**fields: Any) -> None:
        async for _ in engine.generate(make_request(**fields)):
            pass

    with pytest.raises(PromptTooLong):
        await run(prompt=[5] * 200)
    with pytest.raises(UnknownAdapter):
        await run(adapter=AdapterChoice(kind="adapter", name="nobody"))
    engine._engine.failure = RuntimeError("EngineDead")
    with pytest.raises(EngineFailed, match="RuntimeError"):
        await run()
    await engine.stop(drain_timeout=1)
    assert engine._engine.down
    with pytest.raises(Stopping):
        await run()


async def test_a_closed_generation_is_aborted(engine: Any) -> None:
    generation = engine.generate(make_request(stream=True))
    await anext(generation)
    await generation.aclose()
    assert engine._engine.aborted == ["r1"]
    assert engine.stats().running == 0


def test_without_vllm_or_a_gpu_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        for name, module in fake_vllm.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(loading, "_installed", lambda: True)
        with pytest.raises(UsageFailure, match="no CUDA GPU"):
            loading.build_engine(EngineSettings(model="x", engine="vllm"))
    monkeypatch.setattr(loading, "_installed", lambda: False)
    with pytest.raises(UsageFailure, match="vllm is not installed"):
        loading.build_engine(EngineSettings(model="x", engine="vllm"))
