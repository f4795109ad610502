"""Records on disk of the processes that were started, so that a kubelet that starts after a crash can end them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from kaito.embedded.kubelet.processes import procfs
from kaito.embedded.kubelet.processes.local import kill_all

logger = logging.getLogger(__name__)

FILE_NAME = "process.json"


@dataclass(frozen=True)
class ProcessRecord:
    """Names one process for ever: its pid, when it started, and in which boot of the machine."""

    pid: int
    start_ticks: int
    boot_id: str
    marker: str

    @classmethod
    def of(cls, pid: int, marker: str) -> ProcessRecord | None:
        """The record of a running process; None when it has ended already."""
        ticks = procfs.start_ticks(pid)
        return None if ticks is None else cls(pid, ticks, procfs.boot_id(), marker)

    def write(self, folder: Path) -> None:
        """Keep it in a container's folder, atomically."""
        temporary = folder / f".{FILE_NAME}"
        temporary.write_text(json.dumps(asdict(self)))
        os.replace(temporary, folder / FILE_NAME)

    def leader_is_alive(self) -> bool:
        """Whether the very process is still there, not another with its pid."""
        return procfs.boot_id() == self.boot_id and procfs.start_ticks(self.pid) == self.start_ticks


def forget(folder: Path) -> None:
    """Remove the record of a container that has ended."""
    (folder / FILE_NAME).unlink(missing_ok=True)


async def end_leftovers(root: Path) -> int:
    """Kill what recorded processes below ``root`` are still running, with their groups; how many there were.

    A process is recognised by pid and start time. What it started is found by its group and by the marker in its
    environment, also when the first process itself has ended.
    """
    return await asyncio.to_thread(_end_leftovers, root)


def _end_leftovers(root: Path) -> int:
    ended = 0
    for file in sorted(root.glob(f"**/{FILE_NAME}")):
        try:
            record = ProcessRecord(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError) as error:
            logger.warning("process record %s cannot be read (%s); ignored", file, error)
            file.unlink(missing_ok=True)
            continue
        if record.boot_id == procfs.boot_id():
            if record.leader_is_alive():
                ended += 1
                kill_all(record.pid, record.marker)
            elif record.marker:
                ended += _kill_marked(record.marker)
        file.unlink(missing_ok=True)
    return ended


def _kill_marked(marker: str) -> int:
    left = [pid for pid in procfs.members(-1, marker) if pid != os.getpid()]
    for pid in left:
        try:
            os.kill(pid, 9)
        except (ProcessLookupError, PermissionError):
            continue
    return len(left)
