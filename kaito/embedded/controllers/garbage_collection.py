"""The garbage collector: what has lost its last owner goes. Source: pkg/controller/garbagecollector."""

from __future__ import annotations

import logging
from typing import Any, Literal

from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.kinds import Kind, Kinds, kind_of
from kaito.embedded.controllers.ownership import FOREGROUND, ORPHAN, Graph, Node
from kaito.kube.client import Propagation
from kaito.kube.controller import Controller
from kaito.kube.errors import Conflict, NotFound
from kaito.kube.informer import Change
from kaito.kube.objects import Key
from kaito.kube.resources import Resource

logger = logging.getLogger(__name__)

_NEEDED = frozenset({"list", "watch", "delete"})
_IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})
_START = Key("", "start")


class GarbageCollector:
    """Deletes dependents in the background or foreground, orphans them, and drops references to what is gone.

    Kinds are known from discovery, and custom ones as soon as their CRD is established (the real collector looks
    every 30 seconds). An owner that no informer knows is asked for before anything is deleted.
    """

    def __init__(self, cluster: Cluster, kinds: Kinds) -> None:
        self._manager, self._client, self._clock = cluster.manager, cluster.client, cluster.clock
        self._kinds, self._graph = kinds, Graph()
        self._watched: set[Resource] = set()
        self._absent: dict[str, None] = {}
        self._items = Controller("garbage-collector", self._visit, workers=16, clock=cluster.clock)
        self._starter = Controller("garbage-collector-kinds", self._watch_kinds, workers=1, clock=cluster.clock)
        definitions = kinds.definitions.informer
        self._starter.informers.append(definitions)
        definitions.add_handler(self._on_definition)
        self._starter.queue.add(_START)
        cluster.manager.add(self._items)
        cluster.manager.add(self._starter)

    # ---- kinds

    async def _watch_kinds(self, key: Key) -> None:
        for kind in await self._kinds.all():
            self._watch(kind)

    def _on_definition(self, change: Change) -> None:
        kind = kind_of(change.object)
        if kind is not None and change.type != "DELETED":
            self._watch(kind)

    def _watch(self, kind: Kind) -> None:
        resource = kind.resource
        if resource in self._watched or not kind.verbs >= _NEEDED or (resource.group, resource.plural) in _IGNORED:
            return
        self._watched.add(resource)
        informer = self._manager.informer(resource)

        def observe(change: Change) -> None:
            if change.old is not None and change.old["metadata"]["uid"] != change.object["metadata"]["uid"]:
                self._gone(change.old["metadata"]["uid"])
            if change.type == "DELETED":
                self._gone(change.object["metadata"]["uid"])
            else:
                self._seen(Node.of(resource, change.object))

        informer.add_handler(observe)

    # ---- what changes mean

    def _seen(self, node: Node) -> None:
        before = self._graph.get(node.uid)
        self._graph.put(node)
        self._absent.pop(node.uid, None)
        if node.deletes_dependents or node.orphans_dependents:
            self._queue(node.uid)
            if before is None or not before.deleting:
                for dependent in self._graph.dependents(node.uid):
                    self._queue(dependent.uid)
        if node.owners and self._needs_a_visit(node):
            self._queue(node.uid)
        if before is not None:
            self._tell_foreground_owners(before)

    def _needs_a_visit(self, node: Node) -> bool:
        for owner in node.owners:
            known = self._graph.get(owner["uid"])
            if known is None or known.deletes_dependents or known.orphans_dependents:
                return True
        return False

    def _gone(self, uid: str) -> None:
        node = self._graph.remove(uid)
        self._absent[uid] = None
        while len(self._absent) > 500:
            del self._absent[next(iter(self._absent))]
        for dependent in self._graph.dependents(uid):
            self._queue(dependent.uid)
        if node is not None:
            self._tell_foreground_owners(node)

    def _tell_foreground_owners(self, node: Node) -> None:
        for owner in node.owners:
            known = self._graph.get(owner["uid"])
            if known is not None and known.deletes_dependents:
                self._queue(known.uid)

    def _queue(self, uid: str) -> None:
        self._items.queue.add(Key("", uid))

    # ---- one object

    async def _visit(self, key: Key) -> None:
        """Do what one object's owners, dependents and finalizers ask for."""
        node = self._graph.get(key.name)
        if node is None:
            return
        if node.orphans_dependents:
            await self._orphan(node)
        elif node.deletes_dependents:
            await self._delete_dependents_first(node)
        elif not node.deleting and node.owners:
            await self._judge(node)

    async def _judge(self, node: Node) -> None:
        solid: list[dict[str, Any]] = []
        waiting: list[dict[str, Any]] = []
        dangling: list[dict[str, Any]] = []
        for owner in node.owners:
            known = await self._owner(node, owner)
            if known is None:
                dangling.append(owner)
            elif isinstance(known, Node) and known.deletes_dependents and owner.get("blockOwnerDeletion"):
                waiting.append(owner)
            else:
                solid.append(owner)
        if solid:
            if dangling or waiting:
                await self._keep_owners(node, solid)
        elif waiting and self._graph.dependents(node.uid):
            await self._delete(node, "Foreground")
        elif ORPHAN in node.finalizers:
            await self._delete(node, "Orphan")
        elif FOREGROUND in node.finalizers:
            await self._delete(node, "Foreground")
        else:
            await self._delete(node, "Background")

    async def _owner(self, node: Node, owner: dict[str, Any]) -> Node | Literal[True] | None:
        """The owner's node; True when the server has it but no informer does; None when it is gone."""
        known = self._graph.get(owner["uid"])
        if known is not None:
            # A namespaced owner of an object elsewhere is no owner at all.
            return known if known.key.namespace in ("", node.key.namespace) else None
        if owner["uid"] in self._absent:
            return None
        resource = await self._kinds.find(owner["apiVersion"], owner["kind"])
        if resource is None:
            logger.info("%s %s has an owner of the unknown kind %s", node.resource.plural, node.key, owner["kind"])
            return True
        if resource.namespaced and not node.key.namespace:
            return True
        try:
            found = await self._client.get(resource, owner["name"], node.key.namespace if resource.namespaced else None)
        except NotFound:
            self._absent[owner["uid"]] = None
            return None
        if found["metadata"]["uid"] != owner["uid"]:
            self._absent[owner["uid"]] = None
            return None
        return Node.of(resource, found)

    async def _delete(self, node: Node, propagation: Propagation) -> None:
        try:
            await self._client.delete(
                node.resource, node.key.name, node.key.namespace or None, propagation=propagation, uid=node.uid
            )
        except (NotFound, Conflict):
            # Gone already, or another object has its name: the informer will say so.
            return

    async def _keep_owners(self, node: Node, owners: list[dict[str, Any]]) -> None:
        await self._patch(node, {"ownerReferences": owners})

    async def _patch(self, node: Node, metadata: dict[str, Any]) -> None:
        body = {"metadata": {**metadata, "uid": node.uid, "resourceVersion": node.version}}
        try:
            await self._client.patch(node.resource, node.key.name, body, node.key.namespace or None, kind="merge")
        except NotFound:
            return

    async def _delete_dependents_first(self, node: Node) -> None:
        dependents = self._graph.dependents(node.uid)
        for dependent in dependents:
            if not dependent.deleting:
                self._queue(dependent.uid)
        if not any(dependent.blocks(node.uid) for dependent in dependents):
            await self._drop_finalizer(node, FOREGROUND)

    async def _orphan(self, node: Node) -> None:
        for dependent in self._graph.dependents(node.uid):
            kept = [owner for owner in dependent.owners if owner["uid"] != node.uid]
            await self._patch(dependent, {"ownerReferences": kept or None})
        await self._drop_finalizer(node, ORPHAN)

    async def _drop_finalizer(self, node: Node, finalizer: str) -> None:
        try:
            fresh = await self._client.get(node.resource, node.key.name, node.key.namespace or None)
        except NotFound:
            return
        finalizers = fresh["metadata"].get("finalizers") or []
        if fresh["metadata"]["uid"] != node.uid or finalizer not in finalizers:
            return
        await self._patch(
            Node.of(node.resource, fresh), {"finalizers": [each for each in finalizers if each != finalizer]}
        )
