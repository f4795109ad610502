"""A work queue with client-go's semantics: de-duplication, one worker a key, delays and per-key back-off."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import deque
from typing import Generic, TypeVar

from kaito.kube.clock import Clock, SystemClock

K = TypeVar("K")

BASE_DELAY = 0.005
"""Seconds before the first retry of a failing key (client-go's exponential limiter)."""
MAX_DELAY = 30.0
"""Seconds at most between two retries."""


class WorkQueue(Generic[K]):
    """Keys waiting for a worker.

    A key that is added while it waits is kept once; added while it is worked on, it waits for that to end and then
    runs again. `add_rate_limited` doubles the delay with each failure until `forget`.
    """

    def __init__(
        self, *, clock: Clock | None = None, base_delay: float = BASE_DELAY, max_delay: float = MAX_DELAY
    ) -> None:
        self._clock = clock or SystemClock()
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._ready: deque[K] = deque()
        self._available = asyncio.Event()
        self._dirty: set[K] = set()
        self._active: set[K] = set()
        self._failures: dict[K, int] = {}
        self._delayed: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._timer_changed = asyncio.Event()
        self._order = itertools.count()

    def __len__(self) -> int:
        """Keys ready to be worked on now."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """True when no key is ready or being worked on; delayed keys do not count."""
        return not self._ready and not self._active

    def add(self, key: K) -> None:
        """Ask for `key` to be worked on."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._active:
            self._ready.append(key)
            self._available.set()

    def add_after(self, key: K, delay: float) -> None:
        """Ask for `key` to be worked on in `delay` seconds; of several pending delays the shortest holds."""
        if delay <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + delay
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._order), key))
        self._timer_changed.set()

    def add_rate_limited(self, key: K) -> float:
        """Ask for `key` again after its back-off; returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = float(min(self._max_delay, self._base_delay * 2 ** min(failures, 40)))
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Reset the back-off of `key`."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key, which the caller must hand to `done`."""
        while not self._ready:
            self._available.clear()
            await self._available.wait()
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._active.add(key)
        return key

    def done(self, key: K) -> None:
        """Say that the work on `key` has ended; it runs again when it was added meanwhile."""
        self._active.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._available.set()

    async def run_timers(self) -> None:
        """Move delayed keys to the ready ones as their time comes; runs until cancelled."""
        while True:
            self._timer_changed.clear()
            now = self._clock.monotonic()
            while self._delayed and self._delayed[0][0] <= now:
                due, _, key = heapq.heappop(self._delayed)
                if self._due.get(key) == due:
                    del self._due[key]
                    self.add(key)
            if not self._delayed:
                await self._timer_changed.wait()
                continue
            sleeper = asyncio.ensure_future(self._clock.sleep(self._delayed[0][0] - now))
            changed = asyncio.ensure_future(self._timer_changed.wait())
            try:
                await asyncio.wait((sleeper, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sleeper, changed):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
