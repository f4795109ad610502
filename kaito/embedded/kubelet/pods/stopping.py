"""Ending containers: preStop hook, SIGTERM, and SIGKILL when the grace period is over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from kaito.embedded.kubelet.pods.records import ContainerRecord, ContainerRun
from kaito.kube.clock import Clock

Hook = Callable[[ContainerRecord, ContainerRun, Mapping[str, Any]], Awaitable[None]]
"""Runs a preStop handler."""
LEAST_SECONDS = 2.0
"""What a container gets to end by itself however long its preStop hook took (minimumGracePeriodInSeconds)."""


class Deadline:
    """A moment that may move closer while somebody waits for it."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = self._clock = clock
        self._at = clock.monotonic() + seconds
        self._moved = asyncio.Event()

    def shorten(self, seconds: float) -> None:
        """Be over in ``seconds`` from now, if that is sooner."""
        at = self._clock.monotonic() + seconds
        if at < self._at:
            self._at = at
            self._moved.set()
            self._moved = asyncio.Event()

    @property
    def left(self) -> float:
        """Seconds until it; never negative."""
        return max(0.0, self._at - self._clock.monotonic())

    async def wait_for(self, event: asyncio.Event) -> bool:
        """Wait until ``event`` is set (True) or the deadline has come (False)."""
        while not event.is_set():
            left = self.left
            if left <= 0:
                return False
            await first(event.wait(), self._moved.wait(), self._clock.sleep(left))
        return True


async def first(*waits: Awaitable[Any]) -> None:
    """Return when one of ``waits`` is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stop_run(
    record: ContainerRecord,
    run: ContainerRun,
    deadline: Deadline,
    hook: Hook,
    *,
    after: Sequence[ContainerRun] = (),
) -> None:
    """End one run of a container, the hook at once and the process ``after`` others; returns when its process is gone.

    Source: killContainer in pkg/kubelet/kuberuntime/kuberuntime_container.go.
    """
    run.stopping = True
    unhurried = deadline.left > 0
    handler = (record.spec.get("lifecycle") or {}).get("preStop")
    if handler and unhurried and not run.ended.is_set():
        await _run_hook(record, run, deadline, hook, handler)
    for other in after:
        await deadline.wait_for(other.ended)
    if unhurried and deadline.left < LEAST_SECONDS and (handler or after) and not run.ended.is_set():
        deadline = Deadline(deadline.clock, LEAST_SECONDS)
    if deadline.left > 0:
        run.process.signal(_stop_signal(record))
        if await deadline.wait_for(run.ended):
            return
    run.process.signal(signal.SIGKILL)
    await run.ended.wait()


async def _run_hook(
    record: ContainerRecord, run: ContainerRun, deadline: Deadline, hook: Hook, handler: Mapping[str, Any]
) -> None:
    hooked = asyncio.Event()

    async def run_hook() -> None:
        try:
            await hook(record, run, handler)
        finally:
            hooked.set()

    task = asyncio.create_task(run_hook())
    try:
        await deadline.wait_for(hooked)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _stop_signal(record: ContainerRecord) -> int:
    name = (record.spec.get("lifecycle") or {}).get("stopSignal") or "SIGTERM"
    return int(getattr(signal, name, signal.SIGTERM))


async def stop_pod(records: Iterable[ContainerRecord], deadline: Deadline, hook: Hook) -> None:
    """End all containers of a pod: first the main ones together, then sidecars from the last to the first.

    The hooks of all of them run at the beginning.
    """
    running = [(record, record.run) for record in records if record.running and record.run is not None]
    earlier = [run for record, run in running if record.kind != "sidecar"]
    ends = [stop_run(record, run, deadline, hook) for record, run in running if record.kind != "sidecar"]
    for record, run in reversed([(record, run) for record, run in running if record.kind == "sidecar"]):
        ends.append(stop_run(record, run, deadline, hook, after=tuple(earlier)))
        earlier.append(run)
    await asyncio.gather(*ends)
