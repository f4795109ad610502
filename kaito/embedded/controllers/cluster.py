"""What the controllers share: client, clock, caches, event recorders; and how one is put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kaito.embedded.controllers.caching import Cache, Caches
from kaito.kube.controller import Controller, KeyMap, Reconcile
from kaito.kube.events import EventRecorder
from kaito.kube.manager import Manager
from kaito.kube.resources import Resource

WORKERS = 8
"""Reconciles of one controller that run at a time: they mostly wait for the server."""


class Cluster:
    """The surroundings of the controllers of one manager."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.client, self.clock = manager.client, manager.clock
        self.caches = Caches(manager)

    def cache(self, resource: Resource) -> Cache:
        """The shared cache of a resource."""
        return self.caches(resource)

    def recorder(self, component: str) -> EventRecorder:
        """A recorder for the events of one controller."""
        return EventRecorder(self.client, component, self.clock)

    def run(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        watches: Mapping[Resource, KeyMap | None],
        needs: Iterable[Resource] = (),
        workers: int = WORKERS,
    ) -> Controller:
        """Add a controller that is woken by `watches` (None: the object's own key) and also reads `needs`."""
        controller = Controller(name, reconcile, workers=workers, clock=self.clock)
        for resource, keys in watches.items():
            controller.watches(self.cache(resource).informer, keys)
        controller.informers += [self.cache(resource).informer for resource in needs]
        self.manager.add(controller)
        return controller
