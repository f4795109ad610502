"""Adapters per row, compared number by number with peft."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
from kaito_runtime.serving.engine import lora
from kaito_runtime.serving.engine.adapter_files import read_adapter, read_deltas, write_adapter
from kaito_runtime.serving.engine.batching import BatchingEngine
from kaito_runtime.serving.engine.scheduling import SchedulingLimits
from kaito_runtime.serving.generation import (
    BASE_CHOICE,
    MERGED_CHOICE,
    AdapterChoice,
    AdapterRefused,
    GenerationRequest,
    Sampling,
    TokenLogprob,
    UnknownAdapter,
)

from .tiny import make_adapter, tiny_model, tiny_tokenizer

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning"),
]

ADAPTERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide": {"r": 7, "lora_alpha": 3, "target_modules": ["qkv_proj", "o_proj"]},
    "stabilised": {"r": 4, "lora_alpha": 8, "use_rslora": True, "target_modules": ["down_proj"]},
    "patterned": {
        "r": 4,
        "rank_pattern": {"o_proj": 6, "layers.1.mlp.down_proj": 2},
        "alpha_pattern": {"o_proj": 5, "^model.layers.0.self_attn.qkv_proj": 20},
    },
}
STRENGTHS = {"plain": 1.0, "wide": 0.5, "stabilised": 0.25, "patterned": 0.7}
PROMPT = list(range(10, 25))


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    return tiny_model()


@pytest.fixture(scope="module")
def folders(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {
        name: make_adapter(root / name, model, seed=seed, **settings)
        for seed, (name, settings) in enumerate(ADAPTERS.items())
    }


@pytest.fixture
async def engine(model: Any, folders: dict[str, Path]) -> AsyncIterator[BatchingEngine]:
    engine = BatchingEngine(copy.deepcopy(model), tiny_tokenizer(), limits=SchedulingLimits())
    for name, folder in folders.items():
        await engine.load_adapter(name, folder, STRENGTHS[name])
    yield engine
    await engine.stop(drain_timeout=0)


@pytest.fixture(scope="module")
def peft_logprobs(model: Any, folders: dict[str, Path]) -> dict[str, Any]:
    """First-token log probabilities by peft, for every choice."""
    from peft import PeftModel

    names = list(folders)
    adapted = PeftModel.from_pretrained(copy.deepcopy(model), folders[names[0]], adapter_name=names[0])
    for name in names[1:]:
        adapted.load_adapter(folders[name], adapter_name=name)
    adapted.add_weighted_adapter(names, [STRENGTHS[name] for name in names], "all", combination_type="cat")
    adapted.eval()

    def logprobs() -> Any:
        with torch.inference_mode():
            return torch.log_softmax(adapted(input_ids=torch.tensor([PROMPT])).logits[0, -1].float(), dim=-1)

    found = {}
    adapted.set_adapter("all")
    found["merged"] = logprobs()
    for name in names:
        # Not add_weighted_adapter: with one rsLoRA adapter peft scales the sum a second time.
        adapted.set_adapter(name)
        for module in adapted.modules():
            if hasattr(module, "set_scale"):
                module.set_scale(name, STRENGTHS[name])
        found[name] = logprobs()
    with adapted.disable_adapter():
        found["base"] = logprobs()
    return found


def choice_of(name: str) -> AdapterChoice:
    return {"base": BASE_CHOICE, "merged": MERGED_CHOICE}.get(name) or AdapterChoice(kind="adapter", name=name)


async def first_token(engine: BatchingEngine, name: str) -> TokenLogprob:
    sampling = Sampling(max_tokens=1, logprobs=261, ignore_eos=True)
    request = GenerationRequest(id="r", prompt=PROMPT, sampling=sampling, adapter=choice_of(name))
    (piece,) = [piece async for piece in engine.generate(request)]
    return piece.logprobs[0]


def expect_equal(found: TokenLogprob, expected: Any) -> None:
    dense = torch.empty(261)
    for token, _, value in found.top:
        dense[token] = value
    torch.testing.assert_close(dense, expected, atol=2e-5, rtol=1e-5)


CHOICES = ["base", "merged", *ADAPTERS]


@pytest.mark.parametrize("name", CHOICES)
async def test_each_choice_equals_peft(engine: BatchingEngine, peft_logprobs: dict[str, Any], name: str) -> None:
    expect_equal(await first_token(engine, name), peft_logprobs[name])


async def test_all_choices_in_one_batch_equal_peft(engine: BatchingEngine, peft_logprobs: dict[str, Any]) -> None:
    found = await asyncio.gather(*(first_token(engine, name) for name in CHOICES * 2))
    for name, each in zip(CHOICES * 2, found, strict=True):
        expect_equal(each, peft_logprobs[name])


def test_the_choices_are_different_models(peft_logprobs: dict[str, Any]) -> None:
    for name in CHOICES[1:]:
        assert (peft_logprobs[name] - peft_logprobs["base"]).abs().max() > 0.05


async def test_strength_zero_is_the_base_and_one_of_two_alone_is_that_one(
    model: Any, folders: dict[str, Path], peft_logprobs: dict[str, Any]
) -> None:
    engine = BatchingEngine(copy.deepcopy(model), tiny_tokenizer(), limits=SchedulingLimits())
    await engine.load_adapter("wide", folders["wide"], 0.0)
    expect_equal(await first_token(engine, "wide"), peft_logprobs["base"])
    expect_equal(await first_token(engine, "merged"), peft_logprobs["base"])
    await engine.load_adapter("plain", folders["plain"])
    expect_equal(await first_token(engine, "merged"), peft_logprobs["plain"])
    await engine.stop(drain_timeout=0)


async def test_a_request_keeps_the_weights_it_began_with(engine: BatchingEngine, folders: dict[str, Path]) -> None:
    async def whole(stream: bool) -> list[int]:
        sampling = Sampling(max_tokens=60, ignore_eos=True, logprobs=0)
        request = GenerationRequest(id="r", prompt=PROMPT, sampling=sampling, adapter=choice_of("plain"), stream=stream)
        tokens: list[int] = []
        async for piece in engine.generate(request):
            if stream and not tokens:
                await engine.unload_adapter("plain")
            tokens += [each.token for each in piece.logprobs]
        return tokens

    expected = await whole(stream=False)
    assert await whole(stream=True) == expected
    with pytest.raises(UnknownAdapter):
        await whole(stream=False)
    await engine.load_adapter("plain", folders["plain"])
    assert await whole(stream=False) == expected


async def test_adapters_are_listed_and_can_be_taken_away(engine: BatchingEngine) -> None:
    assert dict(engine.adapters) == STRENGTHS
    for name in list(STRENGTHS):
        await engine.unload_adapter(name)
    assert dict(engine.adapters) == {}
    with pytest.raises(UnknownAdapter):
        await engine.unload_adapter("plain")


def test_a_written_adapter_reads_back_as_the_same_delta(model: Any, folders: dict[str, Path], tmp_path: Path) -> None:
    deltas = read_deltas("patterned", folders["patterned"], strength=0.5)
    assert write_adapter(tmp_path, deltas) == 6
    again = read_deltas("again", tmp_path)
    assert deltas.keys() == again.keys()
    for path, delta in deltas.items():
        torch.testing.assert_close(delta.up @ delta.down, again[path].up @ again[path].down)


def test_adapters_that_cannot_be_served_are_refused_in_one_sentence(
    model: Any, folders: dict[str, Path], tmp_path: Path
) -> None:
    def broken(name: str, **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        config = json.loads((folders["plain"] / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}))
        (folder / "adapter_model.safetensors").write_bytes(
            (folders["plain"] / "adapter_model.safetensors").read_bytes()
        )
        return folder

    def refusal(folder: Path, into: Any = model) -> str:
        with pytest.raises(AdapterRefused) as caught:
            read_adapter("x", folder, into)
        return caught.value.message

    assert "does not exist" in refusal(tmp_path / "nowhere")
    assert "DoRA" in refusal(broken("dora", use_dora=True))
    assert "only LORA" in refusal(broken("ia3", peft_type="IA3"))
    assert "changed base weights (init_lora_weights: pissa)" in refusal(broken("pissa", init_lora_weights="pissa"))
    assert "biases" in refusal(broken("bias", bias="all"))
    assert "says rank 8 for layer" in refusal(broken("rank", r=8))
    assert "no usable r, lora_alpha or pattern" in refusal(broken("alpha", lora_alpha="much"))
    assert "no usable r, lora_alpha or pattern" in refusal(broken("pattern", rank_pattern={"(": 4}))
    assert "not finite" in refusal(broken("infinite", lora_alpha=1e40))
    assert "another base model" in refusal(folders["plain"], tiny_model(hidden_size=32))
    assert "does not have" in refusal(folders["plain"], tiny_model("llama"))
    weightless = broken("weightless")
    (weightless / "adapter_model.safetensors").unlink()
    assert "does not exist" in refusal(weightless)
    garbage = broken("garbage")
    (garbage / "adapter_model.safetensors").write_bytes(b"garbage")
    assert "cannot be read" in refusal(garbage)
    (garbage / "adapter_config.json").write_text("{")
    assert "JSON" in refusal(garbage)


async def test_copies_of_weights_stay_within_their_memory_and_change_no_answer(
    model: Any, folders: dict[str, Path], peft_logprobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = read_deltas("plain", folders["plain"])
    one = sum(delta.up.shape[0] * delta.down.shape[1] * 4 for delta in plain.values())
    monkeypatch.setattr(lora, "MERGED_BYTES", one)
    served = copy.deepcopy(model)
    engine = BatchingEngine(served, tiny_tokenizer(), limits=SchedulingLimits())
    for name in ("plain", "patterned"):
        await engine.load_adapter(name, folders[name], STRENGTHS[name])

    def on_copies(name: str) -> bool:
        return all(served.get_submodule(path).forward.merged is not None for path in plain)

    # Both adapt every layer: there is memory for the copies of the first to come, and after it for those of the next.
    for name, copied in (("plain", True), ("patterned", False), ("plain", True)):
        expect_equal(await first_token(engine, name), peft_logprobs[name])
        assert on_copies(name) is copied
    await engine.unload_adapter("plain")
    expect_equal(await first_token(engine, "patterned"), peft_logprobs["patterned"])
    assert on_copies("patterned")
    await engine.stop(drain_timeout=0)
