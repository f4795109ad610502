"""Processes that exist in memory: for tests of everything above the runner."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from kaito.embedded.kubelet.processes.runner import ProcessSpec, Sink, StartFailed


class FakeProcess:
    """A process that ends when the test says so, or when it is signalled."""

    def __init__(self, pid: int, spec: ProcessSpec, sink: Sink, *, stubborn: bool = False) -> None:
        self.pid = pid
        self.spec = spec
        self.signals: list[int] = []
        self.input = bytearray()
        self.stdin_closed = False
        self.paused = False
        self.size: tuple[int, int] | None = None
        self.stubborn = stubborn
        """Whether it ignores everything but SIGKILL."""
        self._sink = sink
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.done()

    def exit(self, code: int = 0) -> None:
        """End it."""
        if not self._ended.done():
            self._ended.set_result(code)

    def say(self, text: str, *, stderr: bool = False) -> None:
        """Let it print."""
        self._sink("stderr" if stderr else "stdout", text.encode())

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGKILL or (number == signal.SIGTERM and not self.stubborn):
            self.exit(128 + number)

    def write(self, data: bytes) -> None:
        self.input += data

    async def drain(self) -> None:
        return None

    def pause_output(self) -> None:
        self.paused = True

    def resume_output(self) -> None:
        self.paused = False

    def close_stdin(self) -> None:
        self.stdin_closed = True

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)


class FakeRunner:
    """Records what was started; `on_start` decides what becomes of it."""

    def __init__(self, on_start: Callable[[FakeProcess], None] | None = None) -> None:
        self.started: list[FakeProcess] = []
        self.refuse: dict[str, str] = {}
        """Program -> the sentence with which its start fails."""
        self.on_start = on_start

    async def start(self, spec: ProcessSpec, sink: Sink) -> FakeProcess:
        program = spec.argv[0] if spec.argv else ""
        if program in self.refuse or not program:
            raise StartFailed(self.refuse.get(program, "no command"))
        process = FakeProcess(1000 + len(self.started), spec, sink)
        self.started.append(process)
        if self.on_start:
            self.on_start(process)
        return process

    def running(self) -> list[FakeProcess]:
        """Those that have not ended."""
        return [process for process in self.started if process.running]
