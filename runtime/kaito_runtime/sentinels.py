"""The files that tell pusher and pause container how tuning ended; each appears whole or not at all."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from kaito_runtime.errors import TemporaryFailure

COMPLETED: Final = "fine_tuning_completed.txt"
FAILED: Final = "fine_tuning_failed.txt"
LOCK: Final = ".fine_tuning.lock"
"""Held, by flock, as long as a tuning process lives; free and without sentinel means that it died."""
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


@contextlib.contextmanager
def tuning_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises TemporaryFailure when another tuning process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TemporaryFailure(f"another tuning process is writing to {folder}") from None
        yield


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
