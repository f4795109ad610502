"""A cluster in memory: the NodeClaim controllers over the fake-gpu provider, in virtual time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from kaito_fake_gpu.provider import FakeGpuProvider, create_provider

from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.manager import Manager
from kaito.kube.objects import get_condition
from kaito.kube.resources import NODE_CLAIMS, NODES, PODS
from kaito.operator.nodeclaim import NodeClaimSettings, add_nodeclaim_controllers
from kaito.providers import ProviderSettings


def claim(name: str = "ws1", **spec: Any) -> dict[str, Any]:
    """A NodeClaim as the workspace controller writes it."""
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {
            "name": name,
            "labels": {
                "karpenter.sh/nodepool": "kaito",
                "kaito.sh/workspace": "ws",
                "kaito.sh/workspacenamespace": "default",
                "app": "x",
            },
            "annotations": {"karpenter.sh/do-not-disrupt": "true"},
        },
        "spec": {
            "nodeClassRef": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"},
            "requirements": [
                {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["kaito"]},
                {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["Standard_NC6s_v3"]},
                {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            ],
            "resources": {"requests": {"storage": "87Gi"}},
            "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
            **spec,
        },
    }


def pod(name: str, node: str, **metadata: Any) -> dict[str, Any]:
    """A running pod on a Node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": "Running"},
    }


class Cluster:
    """Everything that a test looks at."""

    def __init__(self, settings: NodeClaimSettings | None = None, **options: Any) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(clock=self.clock)
        self.settings = settings or NodeClaimSettings()
        self.options = {"substrate": "simulated", "provision_seconds": 20, "plugin_seconds": 10, **options}
        self.provider: FakeGpuProvider
        self.manager: Manager

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Cluster]:
        """With provider and controllers; leaving it is what a crash of the process leaves."""
        self.provider = create_provider(ProviderSettings(client=self.client, clock=self.clock, options=self.options))
        self.manager = Manager(self.client, self.clock)
        add_nodeclaim_controllers(self.manager, self.provider, self.settings)
        await self.provider.start()
        await self.manager.start()
        try:
            yield self
        finally:
            await self.manager.stop()
            await self.provider.aclose()

    async def apply(self, obj: dict[str, Any]) -> None:
        """Create a claim."""
        await self.client.create(NODE_CLAIMS, obj)

    async def delete(self, name: str = "ws1") -> None:
        """Ask for a claim's deletion."""
        await self.client.delete(NODE_CLAIMS, name)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.advance(seconds)

    def claim(self, name: str = "ws1") -> dict[str, Any]:
        """A claim that must be there."""
        found = self.client.find(NODE_CLAIMS, name)
        assert found is not None, f"there is no claim {name}"
        return found

    def node(self, name: str = "ws1") -> dict[str, Any]:
        """The one Node of a request."""
        (found,) = [one for one in self.nodes() if one["metadata"]["labels"].get("agentpool") == name]
        return found

    def nodes(self) -> list[dict[str, Any]]:
        """All Nodes."""
        return self.client.objects(NODES)

    def pods(self) -> list[str]:
        """Names of all pods."""
        return sorted(one["metadata"]["name"] for one in self.client.objects(PODS))

    def condition(self, kind: str, name: str = "ws1") -> tuple[str, str, str]:
        """(status, reason, message) of a claim's condition."""
        found = get_condition(self.claim(name), kind)
        assert found is not None, f"no condition {kind}"
        return found["status"], found["reason"], found["message"]
