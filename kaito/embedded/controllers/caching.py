"""Informer caches that also show what this process has just written, so that no reconcile acts on its own past."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kaito.kube.client import KubeClient, PatchKind, Propagation
from kaito.kube.clock import Clock
from kaito.kube.errors import Conflict, NotFound
from kaito.kube.informer import Change, Informer
from kaito.kube.manager import Manager
from kaito.kube.objects import Key, controller_of, format_time, key_of
from kaito.kube.resources import Resource

Object = dict[str, Any]

STALE_SECONDS = 30.0
"""How long a write is believed without the informer confirming it (an object made and removed between two lists)."""
REMEMBERED_DELETIONS = 4096

CONTROLLER = "controller"
"""Index: objects by the uid of their controller."""
ORPHANS = "orphans"
"""Index: objects without a controller by namespace."""


class Cache:
    """The objects of one resource: the informer's, overlaid with newer results of this process's own writes.

    kube-controller-manager's controllers count expectations for the same purpose. Objects are shared: copy before
    changing. Writes are made through the cache and carry uid preconditions; a delete of what is gone is no error.
    """

    def __init__(self, client: KubeClient, informer: Informer, resource: Resource, clock: Clock) -> None:
        self.resource = resource
        self.informer = informer
        self._client, self._clock = client, clock
        self._written: dict[Key, tuple[Object, float]] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._indexes: dict[str, Callable[[Object], Iterable[str]]] = {}
        informer.add_handler(self._observe)
        self.add_index(CONTROLLER, lambda obj: [owner["uid"]] if (owner := controller_of(obj)) else [])
        self.add_index(ORPHANS, lambda obj: [] if controller_of(obj) else [obj["metadata"].get("namespace") or ""])

    def add_index(self, name: str, function: Callable[[Object], Iterable[str]]) -> None:
        """Index the objects by the values of `function`; a name that is there already is kept as it is."""
        if name not in self._indexes:
            self._indexes[name] = function
            self.informer.add_index(name, function)

    def get(self, key: Key) -> Object | None:
        """The newest known version of an object, or None."""
        own = self._own(key)
        return own if own is not None else self.informer.get(key.name, key.namespace)

    def all(self, namespace: str | None = None) -> list[Object]:
        """All objects, of one namespace when given."""
        return self._overlay(
            self.informer.list(namespace), lambda obj: namespace in (None, obj["metadata"].get("namespace"))
        )

    def by_index(self, index: str, value: str) -> list[Object]:
        """The objects for which the index function gives `value`."""
        function = self._indexes[index]
        return self._overlay(self.informer.by_index(index, value), lambda obj: value in function(obj))

    def controlled_by(self, owner: Mapping[str, Any]) -> list[Object]:
        """The objects whose controller is `owner`."""
        return self.by_index(CONTROLLER, owner["metadata"]["uid"])

    def orphans(self, namespace: str) -> list[Object]:
        """The objects of a namespace that have no controller."""
        return self.by_index(ORPHANS, namespace)

    async def create(self, obj: Object) -> Object:
        """Create an object."""
        created = await self._client.create(self.resource, obj)
        self._remember(created)
        return created

    async def update(self, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace an object; Conflict when it is not the current version."""
        updated = await self._client.update(self.resource, obj, subresource=subresource)
        self._remember(updated)
        return updated

    async def update_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Write the status when it says something new; fields that Go would omit as empty do not count.

        Nothing happens when the object is gone.
        """
        if _significant(status) == _significant(obj.get("status") or {}):
            return obj
        try:
            return await self.update({**obj, "status": dict(status)}, subresource="status")
        except NotFound:
            return {**obj, "status": dict(status)}

    async def patch(
        self, obj: Object, patch: Mapping[str, Any], *, kind: PatchKind = "merge", subresource: str | None = None
    ) -> Object:
        """Merge a patch into this very object (its uid is a precondition)."""
        key = key_of(obj)
        body = {**patch, "metadata": {**(patch.get("metadata") or {}), "uid": obj["metadata"]["uid"]}}
        patched = await self._client.patch(
            self.resource, key.name, body, key.namespace or None, kind=kind, subresource=subresource
        )
        self._remember(patched)
        return patched

    async def drop_finalizer(self, obj: Object, finalizer: str) -> Object | None:
        """Take one finalizer off this very object, whatever else changes meanwhile; None when the object is gone.

        A JSON patch that tests what it removes: lists of other writers are never overwritten.
        """
        finalizers = obj["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            return obj
        key, path = key_of(obj), f"/metadata/finalizers/{finalizers.index(finalizer)}"
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": obj["metadata"]["uid"]},
            {"op": "test", "path": path, "value": finalizer},
            {"op": "remove", "path": path},
        ]
        try:
            patched = await self._client.patch(self.resource, key.name, operations, key.namespace or None, kind="json")
        except NotFound:
            return None
        self._remember(patched)
        return patched

    async def delete(
        self, obj: Object, *, propagation: Propagation | None = None, grace_seconds: int | None = None
    ) -> None:
        """Delete this very object; nothing happens when it is gone or another one has its name."""
        key, uid = key_of(obj), obj["metadata"]["uid"]
        try:
            await self._client.delete(
                self.resource,
                key.name,
                key.namespace or None,
                propagation=propagation,
                uid=uid,
                grace_seconds=grace_seconds,
            )
        except NotFound:
            self._forget(key, uid)
            return
        except Conflict:
            self._written.pop(key, None)
            return
        current = self.get(key)
        if current is None or uid in self._deleted or current["metadata"]["uid"] != uid:
            return
        if not current["metadata"].get("deletionTimestamp"):
            deleting = {**current["metadata"], "deletionTimestamp": format_time(self._clock.now())}
            self._written[key] = ({**current, "metadata": deleting}, self._clock.monotonic() + STALE_SECONDS)

    def _remember(self, obj: Object) -> None:
        """Show a write's result until the informer has caught up with it."""
        if obj.get("kind") == "Status":
            return
        obj.setdefault("apiVersion", self.resource.api_version)
        obj.setdefault("kind", self.resource.kind)
        key, metadata = key_of(obj), obj["metadata"]
        if metadata["uid"] in self._deleted:
            return
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and not _graceful(obj):
            self._forget(key, metadata["uid"])
            return
        seen = self.informer.get(key.name, key.namespace)
        if seen is None or _version(seen) < _version(obj):
            self._written[key] = (obj, self._clock.monotonic() + STALE_SECONDS)

    def _forget(self, key: Key, uid: str) -> None:
        """An object is known to be gone: hide it until the informer says so."""
        seen = self.informer.get(key.name, key.namespace)
        if seen is not None and seen["metadata"]["uid"] == uid:
            gone = {**seen["metadata"], "deletionTimestamp": format_time(self._clock.now()), "finalizers": []}
            self._written[key] = ({**seen, "metadata": gone}, self._clock.monotonic() + STALE_SECONDS)
        else:
            self._written.pop(key, None)

    def _own(self, key: Key) -> Object | None:
        entry = self._written.get(key)
        if entry is None:
            return None
        obj, deadline = entry
        if self._clock.monotonic() > deadline:
            del self._written[key]
            return None
        return obj

    def _overlay(self, seen: list[Object], wanted: Callable[[Object], bool]) -> list[Object]:
        if not self._written:
            return seen
        result = {key_of(obj): obj for obj in seen}
        for key in list(self._written):
            own = self._own(key)
            if own is None:
                continue
            if wanted(own):
                result[key] = own
            else:
                result.pop(key, None)
        return list(result.values())

    def _observe(self, change: Change) -> None:
        key, metadata = key_of(change.object), change.object["metadata"]
        if change.type == "DELETED":
            self._deleted[metadata["uid"]] = None
            while len(self._deleted) > REMEMBERED_DELETIONS:
                self._deleted.popitem(last=False)
        entry = self._written.get(key)
        if entry is None:
            return
        own = entry[0]["metadata"]
        if own["uid"] != metadata["uid"]:
            if _version(change.object) > _version(entry[0]):
                del self._written[key]
        elif change.type == "DELETED" or _caught_up(change.object, entry[0]):
            del self._written[key]


def _version(obj: Mapping[str, Any]) -> int:
    """Resource versions of one resource are ordered integers (documented since Kubernetes 1.35, true ever since)."""
    version = obj["metadata"].get("resourceVersion") or "0"
    return int(version) if version.isdigit() else 0


def _caught_up(seen: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    if own["metadata"].get("deletionTimestamp") and not seen["metadata"].get("deletionTimestamp"):
        # Our delete has been answered, so a version without the mark is older than it.
        return False
    return _version(seen) >= _version(own)


def _graceful(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionGracePeriodSeconds"))


def _significant(value: Any) -> Any:
    if isinstance(value, Mapping):
        pruned = {key: _significant(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, 0, "", [], {}, False)}
    if isinstance(value, list):
        return [_significant(item) for item in value]
    return value


class Caches:
    """The shared caches of a manager's controllers, one a resource."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._caches: dict[Resource, Cache] = {}

    def __call__(self, resource: Resource) -> Cache:
        """The cache of a resource, made on first use."""
        cache = self._caches.get(resource)
        if cache is None:
            manager = self._manager
            cache = Cache(manager.client, manager.informer(resource), resource, manager.clock)
            self._caches[resource] = cache
        return cache
