"""Memory limits: what a container runtime's cgroup does, done by looking."""

from __future__ import annotations

import signal

from kaito.embedded.kubelet.pods.records import ContainerRecord, ContainerRun
from kaito.embedded.kubelet.processes import procfs
from kaito.kube.clock import Clock
from kaito.kube.quantities import parse_quantity


async def watch_memory(clock: Clock, period: float, record: ContainerRecord, run: ContainerRun) -> None:
    """Kill a run whose processes together hold more resident memory than the container's limit; until it ends."""
    while not run.ended.is_set():
        await clock.sleep(period)
        limit = (record.resources.get("limits") or {}).get("memory")
        if limit is not None and memory_of(run) > parse_quantity(limit) and not run.ended.is_set():
            run.end_reason = "OOMKilled"
            run.process.signal(signal.SIGKILL)
            return


def memory_of(run: ContainerRun) -> int:
    """Resident bytes of all processes of a run."""
    return sum(procfs.resident_bytes(pid) for pid in procfs.members(run.process.pid))
