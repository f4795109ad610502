"""The probes of one run of a container, period after period."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kaito.embedded.kubelet.probing.checks import Outcome
from kaito.kube.clock import Clock

ProbeKind = Literal["startup", "liveness", "readiness"]
Check = Callable[[Mapping[str, Any]], Awaitable[Outcome]]


@dataclass(frozen=True)
class ProbeChange:
    """What the prober reports."""

    kind: ProbeKind
    healthy: bool
    output: str
    threshold: bool
    """Whether this outcome turned the container's state (enough successes or failures in a row)."""
    unknown: bool = False
    """The probe could not be made; it counts as nothing."""
    warning: bool = False
    """It succeeded, with something to say."""


class Prober:
    """Runs startup first, then liveness and readiness side by side.

    Source of the rules: pkg/kubelet/prober/worker.go. ``report`` is called with every failure, and with every outcome
    that turns the state. A startup or liveness probe that reached its failure threshold ends that probe's loop: the
    container is to be killed.
    """

    def __init__(
        self, container: Mapping[str, Any], check: Check, clock: Clock, report: Callable[[ProbeChange], None]
    ) -> None:
        self._probes: dict[ProbeKind, Mapping[str, Any]] = {}
        kinds: tuple[ProbeKind, ...] = ("startup", "liveness", "readiness")
        for kind in kinds:
            if probe := container.get(f"{kind}Probe"):
                self._probes[kind] = probe
        self._check = check
        self._clock = clock
        self._report = report

    @property
    def has_startup(self) -> bool:
        """Whether the container counts as started only after its startup probe."""
        return "startup" in self._probes

    @property
    def has_readiness(self) -> bool:
        """Whether the container counts as ready only after its readiness probe."""
        return "readiness" in self._probes

    async def run(self) -> None:
        """Probe until cancelled."""
        if (startup := self._probes.get("startup")) and not await self._loop("startup", startup, until_healthy=True):
            return
        async with asyncio.TaskGroup() as tasks:
            for kind in ("liveness", "readiness"):
                if probe := self._probes.get(kind):
                    tasks.create_task(self._loop(kind, probe))

    async def _loop(self, kind: ProbeKind, probe: Mapping[str, Any], *, until_healthy: bool = False) -> bool:
        await self._clock.sleep(float(probe.get("initialDelaySeconds") or 0))
        period = float(probe.get("periodSeconds") or 10)
        thresholds = {True: int(probe.get("successThreshold") or 1), False: int(probe.get("failureThreshold") or 3)}
        # Liveness starts out healthy, the others unhealthy: only what differs from the start is a turn.
        state = kind == "liveness"
        last, streak = state, 0
        while True:
            outcome = await self._check(probe)
            if outcome.unknown:
                self._report(ProbeChange(kind, False, outcome.output, False, unknown=True))
                await self._clock.sleep(period)
                continue
            streak = streak + 1 if outcome.healthy == last else 1
            last = outcome.healthy
            reached = streak >= thresholds[outcome.healthy]
            turned = reached and outcome.healthy != state
            fatal = reached and not outcome.healthy and kind != "readiness"
            if reached:
                state = outcome.healthy
            if turned or fatal or not outcome.healthy or outcome.warning:
                change = ProbeChange(kind, outcome.healthy, outcome.output, turned or fatal, warning=outcome.warning)
                self._report(change)
            if fatal:
                return False
            if until_healthy and state:
                return True
            await self._clock.sleep(period)
