"""Adoption and release of children by label selector. Source: kube-controller-manager's controller ref manager."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kaito.embedded.controllers.caching import Cache, Object
from kaito.kube.client import KubeClient
from kaito.kube.errors import NotFound
from kaito.kube.objects import Key, controller_of, is_deleting, key_of, matches_labels, owner_reference
from kaito.kube.resources import Resource


class Claimer:
    """Brings the children of one owner kind in line with its selector."""

    def __init__(self, client: KubeClient, owners: Resource, children: Cache) -> None:
        self._client, self._owners, self._children = client, owners, children

    async def claim(self, owner: Object, selector: dict[str, Any] | None) -> list[Object]:
        """The owner's children; orphans that match are adopted, children that no longer match are released."""
        claimed: list[Object] = []
        for child in self._children.controlled_by(owner):
            if matches_labels(selector, child["metadata"].get("labels")):
                claimed.append(child)
            elif not is_deleting(owner):
                await self._release(owner, child)
        if is_deleting(owner):
            return claimed
        allowed: bool | None = None
        for child in self._children.orphans(owner["metadata"]["namespace"]):
            if is_deleting(child) or not matches_labels(selector, child["metadata"].get("labels")):
                continue
            if allowed is None:
                allowed = await self._may_adopt(owner)
            if allowed:
                adopted = await self._adopt(owner, child)
                if adopted is not None:
                    claimed.append(adopted)
        return claimed

    async def _may_adopt(self, owner: Object) -> bool:
        """Ask the server itself: a cached owner may have been deleted, and its orphans must stay orphans."""
        key = key_of(owner)
        try:
            fresh = await self._client.get(self._owners, key.name, key.namespace)
        except NotFound:
            return False
        return bool(fresh["metadata"]["uid"] == owner["metadata"]["uid"] and not is_deleting(fresh))

    async def _adopt(self, owner: Object, child: Object) -> Object | None:
        references = [*(child["metadata"].get("ownerReferences") or ()), owner_reference(owner)]
        return await self._set_references(child, references)

    async def _release(self, owner: Object, child: Object) -> None:
        uid = owner["metadata"]["uid"]
        await self._set_references(child, [r for r in child["metadata"]["ownerReferences"] if r["uid"] != uid])

    async def _set_references(self, child: Object, references: list[dict[str, Any]]) -> Object | None:
        version = child["metadata"]["resourceVersion"]
        try:
            return await self._children.patch(
                child, {"metadata": {"ownerReferences": references or None, "resourceVersion": version}}
            )
        except NotFound:
            return None


def owners_of(owners: Cache, kind: str, selector_of: str = "selector") -> Any:
    """A key map: a child's controller of `kind`, or for an orphan every owner beside it whose selector matches."""

    def keys(child: Object) -> Iterable[Key]:
        namespace = child["metadata"].get("namespace") or ""
        controller = controller_of(child)
        if controller is not None:
            return [Key(namespace, controller["name"])] if controller["kind"] == kind else []
        labels = child["metadata"].get("labels")
        if not labels or is_deleting(child):
            return []
        return [
            key_of(owner)
            for owner in owners.informer.list(namespace)
            if matches_labels(owner["spec"].get(selector_of), labels)
        ]

    return keys
