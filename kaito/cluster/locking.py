"""Which process a cluster's folder belongs to: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import IO

from kaito.cluster.base import ClusterError
from kaito.cluster.folders import ClusterFolder

LOCK_ATTEMPTS = 10
OWNER_SECONDS = 5.0
"""How long a process that has just taken a cluster's lock may take to write its number into it."""


@contextlib.contextmanager
def hold(folder: ClusterFolder) -> Iterator[None]:
    """Own a cluster's folder for as long as this process lives; ClusterError when another one does."""
    folder.create()
    with folder.lock.open("a") as stream:
        _lock(stream, folder)
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def is_locked(folder: ClusterFolder) -> bool:
    """Whether a process owns the folder at this moment."""
    if not folder.lock.exists():
        return False
    with folder.lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def owner(folder: ClusterFolder) -> int | None:
    """The process that owns the folder; None when no process does."""
    deadline = time.monotonic() + OWNER_SECONDS
    while is_locked(folder):
        text = folder.lock.read_text()
        if text.isdecimal():
            return int(text)
        if time.monotonic() > deadline:
            raise ClusterError(f"{folder.lock} is held by a process that does not say which it is; end it by hand")
        time.sleep(0.05)  # It has taken the lock and is about to write its number.
    return None


def _lock(stream: IO[str], folder: ClusterFolder) -> None:
    for attempt in range(LOCK_ATTEMPTS):  # Whoever asks for the state holds the lock for a moment.
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if attempt == LOCK_ATTEMPTS - 1:
                raise ClusterError(f"another process starts or runs the cluster in {folder.root}") from error
        time.sleep(0.05)
