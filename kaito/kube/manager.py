"""Runs controllers together over shared informers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.controller import Controller
from kaito.kube.informer import Informer
from kaito.kube.resources import Resource

_InformerKey = tuple[Resource, str | None, str | None, str | None]


class Manager:
    """The controllers of one process.

    Informers are shared: asking twice for the same resource and selectors gives the same one, and what is asked for
    after the start is started at once.
    """

    def __init__(self, client: KubeClient, clock: Clock | None = None) -> None:
        self.client = client
        self.clock: Clock = clock or SystemClock()
        self.controllers: list[Controller] = []
        self.ready = asyncio.Event()
        """Set once every informer known at the start has its first list."""
        self._informers: dict[_InformerKey, Informer] = {}
        self._background: list[Callable[[], Awaitable[None]]] = []
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    def informer(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Informer:
        """The shared informer for a resource, made on first use."""
        key = (resource, namespace, label_selector, field_selector)
        informer = self._informers.get(key)
        if informer is None:
            informer = self._informers[key] = Informer(
                self.client,
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                clock=self.clock,
            )
            if self._group is not None:
                self._group.create_task(informer.run(), name=f"informer {resource.plural}")
        return informer

    def add(self, controller: Controller) -> Controller:
        """Run a controller with this manager."""
        self.controllers.append(controller)
        if self._group is not None:
            self._group.create_task(controller.run(), name=controller.name)
        return controller

    def add_background(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine function beside the controllers, such as a periodic sweep; it runs until cancelled."""
        self._background.append(run)
        if self._group is not None:
            self._group.create_task(_coroutine(run))

    async def run(self) -> None:
        """Run everything until cancelled; an error that escapes a controller ends all and is raised."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for informer in self._informers.values():
                    group.create_task(informer.run(), name=f"informer {informer.resource.plural}")
                for controller in self.controllers:
                    group.create_task(controller.run(), name=controller.name)
                for run in self._background:
                    group.create_task(_coroutine(run))
                await asyncio.gather(*(informer.synced.wait() for informer in list(self._informers.values())))
                self.ready.set()
                await asyncio.Event().wait()
            finally:
                self._group = None

    async def start(self) -> None:
        """Run in the background; returns when every informer has its first list."""
        self._task = asyncio.create_task(self.run(), name="manager")
        waiting = asyncio.create_task(self.ready.wait())
        await asyncio.wait((self._task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            waiting.cancel()
            self._task.result()

    async def stop(self) -> None:
        """End what `start` began."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()
