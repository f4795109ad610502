"""Builds the engine that the settings ask for. Slow and blocking: it imports torch and loads weights."""

from __future__ import annotations

import importlib.util
import logging

from kaito_runtime.errors import BadData, UsageFailure

from .generation import Engine
from .settings import EngineSettings

log = logging.getLogger(__name__)

GiB = 2**30
CACHE_SHARE = 0.4
"""Share of free memory that keys and values may take where no limit is given."""


def build_engine(settings: EngineSettings) -> Engine:
    """The engine, with the base model loaded and without adapters. Raises `RuntimeFailure`s."""
    if _use_vllm(settings):
        from .vllm_engine import VllmEngine

        return VllmEngine(settings)
    return _transformers(settings)


def _use_vllm(settings: EngineSettings) -> bool:
    if settings.engine == "transformers":
        return False
    installed = _installed()
    if settings.engine == "auto" and not installed:
        return False
    import torch

    gpu = torch.cuda.is_available()
    if settings.engine == "auto":
        return gpu
    if not installed:
        raise UsageFailure("--engine vllm: the package vllm is not installed; install it, or use --engine transformers")
    if not gpu:
        raise UsageFailure("--engine vllm: there is no CUDA GPU that torch can use here; use --engine transformers")
    return True


def _installed() -> bool:
    return importlib.util.find_spec("vllm") is not None


def _transformers(settings: EngineSettings) -> Engine:
    from kaito_runtime.models import load
    from kaito_runtime.models.quantizing import Quantization

    _check_device(settings.device)
    model, tokenizer = load(
        settings.model,
        dtype=settings.dtype,
        quantization=None if settings.bits is None else Quantization(bits=settings.bits),
        device=settings.device,
        chat_template=settings.chat_template,
        trust_remote_code=settings.trust_remote_code,
        revision=settings.revision,
    )
    from .engine.batching import BatchingEngine
    from .engine.decoder import UnsupportedModel
    from .engine.scheduling import SchedulingLimits

    limits = SchedulingLimits(
        max_rows=settings.max_rows, max_queue=settings.max_queue, cache_bytes=_cache_bytes(settings, model.device.type)
    )
    try:
        engine = BatchingEngine(model, tokenizer, limits=limits, context_length=settings.context_length)
    except UnsupportedModel as error:
        raise BadData(f"{settings.model} cannot be served by this engine: {error}") from error
    if settings.context_length is not None and engine.context_length < settings.context_length:
        log.warning(
            "The context is %d tokens, not %d: the model or the memory for keys and values ends there",
            engine.context_length,
            settings.context_length,
        )
    return engine


def _check_device(device: str | None) -> None:
    """Raises `UsageFailure` for a GPU that is not there."""
    if device is None or not device.startswith("cuda"):
        return
    import torch

    count = torch.cuda.device_count()
    if int(device.partition(":")[2] or 0) >= count:
        raise UsageFailure(f"--device {device}: torch can use {count} GPUs here; use cpu or auto")


def _cache_bytes(settings: EngineSettings, device: str) -> int:
    if settings.cache_gib is not None:
        return int(settings.cache_gib * GiB)
    if device == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info()
        return int(free * CACHE_SHARE)
    import psutil

    return int(psutil.virtual_memory().available * CACHE_SHARE)
