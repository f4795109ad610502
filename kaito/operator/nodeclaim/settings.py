"""Settings of the NodeClaim controllers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NodeClaimSettings:
    """All durations in seconds."""

    launch_timeout: float | None = None
    """A claim that is not launched by then is deleted. Karpenter: 300. Off as in Azure's gpu-provisioner, because a GPU
    machine can take half an hour."""
    registration_timeout: float | None = None
    """The same for a claim whose Node does not come. Karpenter: 900."""
    poll_seconds: float = 5.0
    """How often a machine that is being made or removed is looked at, where no Node event comes first."""
    unready_seconds: float = 30.0
    """How often a claim whose Node is not Ready is looked at: its machine may have vanished, or be beyond repair."""
    drain_poll_seconds: float = 1.0
    """How often a draining node is looked at, where no pod event comes first."""
    garbage_seconds: float = 120.0
    """Pause between two sweeps for machines without a claim and claims without a machine."""
    garbage_age: float = 30.0
    """Machines younger than this are never taken for garbage."""
    repair: bool = True
    """Replace machines that the provider's repair policies give up."""
    provision_attempts: int = 2
    """How often a machine that fails while it is being made is begun, all in all."""
