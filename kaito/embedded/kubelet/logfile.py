"""Container logs on disk, in the format container runtimes write: ``TIME STREAM F|P LINE``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kaito.embedded.kubelet.processes.runner import StreamName
from kaito.kube.clock import Clock
from kaito.kube.objects import parse_time

ROTATE_BYTES = 10 * 1024 * 1024
"""Size at which a log is moved aside: the kubelet's ``containerLogMaxSize``."""

PARTIAL_BYTES = 16 * 1024
"""A line longer than this is stored in pieces, as containerd does."""


class ContainerLog:
    """The log of one run of a container; written by its process, read by any number of followers.

    Beyond ``limit`` bytes the file is moved aside (one older file is kept) and a new one begun: a server that talks
    for weeks does not fill the disk. Readers see the present file, as with the kubelet's own rotation; followers that
    keep up miss nothing.
    """

    def __init__(self, path: Path, clock: Clock, *, limit: int = ROTATE_BYTES) -> None:
        self.path = path
        self.rotations = 0
        self._limit = limit
        self._size = 0
        self.closed = False
        self._clock = clock
        self._pending: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._changed = asyncio.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, stream: StreamName, data: bytes) -> None:
        """Take what the container wrote; whole lines are on disk when this returns."""
        if self.closed:
            return
        pending = self._pending[stream]
        pending += data
        head = f"{_stamp(self._clock.now())} {stream} ".encode()
        records = bytearray()
        start = 0
        while True:
            end = pending.find(b"\n", start, start + PARTIAL_BYTES + 1)
            if end >= 0:
                records += head + b"F " + pending[start : end + 1]
                start = end + 1
            elif len(pending) - start > PARTIAL_BYTES:
                records += head + b"P " + pending[start : start + PARTIAL_BYTES] + b"\n"
                start += PARTIAL_BYTES
            else:
                break
        del pending[:start]
        self._append(bytes(records))

    def close(self) -> None:
        """Store unfinished lines and wake the followers; nothing is taken afterwards."""
        if self.closed:
            return
        for stream, pending in self._pending.items():
            if pending:
                self._append(f"{_stamp(self._clock.now())} {stream} P ".encode() + bytes(pending) + b"\n")
                pending.clear()
        self.closed = True
        os.close(self._file)
        self._wake()

    def unfinished(self) -> list[tuple[StreamName, bytes]]:
        """Beginnings of lines that are not on disk yet."""
        names: tuple[StreamName, ...] = ("stdout", "stderr")
        return [(name, bytes(self._pending[name])) for name in names if self._pending[name]]

    @property
    def next_change(self) -> asyncio.Event:
        """Set when something is written after now, or when the log is closed."""
        return self._changed

    def _append(self, records: bytes) -> None:
        if not records:
            return
        if self._size and self._size + len(records) > self._limit:
            os.close(self._file)
            os.replace(self.path, self.path.with_name(self.path.name + ".1"))
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = 0
            self.rotations += 1
        view = memoryview(records)
        while view:
            view = view[os.write(self._file, view) :]
        self._size += len(records)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        if self.closed:
            self._changed.set()


