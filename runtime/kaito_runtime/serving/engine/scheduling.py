"""The engine's thread: admits waiting requests, feeds their prompts, makes decode steps for all of them, retires the
finished.

Each turn of the loop drops what was cancelled or timed out, admits what there is room for, feeds one chunk of the
newly admitted prompts and makes one decode step for every running row. Rows of the cache are [running…][filling…]
without holes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from ..generation import EngineFailed, EngineStats, GenerationError, QueueFull, Stopping, TimedOut
from .decoder import Decoder
from .lora import AdaptedLayers
from .sampling import choose_all
from .sequences import SequenceState

log = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_CACHE_BYTES = 64 * 2**20
"""A cache larger than this is freed when nothing is running."""


@dataclass(frozen=True, kw_only=True)
class SchedulingLimits:
    """How much the scheduler takes on at once."""

    max_rows: int = 32
    """Most requests in a decode step."""
    max_queue: int = 256
    """Most requests waiting beside those running; one more is refused with `QueueFull`."""
    prefill_tokens: int = 1024
    """Most prompt tokens fed between two decode steps, so that running requests do not wait for a long prompt."""
    cache_bytes: int = 2**62
    """Most memory for keys and values."""


class Scheduler:
    """Owns the model's thread. `submit`, `cancel`, `call`, `stats` and `stop` may be called from any thread."""

    def __init__(
        self,
        decoder: Decoder,
        layers: AdaptedLayers,
        limits: SchedulingLimits,
        *,
        token_bytes: int,
        flush: Callable[[], None],
    ) -> None:
        """`token_bytes`: cache memory of one token of one row; `flush`: called after each turn, when sinks have been
        told things."""
        self._decoder = decoder
        self._layers = layers
        self._limits = limits
        self._token_bytes = token_bytes
        self._flush = flush
        self._lock = threading.Condition()
        self._waiting: deque[SequenceState] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._running: list[SequenceState] = []
        self._filling: list[SequenceState] = []
        self._accepting = True
        self._ended = False
        self._prompt_tokens = self._generated_tokens = self._steps = 0
        self._mean_seconds = 1.0
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, sequence: SequenceState) -> None:
        """Raises `QueueFull` and `Stopping`; afterwards the sequence's sink hears everything, the end included."""
        with self._lock:
            if not self._accepting:
                raise Stopping("The server is stopping and takes no new requests")
            waiting = len(self._waiting)
            active = len(self._running) + len(self._filling)
            if waiting + active >= self._limits.max_queue + self._limits.max_rows:
                wait = self._mean_seconds * (waiting + 1) / self._limits.max_rows
                raise QueueFull(f"Too many requests: {active} are running and {waiting} are waiting", retry_after=wait)
            self._waiting.append(sequence)
            self._lock.notify()

    def cancel(self, sequence: SequenceState) -> None:
        """Ends a sequence without telling its sink (idempotent)."""
        with self._lock:
            sequence.cancelled = True
            self._lock.notify()

    def call(self, action: Callable[[], T]) -> Future[T]:
        """Runs `action` on the model's thread between two turns."""
        future: Future[T] = Future()
        with self._lock:
            if self._ended:
                future.set_exception(Stopping("The server is stopping"))
            else:
                self._calls.append((action, future))
                self._lock.notify()
        return future

    def stats(self) -> EngineStats:
        with self._lock:
            return EngineStats(
                running=len(self._running) + len(self._filling),
                waiting=len(self._waiting),
                prompt_tokens=self._prompt_tokens,
                generated_tokens=self._generated_tokens,
                steps=self._steps,
            )

    def refuse(self) -> None:
        """No new sequences from now on."""
        with self._lock:
            self._accepting = False

    @property
    def idle(self) -> bool:
        with self._lock:
            return not (self._waiting or self._running or self._filling)

    def stop(self) -> None:
        """Fails what is left with `Stopping` and ends the thread (blocking, idempotent)."""
        with self._lock:
            self._accepting = False
            self._ended = True
            self._lock.notify()
        if self._thread.is_alive():
            self._thread.join()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with torch.inference_mode():
            while self._wait_for_work():
                try:
                    self._turn()
                except (
                    Exception
                ) as error:  # the thread must outlive a failing pass: its requests fail, the next ones run
                    log.exception("a generation step failed")
                    self._fail_active(EngineFailed(f"The model failed while generating ({type(error).__name__})"))
                self._flush()
            for sequence in [*self._running, *self._filling, *self._waiting]:
                sequence.report(Stopping("The server stopped before this request was finished"))
            for _, future in self._calls:
                future.set_exception(Stopping("The server is stopping"))
            self._flush()

    def _wait_for_work(self) -> bool:
        with self._lock:
            while not (self._ended or self._waiting or self._running or self._filling or self._calls):
                if self._decoder.cache.nbytes > IDLE_CACHE_BYTES:
                    self._decoder.cache.release()
                self._lock.wait()
            return not self._ended

    def _turn(self) -> None:
        self._answer_calls()
        self._drop_ended()
        self._admit()
        if self._filling:
            self._feed()
        if self._running:
            self._decode()

    def _answer_calls(self) -> None:
        while self._calls:
            action, future = self._calls.popleft()
            try:
                future.set_result(action())
            except Exception as error:
                future.set_exception(error)

    def _drop_ended(self) -> None:
        now = time.monotonic()

        def gone(sequence: SequenceState) -> bool:
            if sequence.cancelled:
                return True
            if sequence.deadline is not None and now >= sequence.deadline:
                sequence.report(
                    TimedOut(f"The request took longer than its limit of {sequence.request.timeout:g} seconds")
                )
                return True
            return False

        with self._lock:
            if self._waiting:
                self._waiting = deque(s for s in self._waiting if not gone(s))
        for row in reversed(range(len(self._running))):
            if gone(self._running[row]):
                self._retire(row)
        for place in reversed(range(len(self._filling))):
            if gone(self._filling[place]):
                self._retire_filling(place)

    def _admit(self) -> None:
        """Moves waiting sequences to the filling rows, in order of arrival, while rows and cache memory suffice.

        Prompts are fed side by side and padded to the longest, so one admission takes prompts of similar length only.
        """
        if self._filling:
            return
        active = list(self._running)
        with self._lock:
            while self._waiting and len(active) < self._limits.max_rows:
                first = self._waiting[0]
                longest = max(_need(s) for s in [*active, first])
                if active and (len(active) + 1) * longest * self._token_bytes > self._limits.cache_bytes:
                    break
                if self._filling and len(first.prompt) > 2 * min(len(s.prompt) for s in self._filling) + 64:
                    break
                self._filling.append(self._waiting.popleft())
                active.append(first)

    def _feed(self) -> None:
        """One chunk of the filling rows' prompts; rows whose group is complete get their first token and become
        running."""
        group = self._filling
        first = len(self._running)
        chunk = max(1, self._limits.prefill_tokens // len(group))
        fed = group[0].fed
        width = min(chunk, max(len(s.prompt) for s in group) - fed)
        # A short prompt that is complete while its neighbours go on is fed its last token again, which changes nothing.
        starts = [min(fed, len(s.prompt) - 1) for s in group]
        tokens = [s.prompt[start : fed + width] for s, start in zip(group, starts, strict=True)]
        reach = max(starts) + max(map(len, tokens))
        longest = max([reach, *(s.fed + 1 for s in self._running)])
        self._decoder.cache.reserve(first + len(group), longest)
        self._layers.aim([s.variant for s in group])
        logits = self._decoder.step(first, tokens, starts)
        self._steps += 1
        for sequence in group:
            sequence.fed = fed + width
        if any(len(s.prompt) > s.fed for s in group):
            return
        for sequence in group:
            self._prompt_tokens += len(sequence.prompt)
            sequence.fed = len(sequence.prompt)
        with self._lock:
            self._running += group
            self._filling = []
        self._choose(first, logits)

    def _decode(self) -> None:
        rows = self._running
        longest = max([*(s.fed + 1 for s in rows), *(min(s.fed, len(s.prompt)) for s in self._filling)])
        self._decoder.cache.reserve(len(rows) + len(self._filling), longest)
        self._layers.aim([s.variant for s in rows])
        logits = self._decoder.step(0, [[s.last] for s in rows], [s.fed for s in rows])
        self._steps += 1
        for sequence in rows:
            sequence.fed += 1
        self._choose(0, logits)

    def _choose(self, first: int, logits: torch.Tensor) -> None:
        """The next token of the running rows from `first` on."""
        rows = self._running[first:]
        choices = choose_all(logits, [s.sampler for s in rows])
        self._generated_tokens += len(rows)
        ended = []
        for row, (sequence, choice) in enumerate(zip(rows, choices, strict=True), start=first):
            piece = sequence.accept(choice)
            if piece is not None:
                if not sequence.cancelled:
                    sequence.report(piece)
                if piece.finish_reason is not None:
                    ended.append(row)
        for row in reversed(ended):
            self._retire(row)

    def _retire(self, row: int) -> None:
        """Takes a running row out; the last running row takes its place, the last filling row the place that becomes
        free."""
        cache = self._decoder.cache
        last = len(self._running) - 1
        sequence = self._running[row]
        self._mean_seconds += 0.1 * (time.monotonic() - sequence.submitted - self._mean_seconds)
        if row != last:
            cache.move(last, row, self._running[last].fed)
        with self._lock:
            self._running[row] = self._running[last]
            self._running.pop()
        if self._filling:
            mover = self._filling[-1]
            if mover.fed:
                cache.move(last + len(self._filling), last, mover.fed)
            with self._lock:
                self._filling = [mover, *self._filling[:-1]]

    def _retire_filling(self, place: int) -> None:
        last = len(self._filling) - 1
        if place != last and self._filling[last].fed:
            first = len(self._running)
            self._decoder.cache.move(first + last, first + place, self._filling[last].fed)
        with self._lock:
            self._filling[place] = self._filling[last]
            self._filling.pop()

    def _fail_active(self, error: GenerationError) -> None:
        with self._lock:
            active = [*self._running, *self._filling]
            self._running, self._filling = [], []
        for sequence in active:
            sequence.report(error)
        self._decoder.cache.release()


def _need(sequence: SequenceState) -> int:
    return len(sequence.prompt) + sequence.limit
