"""The seam between reconcilers and whatever makes GPU nodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.providers.types import NodeRecord, NodeRequest, ProviderInfo, RepairPolicy, SkuOffer


@dataclass(frozen=True)
class ProviderSettings:
    """What a provider factory gets. `options` are the provider's own, from the command line or the cluster file."""

    client: KubeClient
    """Client of the cluster that the nodes join."""
    clock: Clock = field(default_factory=SystemClock)
    """All waiting goes through it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The provider's own options by name."""


class Provider(ABC):
    """Makes and removes GPU nodes, one per request. All methods may be called concurrently.

    A provider keeps nothing that it could not rebuild from its cloud and the cluster: a new instance sees every node of
    the one before. It raises `kaito.providers.errors`, nothing else.
    """

    @property
    @abstractmethod
    def info(self) -> ProviderInfo:
        """Name, version, capabilities."""

    @abstractmethod
    async def start(self) -> None:
        """Acquire clients, check credentials cheaply, resume what an earlier instance had begun. Idempotent."""

    @abstractmethod
    async def aclose(self) -> None:
        """Release everything: no task, socket or thread is left. Idempotent; nodes stay."""

    @abstractmethod
    async def list_skus(self) -> list[SkuOffer]:
        """All sizes, also those that cannot be had now (`available`, `reason`)."""

    @abstractmethod
    async def create(self, request: NodeRequest) -> NodeRecord:
        """Begin to make the node; return within seconds, never wait for a Node.

        Idempotent by `request.name`: the same request gives the existing record, another request of that name raises
        InvalidRequest. A request is checked before any side effect. Cancelling leaves nothing or a record that `list`
        shows.
        """

    @abstractmethod
    async def get(self, name: str) -> NodeRecord:
        """The record as it is now, not from a cache; raises NotFound. Carries `last_error` of a later failure."""

    @abstractmethod
    async def list(self, *, owned_only: bool = True) -> list[NodeRecord]:
        """All records, also those without a Node. `owned_only=False` adds nodes that this provider did not make."""

    @abstractmethod
    async def delete(self, name: str) -> None:
        """Begin to remove the node; returns when removal was triggered or is under way, raises NotFound when it is
        gone.

        Safe in every state, CREATING and FAILED too. The Node object goes with the machine (its finalizers apart).
        """

    async def is_drifted(self, name: str, request: NodeRequest) -> str | None:
        """Why the node no longer is what `request` asks for, or None."""
        record = await self.get(name)
        return "RequestChanged" if record.generation_hash != request.generation_hash else None

    def repair_policies(self) -> tuple[RepairPolicy, ...]:
        """Node conditions that mean the machine must be replaced."""
        return (
            RepairPolicy(condition_type="Ready", condition_status="False", toleration_seconds=600),
            RepairPolicy(condition_type="Ready", condition_status="Unknown", toleration_seconds=600),
        )

    def describe(self) -> dict[str, Any]:
        """For people who debug; without secrets."""
        return {"name": self.info.name, "version": self.info.version}
