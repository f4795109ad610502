"""Quiet and quick imports of the Hugging Face libraries: their progress bars and advice are not our log lines."""

import importlib
import logging
import os
import sys
import warnings
from typing import Any


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

    # It warns that a faster kernel for this CPU was not fetched from the hub; none is to be.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
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
