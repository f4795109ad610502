"""Quiet and quick imports of the Hugging Face libraries: their progress bars and advice are not our log lines."""

import contextlib
import importlib
import os
import sys
import warnings
from typing import Any, Final

from kaito_runtime.models.compiler import compiler_put_off

_MODELLING: Final = ("transformers.modeling_utils", "transformers.masking_utils", "transformers.generation")
"""What every modelling file of transformers imports, and what names the compiler."""


def import_peft() -> Any:
    """Return the `peft` module, with bitsandbytes imported the quick way before it."""
    import_bitsandbytes()
    return importlib.import_module("peft")


def import_bitsandbytes() -> Any:
    """Return the `bitsandbytes` module without torch's compiler behind it where there is no GPU.

    Its CPU fallbacks are decorated with torch.compile, which at import time brings in the whole inductor (more than a
    second), and at the first call starts a C++ compiler, for nothing that small models would notice.
    """
    import torch

    if torch.cuda.is_available() or "bitsandbytes" in sys.modules:
        return importlib.import_module("bitsandbytes")
    compiler = torch.compile
    torch.compile = _no_compiler  # type: ignore[assignment]
    try:
        return importlib.import_module("bitsandbytes")
    finally:
        torch.compile = compiler


def _no_compiler(function: Any = None, **_: Any) -> Any:
    """Stand in for torch.compile, in both its forms, and compile nothing."""
    return function if function is not None else lambda decorated: decorated


def quiet_transformers() -> Any:
    """Return the `transformers` module with progress bars off and only errors logged; set nothing that a user set."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|bitsandbytes|peft|transformers)\b.*")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(torch|bitsandbytes|peft|transformers)\b.*")
    transformers: Any = importlib.import_module("transformers")

    if not os.environ.get("TRANSFORMERS_VERBOSITY"):
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
    return transformers


def quick_transformers() -> Any:
    """Return `quiet_transformers()` with the common part of its models imported the quick way where there is no GPU.

    A single process without a GPU needs neither the compiler nor sharded tensors: transformers is told what it would
    see in a torch that was built without them. Whatever goes wrong with that, the usual imports follow.
    """
    import torch

    transformers = quiet_transformers()
    if torch.cuda.is_available() or "WORLD_SIZE" in os.environ or _MODELLING[0] in sys.modules:
        return transformers
    with contextlib.suppress(ImportError, AttributeError), compiler_put_off():
        _without_distribution()
        for name in _MODELLING:
            importlib.import_module(name)
    return transformers


def _without_distribution() -> None:
    """Have transformers remember that torch.distributed is not there (it asks once); for others it still is.

    Its tensor-parallel modules would import DTensor with all its operators and, for their shapes, sympy.
    """
    import torch
    from transformers.utils.import_utils import is_torch_distributed_available

    answer = torch.distributed.is_available
    torch.distributed.is_available = _no
    try:
        is_torch_distributed_available()
    finally:
        torch.distributed.is_available = answer


def _no() -> bool:
    return False
