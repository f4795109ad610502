"""The end of a claim: its Node is closed and drained, the machine removed, then the finalizers.

Different from Karpenter on purpose: the provider is asked by name and always, so a claim that is deleted before its
Node appeared leaks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import conditions, labels
from kaito.kube.controller import Result
from kaito.kube.errors import NotFound as ObjectNotFound
from kaito.kube.errors import Throttled as EvictionRefused
from kaito.kube.objects import controller_of, is_deleting, parse_time
from kaito.kube.resources import NODE_CLAIMS, NODES, PODS
from kaito.operator.nodeclaim import claims
from kaito.operator.nodeclaim.status import ClaimStatus
from kaito.operator.nodeclaim.world import World
from kaito.providers.errors import NotFound, wrapped

_DISRUPTED = {"key": labels.DISRUPTED_TAINT, "effect": "NoSchedule"}
_MIRROR = "kubernetes.io/config.mirror"


class Termination:
    """`run` brings a claim that is being deleted one pass further."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, claim: dict[str, Any]) -> Result | None:
        """Close, drain, remove, let go."""
        if labels.KARPENTER_FINALIZER not in (claim["metadata"].get("finalizers") or ()):
            return None
        status = ClaimStatus(claim, self._world.clock.now())
        found = self._world.nodes_of(claims.provider_id(claim))
        if found and await self._machine_exists(claim):
            for node in found:
                await self._close(node)
            left = [pod for node in found for pod in self._drainable(node)]
            if left:
                names = ", ".join(
                    sorted(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in left)[:3]
                )
                status.set_unknown(conditions.DRAINED, "Draining", f"{len(left)} pods left: {names}")
                await self._write(claim, status)
                await self._drain(claim, left)
                return Result(self._world.settings.drain_poll_seconds)
            status.set_true(conditions.DRAINED)
        try:
            await self._world.provider.delete(claim["metadata"]["name"])
        except NotFound:
            await self._let_go(claim, found)
            return None
        except Exception as caught:
            error = wrapped(caught)
            status.set_unknown(conditions.INSTANCE_TERMINATING, error.reason, error.message)
            await self._write(claim, status)
            self._world.events.event(claim, "Warning", error.reason, error.message)
            return Result(error.delay if error.delay is not None else self._world.settings.poll_seconds)
        if not await self._machine_exists(claim):
            await self._let_go(claim, found)  # ended at once: no need to poll for it
            return None
        status.set_true(conditions.INSTANCE_TERMINATING)
        await self._write(claim, status)
        return Result(self._world.settings.poll_seconds)

    async def _machine_exists(self, claim: Mapping[str, Any]) -> bool:
        """Whether there is a machine to drain; a provider that does not answer is taken to have it."""
        try:
            await self._world.provider.get(claim["metadata"]["name"])
        except NotFound:
            return False
        except Exception as caught:
            self._world.log_provider_error(wrapped(caught))
        return True

    async def _close(self, node: Mapping[str, Any]) -> None:
        taints = (node.get("spec") or {}).get("taints") or []
        if any(one["key"] == labels.DISRUPTED_TAINT for one in taints):
            return
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"taints": [*taints, _DISRUPTED]},
        }
        await self._world.client.patch(NODES, node["metadata"]["name"], patch)

    def _drainable(self, node: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [pod for pod in self._world.pods_on(node["metadata"]["name"]) if is_drainable(pod)]

    async def _drain(self, claim: Mapping[str, Any], pods: list[dict[str, Any]]) -> None:
        """Evict; past the claim's grace period delete. Pods that are going already are waited for."""
        limit = claims.duration_seconds((claim.get("spec") or {}).get("terminationGracePeriod"))
        since = parse_time(claim["metadata"]["deletionTimestamp"])
        overdue = limit is not None and (self._world.clock.now() - since).total_seconds() >= limit
        for pod in pods:
            metadata = pod["metadata"]
            try:
                if overdue:
                    await self._world.client.delete(PODS, metadata["name"], metadata["namespace"], grace_seconds=0)
                elif not is_deleting(pod):
                    body = {
                        "apiVersion": "policy/v1",
                        "kind": "Eviction",
                        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
                    }
                    await self._world.client.create_subresource(
                        PODS, metadata["name"], "eviction", body, metadata["namespace"]
                    )
            except (ObjectNotFound, EvictionRefused):
                continue  # gone meanwhile, or held by a disruption budget: the next pass sees

    async def _let_go(self, claim: Mapping[str, Any], found: list[dict[str, Any]]) -> None:
        """The machine is gone: the Node objects go, then the claim."""
        for node in found:
            await remove_node(self._world, node)
        left = [one for one in claim["metadata"]["finalizers"] if one != labels.KARPENTER_FINALIZER]
        patch = {"metadata": {"finalizers": left, "resourceVersion": claim["metadata"]["resourceVersion"]}}
        try:
            await self._world.client.patch(NODE_CLAIMS, claim["metadata"]["name"], patch)
        except ObjectNotFound:
            return

    async def _write(self, claim: dict[str, Any], status: ClaimStatus) -> None:
        if not status.changed:
            return
        body = {
            "metadata": {"resourceVersion": claim["metadata"]["resourceVersion"]},
            "status": {"conditions": status.value["conditions"]},
        }
        written = await self._world.client.patch(NODE_CLAIMS, claim["metadata"]["name"], body, subresource="status")
        claim["metadata"] = written["metadata"]


def is_drainable(pod: Mapping[str, Any]) -> bool:
    """Whether draining has to wait for the pod: not for finished, DaemonSet and mirror pods."""
    if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return False
    if _MIRROR in (pod["metadata"].get("annotations") or {}):
        return False
    owner = controller_of(pod)
    if owner is not None and owner["kind"] in {"DaemonSet", "Node"}:
        return False
    return not any(
        one.get("key") == labels.DISRUPTED_TAINT and one.get("operator", "Equal") in {"Exists", "Equal"}
        for one in (pod.get("spec") or {}).get("tolerations") or ()
    )


async def remove_node(world: World, node: Mapping[str, Any]) -> None:
    """Delete a Node object whose machine is gone, and take our finalizer off it."""
    metadata = node["metadata"]
    try:
        if not is_deleting(node):
            await world.client.delete(NODES, metadata["name"], uid=metadata["uid"])
        present = metadata.get("finalizers") or []
        if labels.KARPENTER_FINALIZER in present:
            left = [one for one in present if one != labels.KARPENTER_FINALIZER]
            await world.client.patch(
                NODES, metadata["name"], {"metadata": {"finalizers": left, "uid": metadata["uid"]}}
            )
    except ObjectNotFound:
        return
