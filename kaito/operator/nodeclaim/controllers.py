"""Wiring: which changes wake which claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kaito.kube.controller import Controller
from kaito.kube.manager import Manager
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.operator.nodeclaim.garbage import GarbageCollection
from kaito.operator.nodeclaim.lifecycle import Lifecycle
from kaito.operator.nodeclaim.settings import NodeClaimSettings
from kaito.operator.nodeclaim.world import World
from kaito.providers import Provider

WORKERS = 10


def add_nodeclaim_controllers(
    manager: Manager, provider: Provider, settings: NodeClaimSettings | None = None
) -> Controller:
    """Run the NodeClaim lifecycle and its garbage collection with `manager`, over a started `provider`.

    Claims wake by their own changes, by their Node's, and while they drain by pods that leave.
    """
    world = World(manager, provider, settings or NodeClaimSettings())
    controller = Controller("nodeclaim", Lifecycle(world).reconcile, workers=WORKERS, clock=manager.clock)

    def claims_of_node(node: dict[str, Any]) -> Iterable[Key]:
        identifier = (node.get("spec") or {}).get("providerID") or ""
        return [key_of(claim) for claim in world.claims_of(identifier)]

    def draining_claims_of_pod(pod: dict[str, Any]) -> Iterable[Key]:
        name = (pod.get("spec") or {}).get("nodeName")
        node = world.nodes.get(name) if name else None
        if node is None:
            return []
        identifier = (node.get("spec") or {}).get("providerID") or ""
        return [key_of(claim) for claim in world.claims_of(identifier) if is_deleting(claim)]

    controller.watches(world.claims)
    controller.watches(world.nodes, claims_of_node)
    controller.watches(world.pods, draining_claims_of_pod)
    manager.add(controller)
    manager.add_background(GarbageCollection(world).run)
    return controller
