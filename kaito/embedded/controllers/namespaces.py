"""Namespace deletion: empties the namespace, then lets it go. Source: pkg/controller/namespace/deletion."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import Condition, condition, find
from kaito.embedded.controllers.kinds import Kind, Kinds
from kaito.kube.controller import Result
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.objects import Key, is_deleting
from kaito.kube.resources import NAMESPACES, PODS

FINALIZER = "kubernetes"
AGAIN_SECONDS = 0.5
"""How soon a namespace whose content is still ending is looked at again; the real controller guesses up to 15 s."""


class Namespaces:
    """The reconciler."""

    def __init__(self, cluster: Cluster, kinds: Kinds) -> None:
        self._client, self._clock = cluster.client, cluster.clock
        self._namespaces, self._kinds = cluster.cache(NAMESPACES), kinds
        cluster.run("namespace", self.reconcile, watches={NAMESPACES: None}, needs=[kinds.definitions.resource])

    async def reconcile(self, key: Key) -> Result | None:
        """Delete everything in a terminating namespace, pods first; drop its finalizer when nothing is left."""
        namespace = self._namespaces.get(key)
        if namespace is None or not is_deleting(namespace):
            return None
        if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
            return None
        failures: list[str] = []
        kinds = [k for k in await self._kinds.all() if k.resource.namespaced and {"list", "delete"} <= k.verbs]
        pods = next(k for k in kinds if k.resource == PODS)
        remaining = await self._empty([pods], key.name, failures)
        if not remaining:
            # What a running pod may need is kept until no pod runs (KEP-5080).
            remaining = await self._empty([k for k in kinds if k.resource != PODS], key.name, failures)
        conditions = _conditions(namespace, remaining, failures, self._clock.now())
        namespace = await self._namespaces.update_status(
            namespace, {**(namespace.get("status") or {}), "phase": "Terminating", "conditions": conditions}
        )
        if remaining or failures:
            return Result(requeue_after=AGAIN_SECONDS)
        await self._finalize(namespace)
        return None

    async def _empty(self, kinds: list[Kind], namespace: str, failures: list[str]) -> dict[str, list[Object]]:
        """Ask for the deletion of all objects of these kinds; what is there afterwards, by qualified resource name."""
        found = await asyncio.gather(*(self._empty_kind(kind, namespace, failures) for kind in kinds))
        return {kind.resource.qualified: left for kind, left in zip(kinds, found, strict=True) if left}

    async def _empty_kind(self, kind: Kind, namespace: str, failures: list[str]) -> list[Object]:
        resource = kind.resource
        try:
            objects = (await self._client.list(resource, namespace)).items
            if not objects:
                return []
            doomed = [obj for obj in objects if not is_deleting(obj)]
            for obj in doomed:
                await self._delete(kind, obj)
            return (await self._client.list(resource, namespace)).items if doomed else objects
        except NotFound:
            return []
        except ApiError as error:
            failures.append(error.message)
            return []

    async def _delete(self, kind: Kind, obj: Object) -> None:
        metadata = obj["metadata"]
        try:
            await self._client.delete(
                kind.resource, metadata["name"], metadata["namespace"], propagation="Background", uid=metadata["uid"]
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _finalize(self, namespace: Object) -> None:
        rest = [each for each in namespace["spec"].get("finalizers") or () if each != FINALIZER]
        body = {**namespace, "spec": {**namespace["spec"], "finalizers": rest}}
        try:
            await self._client.update(NAMESPACES, body, subresource="finalize")
        except NotFound:
            return


def _conditions(
    namespace: Object, remaining: dict[str, list[Object]], failures: list[str], now: Any
) -> list[Condition]:
    counts = ", ".join(f"{name} has {len(left)} resource instances" for name, left in sorted(remaining.items()))
    finalizers = Counter(
        finalizer
        for left in remaining.values()
        for obj in left
        for finalizer in obj["metadata"].get("finalizers") or ()
    )
    held = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    wanted = [
        ("NamespaceDeletionDiscoveryFailure", "", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            f"Failed to delete all resource types, {len(failures)} remaining: {', '.join(failures)}"
            if failures
            else "",
            "ContentDeletionFailed" if failures else "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            f"Some resources are remaining: {counts}" if counts else "",
            "SomeResourcesRemain" if counts else "ContentRemoved",
            "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            f"Some content in the namespace has finalizers remaining: {held}" if held else "",
            "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]
    before = (namespace.get("status") or {}).get("conditions") or []
    result: list[Condition] = []
    for kind, problem, reason, fine in wanted:
        fresh = condition(kind, "True" if problem else "False", reason, problem or fine, now)
        old = find(before, kind)
        if old is not None and old["status"] == fresh["status"]:
            fresh["lastTransitionTime"] = old["lastTransitionTime"]
        result.append(fresh)
    return result
