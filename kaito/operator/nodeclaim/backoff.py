"""When a claim may ask its provider again after an error."""

from __future__ import annotations

import random
from collections.abc import Callable

from kaito.kube.clock import Clock
from kaito.providers.errors import OperationInProgress, ProviderError, Throttled

FIRST = 1.0
"""Seconds before the first retry of an error without a delay of its own; doubles up to LONGEST (Karpenter's numbers).
"""
LONGEST = 60.0
_CLOCK_NOISE = 1e-3
"""Less than this is rounding, not waiting: a timer that fires a hair too early must not be set again and again."""
BUSY_JITTER = (10.0, 30.0)
"""An operation in progress is asked after again at a random moment in this span, so that claims do not march in step.
"""


class Backoff:
    """Remembers per claim until when to wait. In memory: after a restart every claim may ask once."""

    def __init__(self, clock: Clock, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._clock = clock
        self._uniform = uniform
        self._until: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def after(self, name: str, error: ProviderError) -> float:
        """Seconds to wait after `error`; throttling and busy clouds do not count as failures."""
        if isinstance(error, OperationInProgress) and error.retry_after is None:
            delay = self._uniform(*BUSY_JITTER)
        elif error.delay is not None:
            delay = error.delay
        else:
            delay = min(LONGEST, FIRST * 2 ** min(self._failures.get(name, 0), 10))
        if not isinstance(error, (OperationInProgress, Throttled)):
            self._failures[name] = self._failures.get(name, 0) + 1
        self._until[name] = self._clock.monotonic() + delay
        return delay

    def remaining(self, name: str) -> float:
        """Seconds that the claim still has to wait, 0 when it may ask."""
        left = self._until.get(name, 0.0) - self._clock.monotonic()
        return left if left > _CLOCK_NOISE else 0.0

    def forget(self, name: str) -> None:
        """The claim succeeded or is gone."""
        self._until.pop(name, None)
        self._failures.pop(name, None)
