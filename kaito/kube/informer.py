"""A local copy of a collection that follows the API server, with change handlers and indexes."""

from __future__ import annotations

import asyncio
import builtins
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import ApiError, Gone, NotFound
from kaito.kube.objects import Key, key_of
from kaito.kube.resources import Resource

logger = logging.getLogger(__name__)

FIRST_BACKOFF = 0.2
"""Seconds before the first reconnect after a failure; it doubles up to `MAX_BACKOFF`."""
MAX_BACKOFF = 30.0
MISSING_KIND_SECONDS = 1.0
"""How often a resource whose kind the server does not know yet (a CRD to come) is asked for again."""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Change(NamedTuple):
    """What a handler gets. `old` is None for ADDED; for DELETED `object` is the last known state."""

    type: ChangeType
    object: dict[str, Any]
    old: dict[str, Any] | None


Handler = Callable[[Change], None]
IndexFunction = Callable[[dict[str, Any]], Iterable[str]]


class Informer:
    """Lists, then watches one resource, and keeps the result.

    Objects are handed out as they are kept, without their managedFields: treat them as read-only and copy before
    changing. Handlers are called in order, on the event loop, and must not block. After a lost connection the copy is
    brought up to date by resuming the watch, or by a new list when the server has forgotten the version (410).
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        """Set once the first list has been taken in."""
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._clock = clock or SystemClock()
        self._objects: dict[Key, dict[str, Any]] = {}
        self._handlers: list[Handler] = []
        self._index_functions: dict[str, IndexFunction] = {}
        self._indexes: dict[str, dict[str, set[Key]]] = {}
        self._resource_version: str | None = None

    def get(self, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The kept object, or None."""
        return self._objects.get(Key(namespace or "", name))

    def list(self, namespace: str | None = None) -> list[dict[str, Any]]:
        """All kept objects, of one namespace when given."""
        if namespace is None:
            return list(self._objects.values())
        return [obj for key, obj in self._objects.items() if key.namespace == namespace]

    def by_index(self, index: str, value: str) -> builtins.list[dict[str, Any]]:
        """The objects for which the index function gave `value`."""
        return [self._objects[key] for key in sorted(self._indexes[index].get(value, ()))]

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Keep an index of the values that `function` gives for each object; adding one twice replaces it."""
        self._index_functions[name] = function
        self._indexes[name] = {}
        for key, obj in self._objects.items():
            for value in function(obj):
                self._indexes[name].setdefault(value, set()).add(key)

    def add_handler(self, handler: Handler) -> None:
        """Call `handler` for every change from now on, and at once with ADDED for each object already there."""
        self._handlers.append(handler)
        for obj in list(self._objects.values()):
            handler(Change("ADDED", obj, None))

    async def run(self) -> None:
        """Follow the server until cancelled."""
        backoff = FIRST_BACKOFF
        while True:
            try:
                if self._resource_version is None:
                    await self._relist()
                    backoff = FIRST_BACKOFF
                assert self._resource_version is not None
                async for event in self._client.watch(
                    self.resource,
                    self._namespace,
                    resource_version=self._resource_version,
                    label_selector=self._label_selector,
                    field_selector=self._field_selector,
                ):
                    backoff = FIRST_BACKOFF
                    self._resource_version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        self._take(event.object, deleted=event.type == "DELETED")
                continue
            except Gone:
                self._resource_version = None
                continue
            except NotFound:
                self._resource_version = None
                await self._clock.sleep(MISSING_KIND_SECONDS)
                continue
            except ApiError as error:
                logger.info("watching %s: %s; again in %.1f s", self.resource.qualified, error.message, backoff)
            await self._clock.sleep(backoff * random.uniform(0.8, 1.2))
            backoff = min(backoff * 2, MAX_BACKOFF)

    async def _relist(self) -> None:
        items, version = await self._client.list(
            self.resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        present = {key_of(obj) for obj in items}
        for key in [key for key in self._objects if key not in present]:
            self._take(self._objects[key], deleted=True)
        for obj in items:
            self._take(obj)
        self._resource_version = version
        self.synced.set()

    def _take(self, obj: dict[str, Any], *, deleted: bool = False) -> None:
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None:
            self._unindex(key, old)
        if deleted:
            if old is None:
                return
            del self._objects[key]
            change = Change("DELETED", obj, old)
        else:
            obj.setdefault("apiVersion", self.resource.api_version)
            obj.setdefault("kind", self.resource.kind)
            # Half of an object's size, read by nobody here; an update that leaves it out leaves it as it is.
            obj["metadata"].pop("managedFields", None)
            self._objects[key] = obj
            for name, function in self._index_functions.items():
                for value in function(obj):
                    self._indexes[name].setdefault(value, set()).add(key)
            if old is not None and old["metadata"].get("resourceVersion") == obj["metadata"].get("resourceVersion"):
                return
            change = Change("MODIFIED" if old is not None else "ADDED", obj, old)
        for handler in self._handlers:
            handler(change)

    def _unindex(self, key: Key, obj: dict[str, Any]) -> None:
        for name, function in self._index_functions.items():
            index = self._indexes[name]
            for value in function(obj):
                keys = index.get(value)
                if keys is not None:
                    keys.discard(key)
                    if not keys:
                        del index[value]
