"""The graph of who owns whom, kept from informers of every kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.kube.objects import Key, key_of
from kaito.kube.resources import Resource

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
"""Finalizers by which the API server records how an object is to be deleted."""


@dataclass(slots=True)
class Node:
    """What garbage collection needs of one object."""

    resource: Resource
    key: Key
    uid: str
    version: str
    owners: tuple[dict[str, Any], ...]
    finalizers: frozenset[str]
    deleting: bool

    @classmethod
    def of(cls, resource: Resource, obj: Object) -> Node:
        metadata = obj["metadata"]
        return cls(
            resource=resource,
            key=key_of(obj),
            uid=metadata["uid"],
            version=metadata.get("resourceVersion") or "",
            owners=tuple(metadata.get("ownerReferences") or ()),
            finalizers=frozenset(metadata.get("finalizers") or ()),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    @property
    def deletes_dependents(self) -> bool:
        """Being deleted in the foreground: its dependents go first."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        """Being deleted with its dependents kept."""
        return self.deleting and ORPHAN in self.finalizers

    def blocks(self, owner: str) -> bool:
        """Whether this object holds up the foreground deletion of its owner with that uid."""
        return any(each["uid"] == owner and each.get("blockOwnerDeletion") for each in self.owners)


class Graph:
    """All known objects by uid, and the dependents of each owner, known or not."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def get(self, uid: str) -> Node | None:
        """The object with this uid, or None."""
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        """The objects that name this uid as an owner."""
        return [self._nodes[each] for each in self._dependents.get(uid, ())]

    def put(self, node: Node) -> None:
        """Add an object or its new version."""
        before = self._nodes.get(node.uid)
        self._nodes[node.uid] = node
        old = {each["uid"] for each in before.owners} if before else set()
        new = {each["uid"] for each in node.owners}
        self._unlink(node.uid, old - new)
        for owner in new - old:
            self._dependents.setdefault(owner, set()).add(node.uid)

    def remove(self, uid: str) -> Node | None:
        """Take an object out; what it was, or None."""
        node = self._nodes.pop(uid, None)
        if node is not None:
            self._unlink(uid, {each["uid"] for each in node.owners})
        return node

    def _unlink(self, uid: str, owners: Iterable[str]) -> None:
        for owner in owners:
            left = self._dependents.get(owner)
            if left is not None:
                left.discard(uid)
                if not left:
                    del self._dependents[owner]
