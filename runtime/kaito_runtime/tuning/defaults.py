"""What a run does when no configuration file is given: upstream's templates, or values that suit a stand-in."""

import json
from pathlib import Path
from typing import Any

from kaito_runtime.tuning.training_config import Method

_QUANTIZED: dict[str, Any] = {
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_use_double_quant": True,
}


def template(method: Method) -> dict[str, dict[str, Any]]:
    """Return the sections of upstream's `lora-params-template` or `qlora-params-template`."""
    return {
        "ModelConfig": {"torch_dtype": "bfloat16", "local_files_only": True, "device_map": "auto"},
        "QuantizationConfig": dict(_QUANTIZED) if method == "qlora" else {"load_in_4bit": False},
        "LoraConfig": {"r": 8, "lora_alpha": 8, "lora_dropout": 0.0},
        "TrainingArguments": {
            "output_dir": "/mnt/results",
            "ddp_find_unused_parameters": False,
            "save_strategy": "no",
            "per_device_train_batch_size": 1,
        },
        "DataCollator": {"mlm": True},
        "DatasetConfig": {"shuffle_dataset": True, "train_test_split": 1},
    }


def stand_in_template(method: Method) -> dict[str, dict[str, Any]]:
    """Return sections for a stand-in: it needs a far higher rate than a real model, and single precision on a CPU."""
    sections = template(method)
    sections["ModelConfig"]["torch_dtype"] = "float32"
    if method == "qlora":
        sections["QuantizationConfig"]["bnb_4bit_compute_dtype"] = "float32"
    sections["LoraConfig"] |= {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}
    sections["TrainingArguments"] |= {
        "learning_rate": 5e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 5,
        "max_steps": 80,
        "per_device_train_batch_size": 10,
        "logging_steps": 10,
    }
    return sections


def is_stand_in(folder: Path) -> bool:
    """Whether the model in `folder` was built here as a stand-in."""
    from kaito_runtime.models.building import MARKER

    try:
        return "architecture" in json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
