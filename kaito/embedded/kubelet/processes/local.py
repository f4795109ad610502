"""Processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import shutil
import signal
import struct
import termios
from asyncio import transports

from kaito.embedded.kubelet.processes import procfs
from kaito.embedded.kubelet.processes.runner import ProcessSpec, RunningProcess, Sink, StartFailed, StreamName

DRAIN_SECONDS = 2.0
"""How long output of a group that has been killed is waited for; a pipe may have left the group."""


class LocalRunner:
    """Starts processes with asyncio, each in a session of its own."""

    async def start(self, spec: ProcessSpec, sink: Sink) -> RunningProcess:
        program = _find(spec)
        loop = asyncio.get_running_loop()
        if spec.tty:
            return await _start_on_terminal(loop, spec, program, sink)
        process = _LocalProcess(spec, sink)
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: process,
                program,
                *spec.argv[1:],
                stdin=asyncio.subprocess.PIPE if spec.stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=str(spec.cwd),
                env=dict(spec.env),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise StartFailed(f"exec {spec.argv[0]!r}: {_reason(error)}") from error
        process.pid = transport.get_pid() or 0
        return process


def _find(spec: ProcessSpec) -> str:
    if not spec.argv:
        raise StartFailed("no command: neither the container nor the image table names one")
    if not spec.cwd.is_dir():
        raise StartFailed(f"working directory {spec.cwd} is not there")
    name = spec.argv[0]
    if "/" in name:
        path = name if os.path.isabs(name) else str(spec.cwd / name)
        if os.path.isdir(path):
            raise StartFailed(f'exec: "{name}": is a directory')
        if not os.path.exists(path):
            raise StartFailed(f'exec: "{name}": stat {name}: no such file or directory')
        if not os.access(path, os.X_OK):
            raise StartFailed(f'exec: "{name}": permission denied')
        return path
    found = shutil.which(name, path=spec.env.get("PATH", os.defpath))
    if not found:
        raise StartFailed(f'exec: "{name}": executable file not found in $PATH')
    return found


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


class _LocalProcess(asyncio.SubprocessProtocol):
    """A running process: asyncio calls the protocol methods, the kubelet the others."""

    def __init__(self, spec: ProcessSpec, sink: Sink) -> None:
        self.pid = 0
        self._spec = spec
        self._sink = sink
        self._exited = asyncio.Event()
        self._silent = asyncio.Event()
        self._open = 2
        self._transport: asyncio.SubprocessTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._waiting: asyncio.Task[int] | None = None

    def connection_made(self, transport: transports.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._sink("stdout" if fd == 1 else "stderr", data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 0:
            self._writable.set()
            return
        self._open -= 1
        if self._open == 0:
            self._silent.set()

    def process_exited(self) -> None:
        self._exited.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def has_exited(self) -> bool:
        """Whether the first process has ended."""
        return self._exited.is_set()

    async def wait(self) -> int:
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._finish())
        return await asyncio.shield(self._waiting)

    async def _finish(self) -> int:
        await self._exited.wait()
        kill_all(self.pid, self._spec.marker)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._silent.wait(), DRAIN_SECONDS)
        assert self._transport is not None
        code = self._transport.get_returncode()
        self._transport.close()
        return exit_code(code)

    def signal(self, number: int) -> None:
        if not self._exited.is_set():
            signal_group(self.pid, number)

    def pause_output(self) -> None:
        self._each_output("pause_reading")

    def resume_output(self) -> None:
        self._each_output("resume_reading")

    def _each_output(self, action: str) -> None:
        for fd in (1, 2):
            pipe = self._transport.get_pipe_transport(fd) if self._transport else None
            if isinstance(pipe, transports.ReadTransport) and not pipe.is_closing():
                getattr(pipe, action)()

    def _stdin(self) -> transports.WriteTransport | None:
        pipe = self._transport.get_pipe_transport(0) if self._transport else None
        return pipe if isinstance(pipe, transports.WriteTransport) else None

    def write(self, data: bytes) -> None:
        pipe = self._stdin()
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)

    async def drain(self) -> None:
        await self._writable.wait()

    def close_stdin(self) -> None:
        pipe = self._stdin()
        if pipe is not None and not pipe.is_closing():
            pipe.close()

    def resize(self, columns: int, rows: int) -> None:
        return None


class _TerminalProcess(_LocalProcess):
    """A process on a pseudo-terminal, of which we hold the other end."""

    def __init__(self, spec: ProcessSpec, sink: Sink, terminal: int) -> None:
        super().__init__(spec, sink)
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._pending = bytearray()
        self._loop.add_reader(terminal, self._read)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        return None

    def pause_output(self) -> None:
        if self._terminal >= 0:
            self._loop.remove_reader(self._terminal)

    def resume_output(self) -> None:
        if self._terminal >= 0:
            self._loop.add_reader(self._terminal, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the last process let go of the terminal
                raise
            data = b""
        if data:
            name: StreamName = "stdout"
            self._sink(name, data)
        else:
            self._close()

    def _close(self) -> None:
        if self._terminal >= 0:
            self._loop.remove_reader(self._terminal)
            self._loop.remove_writer(self._terminal)
            os.close(self._terminal)
            self._terminal = -1
        self._writable.set()
        self._silent.set()

    async def _finish(self) -> int:
        code = await super()._finish()
        self._close()
        return code

    def write(self, data: bytes) -> None:
        if self._terminal < 0:
            return
        self._pending += data
        self._flush()

    def _flush(self) -> None:
        try:
            written = os.write(self._terminal, self._pending)
        except BlockingIOError:
            written = 0
        except OSError:
            written = len(self._pending)
        del self._pending[:written]
        if self._pending:
            self._writable.clear()
            self._loop.add_writer(self._terminal, self._flush)
        else:
            self._loop.remove_writer(self._terminal)
            self._writable.set()

    def close_stdin(self) -> None:
        """A terminal has no end of input of its own; closing it would hang up the process."""

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal >= 0:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)


async def _start_on_terminal(
    loop: asyncio.AbstractEventLoop, spec: ProcessSpec, program: str, sink: Sink
) -> RunningProcess:
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    name = os.ttyname(slave)
    process = _TerminalProcess(spec, sink, master)
    # A session leader that opens a terminal gets it as its controlling one: the shell does it, because code of ours
    # between fork and exec is not safe beside threads.
    opening = f'exec <>{name} >&0 2>&0 && exec "$@"'
    try:
        transport, _ = await loop.subprocess_exec(
            lambda: process,
            "/bin/sh",
            "-c",
            opening,
            "sh",
            program,
            *spec.argv[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=str(spec.cwd),
            env={"TERM": "xterm", **spec.env},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        process._close()
        os.close(slave)
        raise StartFailed(f"exec {spec.argv[0]!r}: {_reason(error)}") from error
    process.pid = transport.get_pid() or 0
    # Our copy keeps the terminal alive until the shell has opened it; after that it would keep it alive for ever.
    loop.create_task(_let_go(process, slave))
    return process


async def _let_go(process: _TerminalProcess, slave: int) -> None:
    """Close our copy of the process's end once the process holds it itself, or has ended."""
    try:
        # Nothing tells when another process has opened a file.
        while not process.has_exited and not _holds_terminal(process.pid):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    finally:
        os.close(slave)


def _holds_terminal(pid: int) -> bool:
    """Whether the process has its terminal as standard input by now."""
    try:
        return os.readlink(f"/proc/{pid}/fd/0").startswith("/dev/pts/")
    except OSError:
        return False


def signal_group(leader: int, number: int) -> None:
    """Signal a process group; nothing when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def kill_all(leader: int, marker: str = "") -> None:
    """SIGKILL for a group, and for processes elsewhere that carry its marker."""
    signal_group(leader, signal.SIGKILL)
    if marker:
        for pid in procfs.members(leader, marker):
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


def exit_code(returncode: int | None) -> int:
    """The code a container runtime reports: 128 plus the signal's number for a process that a signal ended."""
    if returncode is None:
        return 137
    return 128 - returncode if returncode < 0 else returncode
