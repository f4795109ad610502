"""What the reconciler reads and writes: the informers' copies, with this process's own writes on top."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kaito.kube.client import KubeClient, PatchKind, Propagation
from kaito.kube.clock import Clock
from kaito.kube.errors import NotFound
from kaito.kube.informer import Change, Informer
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.kube.resources import Resource

AHEAD_SECONDS = 10.0
"""How long an own write is believed when the informer does not show it: longer than any lag, and a bound on
any error."""
OWNER_INDEX = "workspace"

Grouping = Callable[[Mapping[str, Any]], Iterable[Key]]
"""From an object to the keys of the workspaces it belongs to."""


@dataclass
class _Ahead:
    """An own write that the informer has not shown yet; `stale` are the versions it replaced."""

    object: dict[str, Any]
    until: float
    stale: set[str] = field(default_factory=set)
    groups: frozenset[Key] = frozenset()
    """The workspaces in whose lists it has to be looked at: those it belongs to, and those it belonged to before."""


class Store:
    """Reads come from informers and cost no request; writes go to the API server and can be read back at once.

    Without that, a pass that begins before the watch has delivered the last pass's writes would do them again. Objects
    handed out are shared: copy before changing.
    """

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        informers: Iterable[Informer],
        groupings: Mapping[Resource, Grouping],
        *,
        index: str = OWNER_INDEX,
    ) -> None:
        """`index` names the informers' index of owners: stores that group the same informer differently need two."""
        self._index = index
        self._client = client
        self._clock = clock
        self._informers = {informer.resource: informer for informer in informers}
        self._groupings = groupings
        self._ahead: dict[Resource, dict[Key, _Ahead]] = {resource: {} for resource in self._informers}
        self._ahead_by_group: dict[Resource, dict[Key, set[Key]]] = {resource: {} for resource in self._informers}
        self._own_versions: dict[Resource, dict[Key, str]] = {resource: {} for resource in self._informers}
        for resource, informer in self._informers.items():
            if grouping := groupings.get(resource):
                informer.add_index(index, _indexed(grouping))
            informer.add_handler(self._forgetter(resource))

    def get(self, resource: Resource, name: str, namespace: str = "") -> dict[str, Any] | None:
        """The object as it is known, or None."""
        ahead = self._current(resource, Key(namespace, name))
        return ahead if ahead is not None else self._informers[resource].get(name, namespace)

    def all(self, resource: Resource) -> list[dict[str, Any]]:
        """Every object of a resource."""
        found = {key_of(obj): obj for obj in self._informers[resource].list()}
        return self._overlaid(resource, found, list(self._ahead[resource]), lambda _: True)

    def of(self, resource: Resource, owner: Key) -> list[dict[str, Any]]:
        """The objects that belong to a workspace, by name."""
        kept = self._informers[resource].by_index(self._index, str(owner))
        found = {key_of(obj): obj for obj in kept}
        grouping = self._groupings[resource]
        ahead = list(self._ahead_by_group[resource].get(owner, ()))
        return self._overlaid(resource, found, ahead, lambda obj: owner in grouping(obj))

    def is_own(self, resource: Resource, obj: Mapping[str, Any]) -> bool:
        """Whether this version of the object is the last one this process wrote."""
        version = obj["metadata"].get("resourceVersion")
        return version is not None and self._own_versions[resource].get(key_of(obj)) == version

    async def create(self, resource: Resource, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object; raises AlreadyExists."""
        return self._wrote(resource, await self._client.create(resource, obj), None)

    async def update(
        self, resource: Resource, obj: Mapping[str, Any], *, subresource: str | None = None
    ) -> dict[str, Any]:
        """Replace an object at the version it carries; raises Conflict when that is old."""
        version = obj["metadata"].get("resourceVersion")
        return self._wrote(resource, await self._client.update(resource, obj, subresource=subresource), version)

    async def patch(
        self, resource: Resource, obj: Mapping[str, Any], patch: Mapping[str, Any], *, kind: PatchKind = "merge"
    ) -> dict[str, Any]:
        """Change parts of an object, whatever its version is now."""
        metadata = obj["metadata"]
        patched = await self._client.patch(resource, metadata["name"], patch, metadata.get("namespace"), kind=kind)
        return self._wrote(resource, patched, metadata.get("resourceVersion"))

    async def delete(
        self, resource: Resource, obj: Mapping[str, Any], *, propagation: Propagation | None = None
    ) -> None:
        """Delete exactly this object (uid precondition); one that is gone already is fine."""
        metadata = obj["metadata"]
        try:
            left = await self._client.delete(
                resource, metadata["name"], metadata.get("namespace"), uid=metadata.get("uid"), propagation=propagation
            )
        except NotFound:
            return
        if left.get("kind") == resource.kind and is_deleting(left):
            self._wrote(resource, left, metadata.get("resourceVersion"))

    def _wrote(self, resource: Resource, obj: dict[str, Any], replaced: str | None) -> dict[str, Any]:
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
        key = key_of(obj)
        version = obj["metadata"].get("resourceVersion", "")
        self._own_versions[resource][key] = version
        gone = is_deleting(obj) and not obj["metadata"].get("finalizers")
        before = self._drop(resource, key)
        stale = (before.stale if before else set()) | ({replaced} if replaced else set())
        shown = self._informers[resource].get(key.name, key.namespace)
        shown_version = shown["metadata"].get("resourceVersion") if shown else None
        if not gone and version not in stale and (shown_version is None or shown_version in stale):
            self._keep(resource, key, _Ahead(obj, self._clock.monotonic() + AHEAD_SECONDS, stale), shown)
        return obj

    def _keep(self, resource: Resource, key: Key, ahead: _Ahead, shown: Mapping[str, Any] | None) -> None:
        if grouping := self._groupings.get(resource):
            ahead.groups = frozenset((*grouping(ahead.object), *(grouping(shown) if shown else ())))
        self._ahead[resource][key] = ahead
        for group in ahead.groups:
            self._ahead_by_group[resource].setdefault(group, set()).add(key)

    def _drop(self, resource: Resource, key: Key) -> _Ahead | None:
        ahead = self._ahead[resource].pop(key, None)
        for group in ahead.groups if ahead else ():
            keys = self._ahead_by_group[resource][group]
            keys.discard(key)
            if not keys:
                del self._ahead_by_group[resource][group]
        return ahead

    def _current(self, resource: Resource, key: Key) -> dict[str, Any] | None:
        ahead = self._ahead[resource].get(key)
        if ahead is None:
            return None
        if ahead.until <= self._clock.monotonic():
            self._drop(resource, key)
            return None
        return ahead.object

    def _overlaid(
        self,
        resource: Resource,
        found: dict[Key, dict[str, Any]],
        candidates: Iterable[Key],
        belongs: Callable[[Mapping[str, Any]], bool],
    ) -> list[dict[str, Any]]:
        for key in candidates:
            ahead = self._current(resource, key)
            if ahead is None:
                continue
            if belongs(ahead):
                found[key] = ahead
            else:
                found.pop(key, None)
        return [found[key] for key in sorted(found)]

    def _forgetter(self, resource: Resource) -> Callable[[Change], None]:
        def forget(change: Change) -> None:
            key = key_of(change.object)
            if change.type == "DELETED":
                self._own_versions[resource].pop(key, None)
                self._drop(resource, key)
                return
            ahead = self._ahead[resource].get(key)
            if ahead is not None and change.object["metadata"].get("resourceVersion") not in ahead.stale:
                self._drop(resource, key)

        return forget


def _indexed(grouping: Grouping) -> Callable[[dict[str, Any]], Iterable[str]]:
    return lambda obj: [str(key) for key in grouping(obj)]
