"""A cluster that keeps running in the background: started by `kaito up`, ended by `kaito down`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from kaito.cluster.base import TIERS, Cluster, ClusterError, ClusterOptions, Progress
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import hold, is_locked, owner
from kaito.cluster.states import DaemonState, read_state, write_state
from kaito.cluster.tiers import create_cluster
from kaito.embedded.kubelet.processes.procfs import is_zombie, start_ticks
from kaito.kube.errors import ApiError

logger = logging.getLogger(__name__)

DEFAULT_NAME = "default"
STOP_SECONDS = 60.0
"""How long `stop_daemon` waits for containers to end before it kills the daemon."""
ABANDONED_SECONDS = 10.0
"""A folder younger than this may be about to be locked."""
_READY = "ready:"
_FAILED = "failed:"


def name_option(name: str) -> str:
    """What a command about this cluster needs behind it: nothing for the default one."""
    return "" if name == DEFAULT_NAME else f" --name {name}"


def start_daemon(name: str, tier: str, options: ClusterOptions, progress: Progress) -> DaemonState:
    """Start a cluster in the background and return once it is ready; ClusterError when it is not going to be."""
    folder = ClusterFolder.named(name)
    state = read_state(name)
    if state.phase != "stopped":
        raise ClusterError(
            f"cluster {name} is {state.phase} already (pid {state.pid}); end it with: kaito down{name_option(name)}"
        )
    folder.create()
    kept_tier = folder.tier
    if kept_tier not in (None, tier):
        raise ClusterError(
            f"cluster {name} was made with --cluster {kept_tier}; "
            f"delete it with `kaito down{name_option(name)} --purge`, or give this one another --name"
        )
    arguments = ["--name", name, "--tier", tier, "--operator", options.operator, "--controllers", options.controllers]
    arguments += ["--provider", options.provider]
    if options.images:
        arguments += ["--images", str(options.images.absolute())]
    with folder.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "kaito.cluster.daemon", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(options.mirrors.model_dump_json())
    process.stdin.close()
    try:
        for line in process.stdout:
            text = line.rstrip("\n")
            if text.startswith(_READY):
                return read_state(name)
            if text.startswith(_FAILED):
                process.wait()
                raise ClusterError(text.removeprefix(_FAILED).strip())
            progress(text)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    raise ClusterError(f"cluster {name} ended while starting (exit code {process.wait()}); see {folder.log}")


def stop_daemon(name: str, *, purge: bool = False) -> bool:
    """End a background cluster with everything it started; False when it was not running.

    What a crashed one left behind is cleared away too. `purge` also deletes its state.
    """
    folder = ClusterFolder.named(name)
    pid = owner(folder)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _wait_until_ended(folder, pid)
    if folder.root.exists():
        _clear_leftovers(folder)
        if purge:
            shutil.rmtree(folder.root)
    return pid is not None


def clear_abandoned(roots: Iterable[Path]) -> None:
    """Remove clusters' folders that no process runs any more, with what a killed one left running.

    Folders that are not this user's, or were made a moment ago, are left alone.
    """
    for root in roots:
        folder = ClusterFolder(root)
        with contextlib.suppress(OSError):
            made = folder.lock.stat()
            if made.st_uid != os.getuid() or time.time() - made.st_mtime < ABANDONED_SECONDS or is_locked(folder):
                continue
            _clear_leftovers(folder)
            shutil.rmtree(root, ignore_errors=True)


def _wait_until_ended(folder: ClusterFolder, pid: int) -> None:
    """Wait for the daemon to let go of its folder and to exit; kill it when it takes too long."""
    deadline = time.monotonic() + STOP_SECONDS
    started = start_ticks(pid)
    while is_locked(folder) or (started is not None and start_ticks(pid) == started and not is_zombie(pid)):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _clear_leftovers(folder: ClusterFolder) -> None:
    """End what a killed daemon could not end itself."""
    from kaito.cluster.binaries import end_recorded
    from kaito.embedded.kubelet.processes.leftovers import end_leftovers

    asyncio.run(end_leftovers(folder.kubelet))
    end_recorded(folder.root)
    folder.daemon.unlink(missing_ok=True)


async def _serve(name: str, tier: str, options: ClusterOptions) -> None:
    folder = ClusterFolder.named(name)
    state = DaemonState(name=name, phase="starting", pid=os.getpid(), tier=tier, log=str(folder.log))
    write_state(folder, state)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cluster = create_cluster(tier, folder, options)
    starting = asyncio.create_task(cluster.start(lambda text: print(text, flush=True)))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            raise ClusterError("stopped while starting")
        starting.result()
        state = _running_state(folder, name, cluster, options)
        write_state(folder, state)
        print(_READY, flush=True)
        _detach_output(folder)
        await asyncio.wait((cluster.failed, stopping), return_when=asyncio.FIRST_COMPLETED)
        if cluster.failed.done():
            state = replace(state, problem=str(cluster.failed.result()))
            _note(folder, state)
        await stopping
    finally:
        _note(folder, replace(state, phase="stopping"))
        await cluster.stop()
        folder.daemon.unlink(missing_ok=True)


def _note(folder: ClusterFolder, state: DaemonState) -> None:
    """Write the state where that is possible: a full disk is no reason to end, or to leave processes behind."""
    with contextlib.suppress(OSError):
        write_state(folder, state)


def _running_state(folder: ClusterFolder, name: str, cluster: Cluster, options: ClusterOptions) -> DaemonState:
    return DaemonState(
        name=name,
        phase="running",
        tier=cluster.tier,
        pid=os.getpid(),
        server=cluster.access.server,
        registry=cluster.registry.url,
        kubeconfig=str(folder.kubeconfig),
        log=str(folder.log),
        operator=options.operator,
        http_proxy=cluster.http_proxy,
    )


def _detach_output(folder: ClusterFolder) -> None:
    """Nobody reads the pipe to `kaito up` from here on; what is printed goes to the log."""
    with folder.log.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())


def _disk_is_full(error: Exception) -> bool:
    """Whether a write failed that does not say which file it was for."""
    return isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None


def main() -> int:
    """The background process. Its first standard output lines are progress, then `ready:` or `failed: …`."""
    parser = argparse.ArgumentParser(prog="python -m kaito.cluster.daemon")
    parser.add_argument("--name", required=True)
    parser.add_argument("--tier", choices=TIERS, required=True)
    parser.add_argument("--operator", choices=("kaito", "none"), default="kaito")
    parser.add_argument("--controllers", choices=("all", "none"), default="all")
    parser.add_argument("--provider", default="fake-gpu")
    parser.add_argument("--images", type=Path, default=None)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.raiseExceptions = False  # A log that cannot be written, on a full disk, is no reason to write more.
    from kaito.cluster.mirrors import MirrorMap

    options = ClusterOptions(
        operator=arguments.operator,
        controllers=arguments.controllers,
        provider=arguments.provider,
        mirrors=MirrorMap.model_validate_json(sys.stdin.read() or "{}"),
        images=arguments.images,
    )
    folder = ClusterFolder.named(arguments.name)
    try:
        with hold(folder):
            asyncio.run(_serve(arguments.name, arguments.tier, options))
    except (ClusterError, OSError, ApiError) as error:
        logger.error("the cluster did not start, or ended", exc_info=error)
        said = f"{folder.root}: {os.strerror(errno.ENOSPC)}" if _disk_is_full(error) else str(error)
        with contextlib.suppress(BrokenPipeError):  # Whoever started it may be gone: that is why it ends.
            print(f"{_FAILED} {' '.join(said.split())}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
