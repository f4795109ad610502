"""The files that tell pusher and pause container how tuning ended; each appears whole or not at all."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from kaito_runtime.errors import Refused, RuntimeFailure, TemporaryFailure, UsageFailure
from kaito_runtime.paths import in_contract

COMPLETED: Final = "fine_tuning_completed.txt"
FAILED: Final = "fine_tuning_failed.txt"
LOCK: Final = ".fine_tuning.lock"
"""Held, by flock, as long as a tuning process lives; free and without sentinel means that it died."""
PUSHED: Final = "push_completed.json"
PUSH_FAILED: Final = "push_failed.txt"

_RECENT: Final = 60.0
"""Seconds in which a pusher's result counts as one of this run."""


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
    """Hold the folder's lock, the folder made first.

    Raises TemporaryFailure when another tuning process holds it, UsageFailure for a folder that cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise UsageFailure(f"the output folder {folder} cannot be written to: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TemporaryFailure(f"another tuning process is writing to {folder}") from None
        yield


def clear(folder: Path) -> None:
    """Remove what an earlier run left, so that nobody takes its end for ours.

    A pusher's result of the last minute stays: the pusher beside us starts when we do, and may be refused at once.
    """
    for name in (COMPLETED, FAILED):
        (folder / name).unlink(missing_ok=True)
    for name in (PUSHED, PUSH_FAILED):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - (folder / name).stat().st_mtime > _RECENT:
                (folder / name).unlink()


def report_completed(folder: Path) -> None:
    """Say that the adapter in `folder` is whole; upstream's text."""
    write_atomically(folder / COMPLETED, f"Fine-Tuning completed at {datetime.now():%Y-%m-%d-%H-%M-%S}\n")


def report_failed(folder: Path, *, reason: str, message: str, permanent: bool) -> None:
    """Say that there will be no adapter, and whether trying again can help."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {"reason": reason, "message": in_contract(message), "permanent": permanent}
    write_atomically(folder / FAILED, json.dumps(body, ensure_ascii=False) + "\n")


def failure_message(folder: Path) -> str | None:
    """Return what a tuning process in `folder` said when it failed; None where none has, or none that can be read."""
    try:
        return str(json.loads((folder / FAILED).read_text(encoding="utf-8"))["message"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def report_push_failed(folder: Path, failure: RuntimeFailure) -> None:
    """Say that the adapter will not be pushed; the first word is the failure's kind, for `push_refused`."""
    write_atomically(folder / PUSH_FAILED, f"{failure.reason}: {in_contract(str(failure))}\n")


def push_refused(folder: Path) -> str | None:
    """Return why the pusher has given up for good, or None: then there is no use in going on to tune."""
    try:
        reason, _, message = (folder / PUSH_FAILED).read_text(encoding="utf-8").strip().partition(": ")
    except OSError:
        return None
    return message if reason == Refused.reason else None
