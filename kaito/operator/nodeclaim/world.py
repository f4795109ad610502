"""What the NodeClaim controllers work with: client, provider, clock, and local copies of claims, nodes and pods."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kaito.kube.events import EventRecorder
from kaito.kube.manager import Manager
from kaito.kube.resources import NODE_CLAIMS, NODES, PODS
from kaito.operator.nodeclaim.claims import provider_id
from kaito.operator.nodeclaim.settings import NodeClaimSettings
from kaito.providers import Provider
from kaito.providers.errors import ProviderError

logger = logging.getLogger(__name__)

COMPONENT = "nodeclaim-controller"
_BY_PROVIDER_ID = "nodeclaim: provider id"
_BY_NODE = "nodeclaim: node"


class World:
    """Shared by the lifecycle and the garbage collection."""

    def __init__(self, manager: Manager, provider: Provider, settings: NodeClaimSettings) -> None:
        self.client = manager.client
        self.clock = manager.clock
        self.provider = provider
        self.settings = settings
        self.events = EventRecorder(manager.client, COMPONENT, manager.clock)
        self.claims = manager.informer(NODE_CLAIMS)
        self.nodes = manager.informer(NODES)
        self.pods = manager.informer(PODS)
        self.claims.add_index(_BY_PROVIDER_ID, lambda claim: filter(None, [provider_id(claim)]))
        self.nodes.add_index(_BY_PROVIDER_ID, _node_provider_id)
        self.pods.add_index(_BY_NODE, _pod_node)

    def nodes_of(self, identifier: str) -> list[dict[str, Any]]:
        """The Nodes with that provider id."""
        return self.nodes.by_index(_BY_PROVIDER_ID, identifier) if identifier else []

    def claims_of(self, identifier: str) -> list[dict[str, Any]]:
        """The claims with that provider id."""
        return self.claims.by_index(_BY_PROVIDER_ID, identifier) if identifier else []

    def pods_on(self, node: str) -> list[dict[str, Any]]:
        """The pods bound to a Node."""
        return self.pods.by_index(_BY_NODE, node)

    def log_provider_error(self, error: ProviderError) -> None:
        """An error of the provider that no condition shows."""
        logger.warning("provider %s: %s: %s", self.provider.info.name, error.reason, error.message)


def _node_provider_id(node: Mapping[str, Any]) -> Iterable[str]:
    identifier = (node.get("spec") or {}).get("providerID")
    return [identifier] if identifier else []


def _pod_node(pod: Mapping[str, Any]) -> Iterable[str]:
    name = (pod.get("spec") or {}).get("nodeName")
    return [name] if name else []
