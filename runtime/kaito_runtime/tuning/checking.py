"""What a training configuration may say: ranges, names, and settings that exclude each other."""

import math
from typing import Any, Final

from kaito_runtime.errors import BadConfig
from kaito_runtime.models.loading import dtype_name
from kaito_runtime.tuning import optimizers, schedules
from kaito_runtime.tuning.training_config import Method, TrainingConfig

_RANGES: Final[dict[str, tuple[float, float]]] = {
    "TrainingArguments.per_device_train_batch_size": (1, math.inf),
    "TrainingArguments.per_device_eval_batch_size": (1, math.inf),
    "TrainingArguments.gradient_accumulation_steps": (1, math.inf),
    "TrainingArguments.max_length": (2, math.inf),
    "TrainingArguments.warmup_steps": (0, math.inf),
    "TrainingArguments.warmup_ratio": (0, 1),
    "TrainingArguments.weight_decay": (0, math.inf),
    "TrainingArguments.adam_beta1": (0, 1),
    "TrainingArguments.adam_beta2": (0, 1),
    "TrainingArguments.adam_epsilon": (0, math.inf),
    "TrainingArguments.logging_steps": (0, math.inf),
    "TrainingArguments.eval_steps": (0, math.inf),
    "TrainingArguments.save_steps": (0, math.inf),
    "TrainingArguments.save_total_limit": (1, math.inf),
    "TrainingArguments.neftune_noise_alpha": (0, math.inf),
    "TrainingArguments.seed": (0, 2**32 - 1),
    "DataCollator.pad_to_multiple_of": (1, math.inf),
    "LoraConfig.r": (1, math.inf),
    "LoraConfig.lora_dropout": (0, 1),
}
"""Least and most of each number; an unset one is not checked."""


def check(config: TrainingConfig, *, source: str, method: Method | None) -> None:
    """Raise BadConfig, naming `source` and the key, for what cannot be tuned with.

    method: what was asked for on the command line.
    """
    try:
        _check_numbers(config)
        _check_names(config)
        _check_combinations(config, method)
    except BadConfig as error:
        raise BadConfig(f"{source}: {error}") from error.__cause__


def _check_numbers(config: TrainingConfig) -> None:
    sections: dict[str, Any] = {
        "TrainingArguments": config.training,
        "DataCollator": config.collator,
        "LoraConfig": config.lora,
    }
    for path, (least, most) in _RANGES.items():
        section, _, key = path.partition(".")
        value = getattr(sections[section], key)
        if value is not None and not least <= value <= most:
            reach = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:.10g}"
            raise BadConfig(f"{path} must be {reach}, not {value}")
    training = config.training
    if training.num_train_epochs <= 0 and training.max_steps <= 0:
        raise BadConfig("TrainingArguments.num_train_epochs must be above 0")
    if training.learning_rate <= 0:
        raise BadConfig("TrainingArguments.learning_rate must be above 0")
    if not 0 < config.dataset.train_test_split <= 1:
        raise BadConfig("DatasetConfig.train_test_split must be above 0 and at most 1")


def _check_names(config: TrainingConfig) -> None:
    model, quantization, training = config.model, config.quantization, config.training
    dtype_name(model.torch_dtype or "auto", setting="ModelConfig.torch_dtype")
    if quantization.bnb_4bit_compute_dtype == "auto":
        raise BadConfig("QuantizationConfig.bnb_4bit_compute_dtype 'auto' is not known; use float32 or bfloat16")
    dtype_name(quantization.bnb_4bit_compute_dtype, setting="QuantizationConfig.bnb_4bit_compute_dtype")
    if model.device_map not in (None, "auto", "cpu", "cuda", "cuda:0"):
        raise BadConfig(
            f"ModelConfig.device_map {model.device_map!r} is not supported; use auto or cpu"
            " (each process tunes on a GPU of its own)"
        )
    if quantization.quant_method != "bitsandbytes":
        raise BadConfig(f"QuantizationConfig.quant_method {quantization.quant_method!r} is not known; use bitsandbytes")
    if quantization.bnb_4bit_quant_type not in ("nf4", "fp4"):
        raise BadConfig("QuantizationConfig.bnb_4bit_quant_type must be nf4 or fp4")
    for key in ("save_strategy", "eval_strategy"):
        if getattr(training, key) not in (None, "no", "steps", "epoch"):
            raise BadConfig(f"TrainingArguments.{key} must be no, steps or epoch")
    optimizers.check_name(training.optim)
    schedules.schedule(
        training.lr_scheduler_type,
        steps=1,
        warmup=0,
        rate=training.learning_rate,
        settings=training.lr_scheduler_kwargs,
    )


def _check_combinations(config: TrainingConfig, method: Method | None) -> None:
    quantization, training = config.quantization, config.training
    if quantization.load_in_4bit and quantization.load_in_8bit:
        raise BadConfig("QuantizationConfig: load_in_4bit and load_in_8bit exclude each other")
    if method and method != config.method:
        raise BadConfig(
            f"QuantizationConfig: the method is {method}, so load_in_4bit and load_in_8bit must "
            + ("both be false" if method == "lora" else "not both be false")
        )
    if training.bf16 and training.fp16:
        raise BadConfig("TrainingArguments: bf16 and fp16 exclude each other")
