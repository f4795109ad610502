"""Reads a LoRA adapter folder (peft's layout) into a `Variant`, without importing peft (which costs seconds)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kaito_runtime.models.adapter_kinds import why_not_served

from ..generation import AdapterRefused
from .lora import LowRank, Variant

_KEY = re.compile(r"^base_model\.model\.(?P<path>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")


def read_deltas(name: str, folder: Path, *, strength: float = 1.0) -> dict[str, LowRank]:
    """The low-rank deltas of the adapter in `folder` at `strength`, by module path, as float32 on the CPU.

    A layer's delta is strength x alpha / r (alpha / sqrt(r) with rsLoRA) x B·A, with peft's rank and alpha patterns.
    Raises `AdapterRefused` with one sentence when files are missing or unreadable, or the adapter is of another kind.
    """
    config = _read_config(name, folder)
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in _read_tensors(name, folder).items():
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
        if down is None or up is None or down.dim() != 2 or up.dim() != 2 or down.shape[0] != up.shape[1]:
            raise AdapterRefused(f"Adapter {name}: layer {path} has no pair of matrices that fit each other")
        scale = strength * _scaling(name, config, path, rank=down.shape[0])
        deltas[path] = LowRank(down.float(), up.float() * scale)
        if not all(bool(matrix.isfinite().all()) for matrix in deltas[path]):
            raise AdapterRefused(f"Adapter {name}: the matrices of layer {path} hold numbers that are not finite")
    return deltas


def read_adapter(name: str, folder: Path, model: Any, *, strength: float = 1.0) -> Variant:
    """`read_deltas` for a loaded model, in its dtype and on its device. Raises `AdapterRefused` also when it does not
    fit."""
    deltas = read_deltas(name, folder, strength=strength)
    for path, delta in deltas.items():
        _check_fit(name, path, delta, model)
    return Variant(
        name, {path: LowRank(*(matrix.to(model.device, model.dtype) for matrix in d)) for path, d in deltas.items()}
    )


def write_adapter(folder: Path, deltas: Mapping[str, LowRank]) -> int:
    """Writes deltas as an adapter folder in peft's layout, with one rank (the largest; zeros fill up) and scaling 1.

    Returns the rank. For engines that read folders only.
    """
    from safetensors.torch import save_file

    rank = max(delta.down.shape[0] for delta in deltas.values())
    tensors = {}
    for path, delta in deltas.items():
        missing = rank - delta.down.shape[0]
        prefix = f"base_model.model.{path}"
        tensors[f"{prefix}.lora_A.weight"] = torch.nn.functional.pad(delta.down, (0, 0, 0, missing)).contiguous()
        tensors[f"{prefix}.lora_B.weight"] = torch.nn.functional.pad(delta.up, (0, missing)).contiguous()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank,
        "bias": "none",
        "target_modules": sorted({path.rpartition(".")[2] for path in deltas}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return rank


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
    why = why_not_served(config)
    if why:
        raise AdapterRefused(f"Adapter {name}: it {why}")
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


def _check_fit(name: str, path: str, delta: LowRank, model: Any) -> None:
    try:
        module = model.get_submodule(path)
    except AttributeError:
        raise AdapterRefused(f"Adapter {name}: it changes layer {path}, which this base model does not have") from None
    inputs, outputs = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if inputs is None or outputs is None:
        raise AdapterRefused(
            f"Adapter {name}: layer {path} is a {type(module).__name__}, only linear layers can be adapted"
        )
    if (delta.down.shape[1], delta.up.shape[0]) != (inputs, outputs):
        raise AdapterRefused(
            f"Adapter {name}: layer {path} has {inputs} inputs and {outputs} outputs, but the adapter's matrices are "
            f"{tuple(delta.down.shape)} and {tuple(delta.up.shape)}; it was trained for another base model"
        )


def _scaling(name: str, config: Mapping[str, Any], path: str, *, rank: int) -> float:
    """The factor of the layer's delta. Raises `AdapterRefused` where the configuration says something else than the
    weights, or nothing that is a number."""
    try:
        said = int(_by_pattern(config.get("rank_pattern"), path, config.get("r", rank)))
        alpha = float(_by_pattern(config.get("alpha_pattern"), path, config.get("lora_alpha", 8)))
    except (TypeError, ValueError, AttributeError, re.error) as error:
        raise AdapterRefused(
            f"Adapter {name}: adapter_config.json has no usable r, lora_alpha or pattern for layer {path}: {error}"
        ) from error
    if said != rank:
        raise AdapterRefused(
            f"Adapter {name}: adapter_config.json says rank {said} for layer {path}, but its matrices have rank {rank}"
        )
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _by_pattern(patterns: Mapping[str, Any] | None, path: str, default: Any) -> Any:
    """peft's rule: the first pattern that matches the whole path or an end of it that begins at a dot."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            return value
    return default
