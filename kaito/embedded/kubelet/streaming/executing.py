"""Running a command in a container for a remote client, and attaching one to a container's own process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from typing import Any

from kaito.embedded.kubelet.logfile import stored_output
from kaito.embedded.kubelet.pods.records import ContainerRecord, ContainerRun
from kaito.embedded.kubelet.pods.starting import exec_spec
from kaito.embedded.kubelet.processes.runner import ProcessRunner, RunningProcess, StartFailed, StreamName
from kaito.embedded.kubelet.streaming.channels import Streams, Wanted

HANGUP_SECONDS = 2.0
"""What a command gets to end by itself after its client is gone."""
LINGER_SECONDS = 1.0
"""How long an attached client whose input has ended hears what the container makes of it."""
HIGH_WATER = 1024 * 1024
REPLAY_LIMIT = 4 * 1024 * 1024
"""Bytes of output that the first client attached to a container gets from before it came."""

SUCCESS: dict[str, Any] = {"metadata": {}, "status": "Success"}


def failure(message: str, relays: int = 1) -> dict[str, Any]:
    """The Status for a command that could not be run; every server on the way calls that an internal error."""
    message = "Internal error occurred: " * relays + message
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


def exit_status(code: int) -> dict[str, Any]:
    """The Status for a command's exit code. Source: remotecommand NewContainerExecStatus."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


class _Outbox:
    """Output on its way to a client. What is put in never blocks; `high` tells when the client is behind."""

    def __init__(self) -> None:
        self._items: deque[tuple[StreamName, bytes]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._ended = False

    @property
    def high(self) -> bool:
        """Whether more is waiting than should be."""
        return self._size > HIGH_WATER

    def put(self, stream: StreamName, data: bytes) -> None:
        """Add output."""
        self._items.append((stream, data))
        self._size += len(data)
        self._changed.set()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._changed.set()

    async def get(self) -> tuple[StreamName, bytes] | None:
        """The next output; None at the end."""
        while not self._items:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        stream, data = self._items.popleft()
        self._size -= len(data)
        return stream, data


async def execute(
    runner: ProcessRunner, run: ContainerRun, command: list[str], wanted: Wanted, streams: Streams
) -> None:
    """Run ``command`` for the client; ends it when the client goes away."""
    outbox = _Outbox()
    process: RunningProcess | None = None

    def sink(stream: StreamName, data: bytes) -> None:
        outbox.put(stream, data)
        if outbox.high and process is not None:
            process.pause_output()

    try:
        process = await runner.start(exec_spec(run, command, stdin=wanted.stdin, tty=wanted.tty), sink)
    except StartFailed as error:
        text = f"error executing command in container: failed to exec in container: {error}"
        await streams.finish(failure(text, streams.relays))
        return
    sending = asyncio.ensure_future(_send(outbox, wanted, streams, process))
    helpers = [asyncio.ensure_future(_feed(process, streams, close=True))] if wanted.stdin else []
    if wanted.tty:
        helpers.append(asyncio.ensure_future(_resize(process, streams)))
    ending = asyncio.ensure_future(process.wait())
    leaving = asyncio.ensure_future(streams.closed.wait())
    try:
        await asyncio.wait((ending, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await _hang_up(process, ending, tty=wanted.tty)
            return
        outbox.end()
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not streams.closed.is_set():
            await streams.finish(exit_status(ending.result()))
    finally:
        if not ending.done():
            process.signal(signal.SIGKILL)
        await _cancel(*helpers, sending, leaving, ending)


async def _hang_up(process: RunningProcess, ending: asyncio.Future[int], *, tty: bool) -> None:
    process.resume_output()
    process.signal(signal.SIGHUP if tty else signal.SIGTERM)
    await asyncio.wait((ending,), timeout=HANGUP_SECONDS)
    if not ending.done():
        process.signal(signal.SIGKILL)
        await asyncio.wait((ending,), timeout=HANGUP_SECONDS)


async def attach(record: ContainerRecord, run: ContainerRun, wanted: Wanted, streams: Streams) -> None:
    """Join the client to the container's process until that ends or the client leaves.

    The first client also gets what was written before it came, so that a container that is quick (``kubectl run -it``)
    is not missed. Where input may come again later (no ``stdinOnce``), the end of the client's input ends its session,
    as with containerd.
    """
    outbox = _Outbox()
    tty = bool(record.spec.get("tty"))
    first_client = run.attached == 0
    run.attached += 1
    if first_client:
        for stream, data in stored_output(run.log, REPLAY_LIMIT):
            outbox.put(stream, data)
    run.listeners.append(outbox.put)
    sending = asyncio.ensure_future(_send(outbox, wanted, streams, None))
    helpers: list[asyncio.Future[Any]] = []
    once = bool(record.spec.get("stdinOnce"))
    ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(run.ended.wait())]
    if wanted.stdin and record.spec.get("stdin"):
        feeding = asyncio.ensure_future(_feed(run.process, streams, close=once))
        (helpers if once else ends).append(feeding)
    if tty:
        helpers.append(asyncio.ensure_future(_resize(run.process, streams)))
    leaving = asyncio.ensure_future(streams.closed.wait())
    try:
        await asyncio.wait((*ends, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not ends[0].done() and not leaving.done():
            await asyncio.wait((ends[0], leaving), timeout=LINGER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if any(end.done() for end in ends):
            outbox.end()
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not streams.closed.is_set():
                await streams.finish(SUCCESS)
        elif once and wanted.stdin:
            run.process.close_stdin()
    finally:
        run.listeners.remove(outbox.put)
        await _cancel(*helpers, *ends, sending, leaving)


async def _send(outbox: _Outbox, wanted: Wanted, streams: Streams, process: RunningProcess | None) -> None:
    with contextlib.suppress(ConnectionError):
        while (item := await outbox.get()) is not None:
            stream, data = item
            if getattr(wanted, stream):
                await streams.write(stream, data)
            if process is not None and not outbox.high:
                process.resume_output()


async def _feed(process: RunningProcess, streams: Streams, *, close: bool) -> None:
    while data := await streams.read_input():
        process.write(data)
        await process.drain()
    if close:
        process.close_stdin()


async def _resize(process: RunningProcess, streams: Streams) -> None:
    while (size := await streams.read_size()) is not None:
        process.resize(*size)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
