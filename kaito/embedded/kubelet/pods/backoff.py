"""Exponential back-off between attempts."""

from __future__ import annotations

from kaito.kube.clock import Clock


class Backoff:
    """Waits that double from ``base`` to ``maximum`` seconds and start anew after twice ``maximum`` without trouble.

    Source: client-go util/flowcontrol Backoff, as the kubelet uses it for containers.
    """

    def __init__(self, clock: Clock, base: float, maximum: float) -> None:
        self._clock = clock
        self._base = base
        self._maximum = maximum
        self._delay: float | None = None
        self._last = 0.0

    @property
    def delay(self) -> float:
        """The present wait in seconds; 0 when there is none."""
        return self._delay or 0.0

    def remaining(self, since: float) -> float:
        """Seconds still to wait after trouble at ``since`` (monotonic); 0 when the next attempt may begin."""
        if self._delay is None or since - self._last > 2 * self._maximum:
            return 0.0
        return max(0.0, since + self._delay - self._clock.monotonic())

    def escalate(self, since: float) -> None:
        """An attempt begins after trouble at ``since``: the next wait is longer."""
        if self._delay is None or since - self._last > 2 * self._maximum:
            self._delay = self._base
        else:
            self._delay = min(self._delay * 2, self._maximum)
        self._last = self._clock.monotonic()
