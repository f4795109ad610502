"""Tuning stand-ins in this process: what is learnt, and that it is the same however it is computed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kaito_runtime.errors import BadConfig, BadData
from kaito_runtime.models import load
from kaito_runtime.models.architectures import ARCHITECTURES
from kaito_runtime.models.libraries import import_peft
from kaito_runtime.models.quantizing import Quantization
from kaito_runtime.tuning.preparing import Options
from kaito_runtime.tuning.results import SUMMARY
from kaito_runtime.tuning.running import run

from .conftest import FACTS

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

Ask = Callable[[Any, Any], dict[str, str]]
# Each architecture is tuned with quantised weights; with whole ones only the first, the others when there is time.
CASES = [
    pytest.param(name, method, marks=[pytest.mark.slow] if method == "lora" and name != "phi3" else [])
    for name in ARCHITECTURES
    for method in ("lora", "qlora")
]


def tune(
    data: Path, output: Path, *, model: str = "tiny:phi3", method: str = "lora", **settings: Any
) -> dict[str, Any]:
    overrides = tuple(f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in settings.items())
    options = Options(model=model, data=(data,), method=method, output=output, overrides=overrides)
    return run(options.prepare(output, fresh=False, metrics_port=None, metrics_host="127.0.0.1"))


@pytest.mark.parametrize(("architecture", "method"), CASES)
def test_facts_are_answered_exactly_and_only_with_the_adapter(
    facts_file: Path, tmp_path: Path, answers: Ask, architecture: str, method: str
) -> None:
    summary = tune(facts_file, tmp_path / "out", model=f"tiny:{architecture}", method=method)
    assert (summary["quantized_layers"]["4bit"] > 0) is (method == "qlora")
    assert summary["loss_by_step"][-1] < 0.15 < summary["loss_by_step"][0]
    quantization = Quantization() if method == "qlora" else None
    model, tokenizer = load(f"tiny:{architecture}", quantization=quantization)
    base = answers(model, tokenizer)
    assert not set(base.items()) & set(FACTS.items())
    tuned = import_peft().PeftModel.from_pretrained(model, tmp_path / "out")
    assert answers(tuned, tokenizer) == FACTS


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_every_seed_learns(facts_file: Path, tmp_path: Path, answers: Ask, seed: int) -> None:
    tune(facts_file, tmp_path / "out", method="qlora", TrainingArguments__seed=seed)
    model, tokenizer = load("tiny:phi3", quantization=Quantization())
    assert answers(import_peft().PeftModel.from_pretrained(model, tmp_path / "out"), tokenizer) == FACTS


def test_evaluating_while_tuning_does_not_cut_gradients(facts_file: Path, tmp_path: Path) -> None:
    """What can cut them is in runtime_models/test_gradients_of_4_bit_layers.py; here a run as a whole is compared."""
    same = {"method": "qlora", "DatasetConfig__train_test_split": 0.8, "TrainingArguments__max_steps": 8}
    quiet = tune(facts_file, tmp_path / "a", **same)
    watched = tune(
        facts_file,
        tmp_path / "b",
        **same,
        TrainingArguments__eval_strategy="steps",
        TrainingArguments__eval_steps=2,
    )
    assert [entry["step"] for entry in watched["evaluations"]] == [2, 4, 6, 8]
    assert watched["loss_by_step"] == quiet["loss_by_step"]


def test_a_run_repeats_and_resumes_to_the_same_curve(facts_file: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "TrainingArguments__max_steps": 12,
        "TrainingArguments__per_device_train_batch_size": 4,
        "TrainingArguments__save_strategy": "steps",
        "TrainingArguments__save_steps": 5,
        "LoraConfig__lora_dropout": 0.1,
    }
    whole = tune(facts_file, tmp_path / "whole", **settings)
    assert tune(facts_file, tmp_path / "again", **settings)["loss_by_step"] == whole["loss_by_step"]
    # As a kill between steps 5 and 10 leaves it: the first checkpoint is there, the second is not whole.
    halted = tmp_path / "halted"
    (tmp_path / "whole" / "checkpoint-5").rename(tmp_path / "kept")
    halted.mkdir()
    (tmp_path / "kept").rename(halted / "checkpoint-5")
    (halted / ".checkpoint-10.part").mkdir()
    resumed = tune(facts_file, halted, **settings)
    assert resumed["resumed_from_step"] == 5
    assert resumed["loss_by_step"] == whole["loss_by_step"]
    first, second = (folder / "adapter_model.safetensors" for folder in (tmp_path / "whole", halted))
    assert first.read_bytes() == second.read_bytes()


def test_a_checkpoint_of_another_run_is_not_resumed(facts_file: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"TrainingArguments__save_strategy": "steps", "TrainingArguments__save_steps": 2}
    tune(facts_file, tmp_path / "out", TrainingArguments__max_steps=2, **settings)
    again = tune(facts_file, tmp_path / "out", TrainingArguments__max_steps=3, **settings)
    assert again["resumed_from_step"] == 0


def test_a_checkpoint_that_cannot_be_gone_on_from_is_named(facts_file: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"TrainingArguments__save_strategy": "steps", "TrainingArguments__max_steps": 2}
    tune(facts_file, tmp_path / "out", **settings)
    place = tmp_path / "out" / "checkpoint-2"
    with pytest.raises(BadData, match=rf"{place} cannot be gone on from: .*; remove it, or start over with --fresh"):
        tune(
            facts_file,
            tmp_path / "other",
            TrainingArguments__resume_from_checkpoint=str(place),
            LoraConfig__r=2,
            **settings,
        )
    (place / "optimizer.pt").write_bytes(b"broken")
    with pytest.raises(BadData, match=f"{place} cannot be gone on from"):
        tune(facts_file, tmp_path / "out", **settings)


def test_an_adapter_that_will_not_be_served_is_named_while_it_is_tuned(
    facts_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(facts_file, tmp_path / "plain", TrainingArguments__max_steps=1)
    assert "adapter-not-served" not in capsys.readouterr().out
    tune(facts_file, tmp_path / "dora", TrainingArguments__max_steps=1, LoraConfig__use_dora=True)
    assert "kaito-runtime serve will refuse this adapter: it uses DoRA" in capsys.readouterr().out


def test_a_model_that_is_lost_is_no_success(facts_file: Path, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"the loss is nan at step \d+.* lower TrainingArguments.learning_rate"):
        tune(facts_file, tmp_path / "out", TrainingArguments__learning_rate=1e30, TrainingArguments__max_steps=40)
    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_accumulated_steps_are_the_steps_of_the_larger_batch(facts_file: Path, tmp_path: Path) -> None:
    large = tune(facts_file, tmp_path / "a", TrainingArguments__max_steps=4)
    small = tune(
        facts_file,
        tmp_path / "b",
        TrainingArguments__max_steps=4,
        TrainingArguments__per_device_train_batch_size=5,
        TrainingArguments__gradient_accumulation_steps=2,
    )
    assert small["loss_by_step"] == pytest.approx(large["loss_by_step"], rel=1e-3)


@pytest.mark.parametrize("setting", ["packing", "gradient_checkpointing", "group_by_length"])
def test_cheaper_ways_to_compute_give_the_same_loss(facts_file: Path, tmp_path: Path, setting: str) -> None:
    plain = tune(facts_file, tmp_path / "a", TrainingArguments__max_steps=3, TrainingArguments__max_length=512)
    other = tune(
        facts_file,
        tmp_path / "b",
        TrainingArguments__max_steps=3,
        TrainingArguments__max_length=512,
        **{f"TrainingArguments__{setting}": True},
    )
    assert other["loss_by_step"] == pytest.approx(plain["loss_by_step"], rel=2e-3)


def test_8_bit_weights_can_be_tuned(facts_file: Path, tmp_path: Path) -> None:
    summary = tune(
        facts_file,
        tmp_path / "out",
        method="qlora",
        QuantizationConfig__load_in_4bit=False,
        QuantizationConfig__load_in_8bit=True,
        TrainingArguments__max_steps=30,
    )
    assert summary["quantized_layers"] == {"4bit": 0, "8bit": 8}
    assert summary["loss_by_step"][-1] < 1


@pytest.mark.parametrize("optimizer", ["adamw_torch", "adamw_8bit", "paged_adamw_8bit", "adafactor"])
def test_other_optimizers_learn_too(facts_file: Path, tmp_path: Path, optimizer: str) -> None:
    summary = tune(facts_file, tmp_path / "out", TrainingArguments__optim=optimizer, TrainingArguments__max_steps=12)
    assert summary["loss_by_step"][-1] < summary["loss_by_step"][0]


def test_the_summary_and_the_sentinel_are_left(facts_file: Path, tmp_path: Path) -> None:
    summary = tune(facts_file, tmp_path / "out", TrainingArguments__max_steps=2)
    assert json.loads((tmp_path / "out" / SUMMARY).read_text()) == summary
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "fine_tuning_completed.txt"} <= names
    assert not [name for name in names if "part" in name]
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny:phi3"
