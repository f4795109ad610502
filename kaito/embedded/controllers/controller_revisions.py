"""ControllerRevisions: the history of a StatefulSet's or DaemonSet's template. Source: pkg/controller/history."""

from __future__ import annotations

import copy
from typing import Any

from kaito.embedded.controllers.caching import Cache, Object
from kaito.embedded.controllers.claiming import Claimer
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.hashing import object_hash
from kaito.kube.errors import AlreadyExists
from kaito.kube.objects import Key, owner_reference
from kaito.kube.resources import CONTROLLER_REVISIONS, Resource

HASH = "controller.kubernetes.io/hash"
LABEL = "controller-revision-hash"
"""Label of a pod: the revision it was made from."""


def revision_data(owner: Object) -> Object:
    """The patch that brings the owner's template back; `$patch: replace` lets nothing of another template survive."""
    return {"spec": {"template": {**copy.deepcopy(owner["spec"]["template"]), "$patch": "replace"}}}


def template_of(revision: Object) -> dict[str, Any]:
    """The pod template a revision holds."""
    template = dict(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return template


def age(revision: Object) -> tuple[int, str, str]:
    """Sort key, oldest first."""
    metadata = revision["metadata"]
    return revision.get("revision", 0), metadata.get("creationTimestamp") or "", metadata["name"]


class History:
    """The revisions of owners of one kind."""

    def __init__(self, cluster: Cluster, owners: Resource, *, hash_label: str = HASH) -> None:
        self._hash_label = hash_label
        self.cache: Cache = cluster.cache(CONTROLLER_REVISIONS)
        self._claimer = Claimer(cluster.client, owners, self.cache)

    async def of(self, owner: Object) -> list[Object]:
        """The owner's revisions, oldest first."""
        return sorted(await self._claimer.claim(owner, owner["spec"].get("selector")), key=age)

    async def ensure(self, owner: Object, revisions: list[Object], collisions: int) -> tuple[Object, int]:
        """The revision of the owner's current template, made or moved to the end; and the collision count."""
        data = revision_data(owner)
        number = (revisions[-1].get("revision", 0) if revisions else 0) + 1
        same = [each for each in revisions if each.get("data") == data]
        if same:
            if same[-1] is revisions[-1]:
                return same[-1], collisions
            return await self.cache.patch(same[-1], {"revision": number}), collisions
        while True:
            digest = object_hash(data, collisions)
            metadata: dict[str, Any] = {
                "name": f"{owner['metadata']['name'][:223]}-{digest}",
                "namespace": owner["metadata"]["namespace"],
                "labels": {
                    **((owner["spec"]["template"].get("metadata") or {}).get("labels") or {}),
                    self._hash_label: digest,
                },
                "ownerReferences": [owner_reference(owner)],
            }
            if owner["metadata"].get("annotations"):
                metadata["annotations"] = dict(owner["metadata"]["annotations"])
            revision = {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": metadata,
                "data": data,
                "revision": number,
            }
            try:
                return await self.cache.create(revision), collisions
            except AlreadyExists:
                taken = self.cache.get(Key(metadata["namespace"], metadata["name"]))
                if taken is not None and taken.get("data") == data:
                    return taken, collisions
                collisions += 1

    async def truncate(self, revisions: list[Object], live: set[str], limit: int) -> None:
        """Delete the oldest revisions beyond `limit` that no pod and no status (`live` names) refers to."""
        dead = [each for each in revisions if each["metadata"]["name"] not in live]
        for each in dead[: max(0, len(dead) - limit)]:
            await self.cache.delete(each)
