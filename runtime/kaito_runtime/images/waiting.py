"""Waiting for the tuning container beside us to end, in whatever way it ends."""

import fcntl
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kaito_runtime import sentinels
from kaito_runtime.errors import BadData, RuntimeFailure, TemporaryFailure

POLL: Final = 0.5
"""Seconds between looks at the folder."""
GRACE: Final = 5.0
"""Seconds that a tuning process may be gone without a word before it counts as dead."""


@dataclass(frozen=True)
class Watch:
    """A folder that is watched. sleep and now are replaced in tests."""

    folder: Path
    poll: float = POLL
    grace: float = GRACE
    sleep: Callable[[float], None] = field(default=time.sleep)
    now: Callable[[], float] = field(default=time.monotonic)

    def until_tuned(self) -> None:
        """Return when the adapter is whole.

        Raises BadData or TemporaryFailure with the tuner's own words when it failed, and TemporaryFailure when it died
        without leaving any (killed, out of memory): its lock is free and no sentinel is there.
        """
        silent_since: float | None = None
        while True:
            if (self.folder / sentinels.COMPLETED).exists():
                return
            failed = self.folder / sentinels.FAILED
            if failed.exists():
                raise _failure(failed)
            if _deserted(self.folder / sentinels.LOCK):
                silent_since = self.now() if silent_since is None else silent_since
                if self.now() - silent_since >= self.grace:
                    raise TemporaryFailure(
                        "the tuning process ended without a result; it was killed, or ran out of memory"
                    )
            else:
                silent_since = None
            self.sleep(self.poll)

    def until_pushed(self) -> bool:
        """Return when the pusher has ended: whether it has pushed."""
        while True:
            if (self.folder / sentinels.PUSHED).exists():
                return True
            if (self.folder / sentinels.PUSH_FAILED).exists():
                return False
            self.sleep(self.poll)


def _deserted(lock: Path) -> bool:
    """Whether a tuning process has been here and holds its lock no more."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return False
    return True


def _failure(path: Path) -> RuntimeFailure:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        message, permanent = str(said["message"]), bool(said["permanent"])
    except (OSError, ValueError, KeyError, TypeError):
        message, permanent = "no reason was left", False
    sentence = f"nothing to push, tuning failed: {message}"
    return BadData(sentence) if permanent else TemporaryFailure(sentence)
