"""The folder of models that were built here, and the lock that lets only one process build each."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kaito_runtime.paths import cache_folder


def models_folder() -> Path:
    """Return the folder of built models; not created here."""
    return cache_folder() / "models"


def cached_or_built(key: str, build: Callable[[Path], None], *, waiting: Callable[[], None] | None = None) -> Path:
    """Return the folder of the model `key`, building it if it is not there.

    `build(folder)` fills an empty folder beside the final place; a rename makes it visible, so a killed build leaves no
    half model. While another process builds the same key, `waiting` is called once and this one waits for it.
    """
    place = models_folder() / key
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with _locked(place.with_suffix(".lock"), waiting):
        if place.is_dir():
            return place
        _sweep(place.parent, key)
        folder = Path(tempfile.mkdtemp(prefix=f"{key}.part-", dir=place.parent))
        try:
            folder.chmod(0o755)
            build(folder)
            for path in folder.iterdir():
                path.chmod(0o644)
            folder.rename(place)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return place


@contextlib.contextmanager
def _locked(path: Path, waiting: Callable[[], None] | None) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel gives it up when the process ends, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(folder: Path, key: str) -> None:
    """Remove what killed builds of `key` left; the caller holds the lock, so nobody is building it."""
    for leftover in folder.glob(f"{key}.part-*"):
        shutil.rmtree(leftover, ignore_errors=True)
