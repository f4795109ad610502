"""The files that tell pusher and pause container how tuning ended; each appears whole or not at all."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Final

COMPLETED: Final = "fine_tuning_completed.txt"
FAILED: Final = "fine_tuning_failed.txt"
PUSHED: Final = "push_completed.json"
PUSH_FAILED: Final = "push_failed.txt"


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path` so that no reader, and no crash, ever sees a part of it."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def clear(folder: Path) -> None:
    """Remove what an earlier run left, so that nobody takes its end for ours."""
    for name in (COMPLETED, FAILED, PUSHED, PUSH_FAILED):
        (folder / name).unlink(missing_ok=True)


def report_completed(folder: Path) -> None:
    """Say that the adapter in `folder` is whole; upstream's text."""
    write_atomically(folder / COMPLETED, f"Fine-Tuning completed at {datetime.now():%Y-%m-%d-%H-%M-%S}\n")


def report_failed(folder: Path, *, reason: str, message: str, permanent: bool) -> None:
    """Say that there will be no adapter, and whether trying again can help."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {"reason": reason, "message": message, "permanent": permanent}
    write_atomically(folder / FAILED, json.dumps(body, ensure_ascii=False) + "\n")
