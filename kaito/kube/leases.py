"""Leader election over a coordination.k8s.io Lease."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from kaito.kube.objects import format_micro_time, parse_time
from kaito.kube.resources import LEASES


class LeaderElector:
    """Runs a function only while holding a Lease.

    Durations are client-go's defaults: the lease lasts 15 s, is renewed every 2 s, and a leader that has not renewed
    for 10 s stops. Leadership is given up on exit, so that the next candidate need not wait.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        name: str,
        namespace: str,
        identity: str,
        clock: Clock | None = None,
        lease_seconds: float = 15.0,
        renew_deadline: float = 10.0,
        retry_seconds: float = 2.0,
    ) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._clock: Clock = clock or SystemClock()
        self._lease_seconds = lease_seconds
        self._renew_deadline = renew_deadline
        self._retry_seconds = retry_seconds
        self._seen: tuple[str, float] = ("", 0.0)
        self.is_leader = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, run `lead`, and stop it when the lease is lost; returns when `lead` does."""
        while not await self._try_acquire():
            await self._clock.sleep(self._retry_seconds)
        self.is_leader = True
        leading = asyncio.ensure_future(lead())
        renewing = asyncio.create_task(self._renew())
        try:
            await asyncio.wait((leading, renewing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.is_leader = False
            for task in (leading, renewing):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            with contextlib.suppress(ApiError):
                await self._release()

    async def _renew(self) -> None:
        last = self._clock.monotonic()
        while self._clock.monotonic() - last < self._renew_deadline:
            await self._clock.sleep(self._retry_seconds)
            if await self._try_acquire():
                last = self._clock.monotonic()

    async def _try_acquire(self) -> bool:
        now = format_micro_time(self._clock.now())
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._lease_seconds),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        }
        try:
            lease = await self._client.get(LEASES, self._name, self._namespace)
        except NotFound:
            metadata = {"name": self._name, "namespace": self._namespace}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
            with contextlib.suppress(AlreadyExists, ApiError):
                await self._client.create(LEASES, lease)
                return True
            return False
        except ApiError:
            return False
        held = lease.get("spec") or {}
        holder = held.get("holderIdentity") or ""
        if holder and holder != self._identity and not self._expired(lease):
            return False
        if holder == self._identity:
            spec["acquireTime"] = held.get("acquireTime") or now
            spec["leaseTransitions"] = held.get("leaseTransitions") or 0
        else:
            spec["leaseTransitions"] = (held.get("leaseTransitions") or 0) + 1
        try:
            await self._client.update(LEASES, {**lease, "spec": spec})
        except (Conflict, ApiError):
            return False
        return True

    def _expired(self, lease: dict[str, Any]) -> bool:
        """Whether the holder let the lease run out, by our own clock since we last saw it change."""
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen[0]:
            self._seen = (version, self._clock.monotonic())
        spec = lease["spec"]
        lasts = float(spec.get("leaseDurationSeconds") or self._lease_seconds)
        renewed = spec.get("renewTime")
        if renewed and parse_time(renewed) + timedelta(seconds=lasts) < self._clock.now():
            return True
        return self._clock.monotonic() - self._seen[1] >= lasts

    async def _release(self) -> None:
        lease = await self._client.get(LEASES, self._name, self._namespace)
        if lease["spec"].get("holderIdentity") == self._identity:
            lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            await self._client.update(LEASES, lease)
