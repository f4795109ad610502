"""The real kube-apiserver and etcd as child processes that do not outlive us."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from kaito.cluster.base import ClusterError
from kaito.embedded.kubelet.processes.procfs import start_ticks

NEEDED = ("etcd", "kube-apiserver")
WHERE_TO_GET = (
    "set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver, or put both on the PATH "
    "(setup-envtest of the controller-runtime project downloads them)"
)
STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_RECORDS = "processes.json"


def find_assets() -> dict[str, Path] | None:
    """The programs from `$KUBEBUILDER_ASSETS` or the PATH; None when one is missing."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    found: dict[str, Path] = {}
    for name in NEEDED:
        path = shutil.which(name, path=folder) if folder else shutil.which(name)
        if path is None:
            return None
        found[name] = Path(path)
    return found


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ChildProcess:
    """One server process; its output goes to a file, its pid into the cluster's records.

    `failed` is set when it ends without having been asked to.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, failed: asyncio.Future[ClusterError]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._folder = folder
        self._failed = failed
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        _record(self._folder, self._process.pid)
        self._watching = asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if process is self._process and not self._failed.done():
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            self._failed.set_result(ClusterError(f"{self.name} ended ({how}): {self._last_words()}; see {self.log}"))

    def _last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:256] if lines else "no output"

    async def stop(self) -> None:
        """Ask it to end, then make it."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._watching is not None:
            await self._watching


def end_recorded(folder: Path) -> None:
    """Kill the recorded processes that are still the ones that were started."""
    path = folder / _RECORDS
    if not path.exists():
        return
    for pid, started in _records(path):
        if start_ticks(pid) == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    path.unlink()


def missing_assets() -> str | None:
    """Why the envtest tier cannot run here; None when it can."""
    if find_assets() is not None:
        return None
    return f"the envtest tier needs {' and '.join(NEEDED)}: {WHERE_TO_GET}"


def assets() -> dict[str, Path]:
    """The programs; ClusterError saying where to get them when they are missing."""
    found = find_assets()
    if found is None:
        raise ClusterError(str(missing_assets()))
    return found


def _record(folder: Path, pid: int) -> None:
    path = folder / _RECORDS
    records = _records(path) if path.exists() else []
    path.write_text(json.dumps([*records, [pid, start_ticks(pid)]]))


def _records(path: Path) -> list[tuple[int, int | None]]:
    """Process ids with their start times; none from a file that a full disk cut short."""
    try:
        return [(int(pid), started) for pid, started in json.loads(path.read_text())]
    except (ValueError, TypeError):
        return []


def _end_with_parent() -> None:
    """Runs in the child: the kernel ends it when our process dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
