"""When and how often containers are probed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timings:
    """Probe timings of serving pods, in seconds."""

    startup_period: int
    readiness_initial_delay: int
    readiness_period: int
    liveness_period: int
    liveness_failures: int
    """Failed liveness probes in a row before the container is restarted."""


FULL_TIMINGS = Timings(
    startup_period=10,
    readiness_initial_delay=30,
    readiness_period=10,
    liveness_period=10,
    liveness_failures=3,
)
"""Kaito's own (`pkg/workspace/inference`). Its start-up benchmark is a part of its vLLM image, which ours is not."""

TINY_TIMINGS = Timings(
    startup_period=1,
    readiness_initial_delay=0,
    readiness_period=1,
    liveness_period=1,
    liveness_failures=10,
)
"""For models that load in seconds: a server that is up, or gone, is noticed within a second."""
