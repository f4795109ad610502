"""Quiet imports of the Hugging Face libraries: their progress bars and advice are not our log lines."""

import importlib
import os
import warnings
from typing import Any


def quiet_transformers() -> Any:
    """Return the `transformers` module with progress bars off and only errors logged; set nothing that a user set."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|bitsandbytes|peft|transformers)\b.*")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(torch|bitsandbytes|peft|transformers)\b.*")
    transformers: Any = importlib.import_module("transformers")

    if not os.environ.get("TRANSFORMERS_VERBOSITY"):
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
    return transformers
