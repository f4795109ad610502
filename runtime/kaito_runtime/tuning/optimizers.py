"""Optimizers by their transformers names."""

import importlib
from collections.abc import Sequence
from typing import Any, Final

from kaito_runtime.errors import BadConfig
from kaito_runtime.tuning.sections import TrainingArguments

_ADAMW: Final = ("adamw_torch_fused", "adamw_torch", "adamw_hf", "adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit")
NAMES: Final = (*_ADAMW, "paged_adamw_32bit", "paged_adamw", "sgd", "adafactor", "lion_8bit")


def check_name(optim: str) -> str:
    """Return the name of an optimizer as in NAMES. Raises BadConfig for others."""
    name = optim.removeprefix("OptimizerNames.").lower()
    if name not in NAMES:
        raise BadConfig(f"TrainingArguments.optim {optim!r} is not known; use {', '.join(NAMES)}")
    return name


def make_optimizer(parameters: Sequence[Any], settings: TrainingArguments) -> Any:
    """Return the optimizer that `TrainingArguments.optim` names, over the trainable `parameters`.

    The bitsandbytes ones are chosen by the same names as in transformers. Raises BadConfig for other names.
    """
    import torch

    name = check_name(settings.optim)
    rate, decay = settings.learning_rate, settings.weight_decay
    adam: dict[str, Any] = {
        "lr": rate,
        "weight_decay": decay,
        "betas": (settings.adam_beta1, settings.adam_beta2),
        "eps": settings.adam_epsilon,
    }
    if name in ("adamw_torch_fused", "adamw_torch", "adamw_hf"):
        return torch.optim.AdamW(parameters, **adam, fused=True)
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=rate, weight_decay=decay)
    if name == "adafactor":
        return torch.optim.Adafactor(parameters, lr=rate, weight_decay=decay)
    optimizers: Any = importlib.import_module("bitsandbytes.optim")
    if name == "lion_8bit":
        return optimizers.Lion8bit(
            parameters, lr=rate, weight_decay=decay, betas=(settings.adam_beta1, settings.adam_beta2)
        )
    bits = 8 if name.endswith("8bit") else 32
    return optimizers.AdamW(parameters, **adam, optim_bits=bits, is_paged=name.startswith("paged"))
