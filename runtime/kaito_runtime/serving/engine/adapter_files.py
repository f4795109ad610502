"""Reads a LoRA adapter folder (peft's layout) into a `Variant`, without importing peft (which costs seconds)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..generation import AdapterRefused
from .lora import LowRank, Variant

_KEY = re.compile(r"^base_model\.model\.(?P<path>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")
_REFUSED = {
    "use_dora": "DoRA",
    "lora_bias": "a bias on its low-rank layers",
    "use_qalora": "QA-LoRA",
    "modules_to_save": "whole modules saved beside the low-rank layers",
    "trainable_token_indices": "trained token embeddings",
    "layer_replication": "replicated layers",
    "target_parameters": "adapted parameters that are not modules",
    "use_bdlora": "block-diagonal LoRA",
    "arrow_config": "an Arrow router",
    "alora_invocation_tokens": "activated LoRA",
}


def read_adapter(name: str, folder: Path, model: Any, *, strength: float = 1.0) -> Variant:
    """The adapter in `folder` at `strength`, in the model's dtype and on its device.

    The layer's delta is strength x alpha / r (alpha / sqrt(r) with rsLoRA) x B·A, with peft's rank and alpha
    patterns. Raises `AdapterRefused` with one sentence when files are missing or unreadable, the adapter is of
    another kind, or it does not fit the model.
    """
    config = _read_config(name, folder)
    tensors = _read_tensors(name, folder)
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        match = _KEY.match(key)
        if match is None:
            raise AdapterRefused(
                f"Adapter {name}: tensor {key!r} is no low-rank matrix of a linear layer; nothing else is served"
            )
        pairs.setdefault(match["path"], {})[match["side"]] = tensor
    if not pairs:
        raise AdapterRefused(f"Adapter {name}: {folder} holds no low-rank matrices")
    deltas = {}
    for path, sides in pairs.items():
        down, up = sides.get("A"), sides.get("B")
        if down is None or up is None:
            raise AdapterRefused(f"Adapter {name}: layer {path} has only one of its two matrices")
        _check_fit(name, path, down, up, model)
        scale = strength * _scaling(config, path, rank=down.shape[0])
        deltas[path] = LowRank(down.to(model.device, model.dtype), (up.float() * scale).to(model.device, model.dtype))
    return Variant(name, deltas)


def _read_config(name: str, folder: Path) -> Mapping[str, Any]:
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterRefused(f"Adapter {name}: {file} does not exist") from None
    except (OSError, ValueError) as error:
        raise AdapterRefused(f"Adapter {name}: {file} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise AdapterRefused(f"Adapter {name}: {file} is not a JSON object")
    if str(config.get("peft_type", "LORA")).upper() != "LORA":
        raise AdapterRefused(f"Adapter {name}: its type is {config['peft_type']}, only LORA is served")
    for key, meaning in _REFUSED.items():
        if config.get(key):
            raise AdapterRefused(f"Adapter {name}: it uses {meaning} ({key}), which is not served")
    if config.get("bias", "none") != "none":
        raise AdapterRefused(f"Adapter {name}: it trained biases (bias: {config['bias']}), which is not served")
    return config


def _read_tensors(name: str, folder: Path) -> dict[str, torch.Tensor]:
    safe, pickled = folder / "adapter_model.safetensors", folder / "adapter_model.bin"
    try:
        if safe.exists():
            from safetensors.torch import load_file

            return dict(load_file(safe))
        if pickled.exists():
            return dict(torch.load(pickled, map_location="cpu", weights_only=True))
    except Exception as error:
        raise AdapterRefused(f"Adapter {name}: its weights in {folder} cannot be read: {error}") from error
    raise AdapterRefused(f"Adapter {name}: {safe} does not exist")


def _check_fit(name: str, path: str, down: torch.Tensor, up: torch.Tensor, model: Any) -> None:
    try:
        module = model.get_submodule(path)
    except AttributeError:
        raise AdapterRefused(f"Adapter {name}: it changes layer {path}, which this base model does not have") from None
    inputs, outputs = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if inputs is None or outputs is None:
        raise AdapterRefused(
            f"Adapter {name}: layer {path} is a {type(module).__name__}, only linear layers can be adapted"
        )
    if (
        down.dim() != 2
        or up.dim() != 2
        or (down.shape[1], up.shape[0], up.shape[1]) != (inputs, outputs, down.shape[0])
    ):
        raise AdapterRefused(
            f"Adapter {name}: layer {path} has {inputs} inputs and {outputs} outputs, but the adapter's matrices are "
            f"{tuple(down.shape)} and {tuple(up.shape)}; it was trained for another base model"
        )


def _scaling(config: Mapping[str, Any], path: str, *, rank: int) -> float:
    alpha = float(_by_pattern(config.get("alpha_pattern"), path, config.get("lora_alpha", 8)))
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _by_pattern(patterns: Mapping[str, Any] | None, path: str, default: Any) -> Any:
    """peft's rule: the first pattern that matches the whole path or an end of it that begins at a dot."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            return value
    return default
