"""What the contract suite needs around a provider: a cloud, time that passes, and a look at the cluster."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kaito.kube.client import KubeClient
from kaito.kube.resources import NODES
from kaito.providers import NodeRecord, NodeRequest, Owner, Provider, Taint
from kaito.providers.errors import NotFound


@dataclass
class ContractWorld:
    """One cloud with nothing in it."""

    new_provider: Callable[..., Provider]
    """Another instance over the same cloud, with the provider's options as keywords (`slow=True`: provisioning takes
    minutes)."""
    advance: Callable[[float], Awaitable[None]]
    """Let so many seconds pass, in whatever way this world has."""
    instance_type: str
    """A GPU size that the provider has."""
    client: KubeClient | None = None
    """Client of the cluster that nodes join, where there is one to look at."""
    patience: float = 600
    """Most seconds that anything may take."""

    @contextlib.asynccontextmanager
    async def provider(self, **options: Any) -> AsyncIterator[Provider]:
        """A started provider that is closed afterwards."""
        provider = self.new_provider(**options)
        await provider.start()
        try:
            yield provider
        finally:
            await provider.aclose()

    def request(self, name: str = "ws1", **changes: Any) -> NodeRequest:
        """A request that asks for a bit of everything."""
        fields: dict[str, Any] = {
            "name": name,
            "owner": Owner(kind="NodeClaim", name=name, uid=f"uid-of-{name}"),
            "instance_type": self.instance_type,
            "disk_gib": 128,
            "labels": {"kaito.sh/workspace": "ws", "kaito.sh/workspacenamespace": "default", "app": "x"},
            "annotations": {"example.com/note": "kept"},
            "taints": (Taint(key="sku", value="gpu", effect="NoSchedule"),),
            "image_family": "azurelinux",
        }
        return NodeRequest(**{**fields, **changes})

    async def until(self, reached: Callable[[], Awaitable[bool]], what: str) -> None:
        """Let time pass until `reached`; fails after `patience` seconds."""
        waited, step = 0.0, 1.0
        while not await reached():
            assert waited < self.patience, f"{what}: not within {self.patience:.0f} seconds"
            await self.advance(step)
            waited += step
            step = min(step * 1.5, 30.0)

    async def until_state(self, provider: Provider, name: str, state: str) -> NodeRecord:
        """Let time pass until the record has a state."""

        async def reached() -> bool:
            return (await provider.get(name)).state == state

        await self.until(reached, f"{name} is {state}")
        return await provider.get(name)

    async def until_gone(self, provider: Provider, name: str) -> None:
        """Delete again and again until NotFound, as the reconciler does."""

        async def gone() -> bool:
            try:
                await provider.delete(name)
            except NotFound:
                return True
            return False

        await self.until(gone, f"{name} is gone")

    async def nodes(self) -> list[dict[str, Any]]:
        """The cluster's nodes; skips the case where they cannot be seen."""
        if self.client is None:
            pytest.skip("this world shows no cluster")
        return list((await self.client.list(NODES)).items)


def needs(provider: Provider, flag: str) -> None:
    """Skip the case, naming the flag, unless the provider claims the capability."""
    if not getattr(provider.info.capabilities, flag):
        pytest.skip(f"{provider.info.name} does not claim the capability {flag}")
