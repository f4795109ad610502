"""Removes pods that no kubelet will ever end. Source: pkg/controller/podgc.

Left out: its limit of 12,500 finished pods, which no testbed reaches.
"""

from __future__ import annotations

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.nodes import NODE_INDEX, node_of
from kaito.embedded.controllers.pods import FINISHED, phase_of
from kaito.kube.controller import Result
from kaito.kube.errors import NotFound
from kaito.kube.objects import Key, format_time, is_deleting, key_of
from kaito.kube.resources import NODES, PODS

QUARANTINE_SECONDS = 40.0
"""How long a node has to be gone before its pods are taken for orphans."""


class PodCollection:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._client, self._clock = cluster.client, cluster.clock
        self._pods, self._nodes = cluster.cache(PODS), cluster.cache(NODES)
        self._pods.add_index(NODE_INDEX, node_of)
        self._gone_since: dict[str, float] = {}
        cluster.run(
            "pod-garbage-collector",
            self.reconcile,
            watches={PODS: self._suspects, NODES: self._pods_on},
        )

    def _suspects(self, pod: Object) -> list[Key]:
        name = pod["spec"].get("nodeName")
        if name:
            return [] if self._nodes.informer.get(name) else [key_of(pod)]
        return [key_of(pod)] if is_deleting(pod) else []

    def _pods_on(self, node: Object) -> list[Key]:
        name = node["metadata"]["name"]
        if self._nodes.informer.get(name) is not None:
            self._gone_since.pop(name, None)
            return []
        return [key_of(pod) for pod in self._pods.by_index(NODE_INDEX, name)]

    async def reconcile(self, key: Key) -> Result | None:
        """Remove one pod when its node is gone for good, or when it was deleted before it had a node."""
        pod = self._pods.get(key)
        if pod is None:
            return None
        name = pod["spec"].get("nodeName")
        if not name:
            if is_deleting(pod):
                await self._remove(pod, None)
            return None
        if self._nodes.get(Key("", name)) is not None:
            return None
        since = self._gone_since.setdefault(name, self._clock.monotonic())
        left = QUARANTINE_SECONDS - (self._clock.monotonic() - since)
        if left > 0:
            return Result(requeue_after=left)
        try:
            await self._client.get(NODES, name)
        except NotFound:
            await self._remove(pod, "PodGC: node no longer exists")
        return None

    async def _remove(self, pod: Object, reason: str | None) -> None:
        """Mark the pod Failed, so that its Job hears of it, and delete it without grace."""
        if phase_of(pod) not in FINISHED:
            status: Object = {"phase": "Failed"}
            if reason is not None:
                condition = {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "DeletionByPodGC",
                    "message": reason,
                }
                condition["lastTransitionTime"] = format_time(self._clock.now())
                status["conditions"] = [condition]
            await self._pods.patch(pod, {"status": status}, kind="strategic", subresource="status")
        await self._pods.delete(pod, grace_seconds=0)
