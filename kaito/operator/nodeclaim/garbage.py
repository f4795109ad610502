"""Sweeps: machines that no claim wants, claims whose machine vanished, Node objects left behind.

Source of the intervals and the age limit: gpu-provisioner's `instance.garbagecollection` and Karpenter's
`nodeclaim.garbagecollection`.
"""

from __future__ import annotations

import logging

from kaito.api import conditions, labels
from kaito.kube.errors import ApiError
from kaito.kube.objects import is_deleting
from kaito.kube.resources import NODE_CLAIMS, NODES
from kaito.operator.nodeclaim import claims, nodes
from kaito.operator.nodeclaim.lifecycle import delete_claim
from kaito.operator.nodeclaim.termination import remove_node
from kaito.operator.nodeclaim.world import World
from kaito.providers import NodeRecord
from kaito.providers.errors import NotFound, wrapped

logger = logging.getLogger(__name__)


class GarbageCollection:
    """`run` sweeps for ever, `sweep` once."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self) -> None:
        """Sweep every `garbage_seconds`; a sweep that fails is logged and the next one comes."""
        while True:
            await self._world.clock.sleep(self._world.settings.garbage_seconds)
            try:
                await self.sweep()
            except ApiError as error:
                logger.info("garbage collection: %s", error.message)

    async def sweep(self) -> None:
        """Read what there is, from the API server and the provider, not from copies; then remove what is left over."""
        try:
            records = await self._world.provider.list()
        except Exception as caught:
            self._world.log_provider_error(wrapped(caught))
            return
        # Claims after machines: a claim made in between is seen, so its machine is not taken for garbage.
        living = (await self._world.client.list(NODE_CLAIMS)).items
        names = {claim["metadata"]["name"] for claim in living}
        for record in records:
            if record.name not in names and self._is_ours_and_old(record):
                await self._remove(record)
        recorded = {record.provider_id for record in records}
        for claim in living:
            await self._collect_claim(claim, recorded)
        await self._collect_nodes({claim["metadata"]["uid"] for claim in living})

    def _is_ours_and_old(self, record: NodeRecord) -> bool:
        if record.owner is None or record.owner.kind != "NodeClaim":
            return False
        if record.created_at is None:
            return True
        age = (self._world.clock.now() - record.created_at).total_seconds()
        return age >= self._world.settings.garbage_age

    async def _remove(self, record: NodeRecord) -> None:
        logger.warning("machine %s has no NodeClaim: removing it", record.name)
        try:
            await self._world.provider.delete(record.name)
        except NotFound:
            return
        except Exception as caught:
            self._world.log_provider_error(wrapped(caught))

    async def _collect_claim(self, claim: dict[str, object], recorded: set[str | None]) -> None:
        if not claims.is_managed(claim) or is_deleting(claim) or not claims.is_true(claim, conditions.REGISTERED):
            return
        identifier = claims.provider_id(claim)
        if identifier in recorded or any(nodes.is_ready(node) for node in self._world.nodes_of(identifier)):
            return
        await delete_claim(self._world, claim)

    async def _collect_nodes(self, living: set[str]) -> None:
        """Node objects that carry our finalizer and whose claim is no more."""
        for node in (await self._world.client.list(NODES)).items:
            if labels.KARPENTER_FINALIZER not in (node["metadata"].get("finalizers") or ()):
                continue
            owners = [one for one in node["metadata"].get("ownerReferences") or () if one["kind"] == "NodeClaim"]
            if owners and not any(one["uid"] in living for one in owners):
                await remove_node(self._world, node)
