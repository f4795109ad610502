"""Running one tuning command as several processes on this machine.

Not torch's own launcher: it ends with a traceback and exit code 1 whatever the reason was, and a Job would try again
what cannot succeed. The environment that it sets is a documented contract, and all that accelerate needs.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kaito_runtime import sentinels
from kaito_runtime.errors import RuntimeFailure, failure_of
from kaito_runtime.reporting import log

_POLL: Final = 0.2
_GRACE: Final = 10.0
"""Seconds that the others get to end after one has failed; one that waits for it in a collective never does."""


def launch(count: int, folder: Path) -> None:
    """Run this same command as `count` processes that know of each other; return when all have succeeded.

    The first of them to fail ends the others. Raises its failure: the process leaves its sentence in `folder`.
    """
    log("launching", processes=count)
    children = _start(count)
    try:
        failed = _first_failure(children)
    finally:
        _end(children)
    if failed:
        raise _failure(failed, count, folder)


def _start(count: int) -> list[subprocess.Popen[bytes]]:
    shared = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // count)),
    }
    command = [sys.executable, "-m", "kaito_runtime", *sys.argv[1:]]
    return [
        subprocess.Popen(command, env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _first_failure(children: Sequence[subprocess.Popen[bytes]]) -> int:
    """Return the first exit code that is not 0 (negative: the signal), or 0 when all have ended well.

    A signal comes first: the others then fail for want of the one that it killed.
    """
    while True:
        codes = [child.poll() for child in children]
        failed = [code for code in codes if code]
        if failed:
            return min(failed)
        if None not in codes:
            return 0
        time.sleep(_POLL)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + _GRACE
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
        child.kill()
        child.wait()


def _failure(code: int, count: int, folder: Path) -> RuntimeFailure:
    if code < 0:
        name = signal.Signals(-code).name
        return RuntimeFailure(f"one of {count} tuning processes was killed by {name}; it may have run out of memory")
    said = sentinels.failure_message(folder)
    return failure_of(code, said or f"one of {count} tuning processes ended with exit code {code} without a reason")
