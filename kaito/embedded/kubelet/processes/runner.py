"""The seam behind which processes live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

StreamName = Literal["stdout", "stderr"]
Sink = Callable[[StreamName, bytes], None]
"""Called on the event loop with what a process wrote; must not block."""


class StartFailed(Exception):
    """A process could not be started; the message is the sentence for the user."""


@dataclass(frozen=True)
class ProcessSpec:
    """What to run. The environment is complete: nothing is inherited."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    stdin: bool = False
    tty: bool = False
    marker: str = ""
    """An ``NAME=value`` of `env` that only this container's processes carry; with it processes are found that left
    the group."""


class RunningProcess(Protocol):
    """A process with everything it started, in a session of its own."""

    pid: int

    async def wait(self) -> int:
        """The exit code once the first process has ended, the rest of its group is gone and all output is delivered.

        A process that a signal ended has 128 plus its number.
        """
        ...

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; nothing when it is gone."""
        ...

    def write(self, data: bytes) -> None:
        """Give bytes to standard input; dropped when it is closed."""
        ...

    async def drain(self) -> None:
        """Wait until standard input takes more."""
        ...

    def pause_output(self) -> None:
        """Stop reading its output for a while: it blocks when it writes more."""
        ...

    def resume_output(self) -> None:
        """Read its output again."""
        ...

    def close_stdin(self) -> None:
        """End standard input."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """Tell a terminal its size; nothing without one."""
        ...


class ProcessRunner(Protocol):
    """Starts processes."""

    async def start(self, spec: ProcessSpec, sink: Sink) -> RunningProcess:
        """Start a process whose output goes to `sink`. Raises `StartFailed`."""
        ...