@dataclass(frozen=True)
class LogOptions:
    """What of a log is wanted; the fields are those of ``PodLogOptions``."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _rendered(record: bytes, options: LogOptions) -> bytes | None:
    """One stored record as the reader sees it; None when it is older than what is wanted or damaged."""
    stamp, _, rest = record.partition(b" ")
    _, _, rest = rest.partition(b" ")
    tag, separator, line = rest.partition(b" ")
    if not separator:
        return None
    if options.since is not None and not _is_since(stamp, options.since):
        return None
    if tag == b"F":
        line += b"\n"
    return stamp + b" " + line if options.timestamps else line


def _is_since(stamp: bytes, since: datetime) -> bool:
    try:
        text = stamp.decode()
        # Nanoseconds are more than datetime takes.
        moment = parse_time(text[:26] + "Z") if len(text) > 27 else parse_time(text)
    except ValueError:
        return False
    return moment >= since


def _tail_offset(path: Path, lines: int) -> int:
    """Where the last ``lines`` whole lines begin; pieces of one long line count as one."""
    size = path.stat().st_size
    if lines <= 0:
        return size
    with path.open("rb") as file:
        position, data = size, b""
        while True:
            records = data.split(b"\n")
            # The first element may be the rest of a record whose start is not read yet.
            whole = records[1:] if position > 0 else records
            starts = _line_starts([record for record in whole if record])
            if len(starts) > lines or position == 0:
                wanted = [record for record in whole if record]
                skip = starts[-lines] if len(starts) >= lines else 0
                return size - sum(len(record) + 1 for record in wanted[skip:])
            step = min(position, 64 * 1024)
            position -= step
            file.seek(position)
            data = file.read(step) + data


def _line_starts(records: list[bytes]) -> list[int]:
    """Indexes of the records at which a line of the container begins."""
    starts, inside = [], {b"stdout": False, b"stderr": False}
    for index, record in enumerate(records):
        parts = record.split(b" ", 3)
        if len(parts) < 3:
            continue
        if not inside.get(parts[1], False):
            starts.append(index)
        inside[parts[1]] = parts[2] == b"P"
    return starts


async def read_log(path: Path, options: LogOptions, log: ContainerLog | None = None) -> AsyncIterator[bytes]:
    """The log's content in chunks; with ``follow`` until ``log`` is closed.

    A log that is not there is an empty one.
    """
    left = options.limit_bytes
    if not path.exists():
        return
    offset = 0 if options.tail_lines is None else _tail_offset(path, options.tail_lines)
    file = path.open("rb")
    try:
        file.seek(offset)
        rotations = log.rotations if log is not None else 0
        rest = b""
        while True:
            # Asked for before the file is read, so that nothing written meanwhile is slept through.
            change = None if log is None or log.closed or not options.follow else log.next_change
            moved = log is not None and options.follow and log.rotations != rotations
            while data := file.read(256 * 1024):
                *records, rest = (rest + data).split(b"\n")
                chunk = b"".join(line for record in records if (line := _rendered(record, options)) is not None)
                if left is not None:
                    chunk = chunk[:left]
                    left -= len(chunk)
                if chunk:
                    yield chunk
                if left == 0:
                    return
            if moved and log is not None:
                file.close()
                file, rotations = path.open("rb"), log.rotations
                continue
            if change is None:
                return
            await change.wait()
    finally:
        file.close()


def stored_output(log: ContainerLog, limit: int) -> list[tuple[StreamName, bytes]]:
    """Everything a container has written so far, the last ``limit`` bytes of its log, stream by stream in order."""
    output: list[tuple[StreamName, bytes]] = []
    if log.path.exists():
        with log.path.open("rb") as file:
            size = log.path.stat().st_size
            file.seek(max(0, size - limit))
            records = file.read().split(b"\n")
        for record in records if size <= limit else records[1:]:
            line = _rendered(record, LogOptions())
            if line is not None:
                name: StreamName = "stderr" if record.split(b" ", 2)[1] == b"stderr" else "stdout"
                output.append((name, line))
    return output + log.unfinished()


def last_lines(path: Path, *, lines: int = 80, limit: int = 2048) -> str:
    """The end of a log, for a termination message: at most ``lines`` lines and ``limit`` bytes.

    Source: the kubelet's ``FallbackToLogsOnError`` (80 lines, 2048 bytes).
    """
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(_tail_offset(path, lines))
        text = b"".join(_lines(file.read()))
    return text[-limit:].decode(errors="replace")


def _lines(data: bytes) -> Iterator[bytes]:
    for record in data.split(b"\n"):
        line = _rendered(record, LogOptions())
        if line is not None:
            yield line
