"""What ``/proc`` knows about processes: start times, groups, memory, environments.

Everything answers "not there" for processes that ended meanwhile or belong to somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; with the pid it names one process for ever."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def session_of(pid: int) -> int | None:
    """The session a process belongs to."""
    fields = _stat(pid)
    return int(fields[3]) if fields else None


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and waits to be collected."""
    fields = _stat(pid)
    return bool(fields) and fields[0] == "Z"


def boot_id() -> str:
    """Names this boot of the machine; start times are comparable within one boot only."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def pids() -> Iterator[int]:
    """Every process there is now."""
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            yield int(entry.name)


def has_environment(pid: int, marker: bytes) -> bool:
    """Whether a process was started with the environment entry ``marker`` (``NAME=value``)."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return marker in environment.split(b"\0")


def members(session: int, marker: str = "") -> list[int]:
    """The processes of a session, and those elsewhere that carry ``marker`` in their environment."""
    wanted = marker.encode()
    return [
        pid
        for pid in pids()
        if (session_of(pid) == session or (wanted and has_environment(pid, wanted))) and not is_zombie(pid)
    ]


def resident_bytes(pid: int) -> int:
    """Resident memory of a process in bytes; 0 when it is gone."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _stat(pid: int) -> list[str]:
    """Fields of ``/proc/PID/stat`` from the third (state) on; empty when the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
