"""Lets claims and volumes go that nothing uses any more. Source: pkg/controller/volume/pvcprotection, pvprotection."""

from __future__ import annotations

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.pods import FINISHED, phase_of
from kaito.embedded.scheduler.volumes import claim_names
from kaito.kube.objects import Key, is_deleting
from kaito.kube.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


class VolumeProtection:
    """Takes the protection finalizers off deleted claims without a pod and deleted volumes without a claim."""

    def __init__(self, cluster: Cluster) -> None:
        self._claims, self._pods = cluster.cache(PERSISTENT_VOLUME_CLAIMS), cluster.cache(PODS)
        self._volumes = cluster.cache(PERSISTENT_VOLUMES)
        self._pods.add_index("claims", _claim_keys)
        cluster.run(
            "persistentvolumeclaim-protection",
            self.release_claim,
            watches={PERSISTENT_VOLUME_CLAIMS: None, PODS: lambda pod: [Key(*k.split("/")) for k in _claim_keys(pod)]},
        )
        cluster.run("persistentvolume-protection", self.release_volume, watches={PERSISTENT_VOLUMES: None})

    async def release_claim(self, key: Key) -> None:
        """Let a deleted claim go when no unfinished pod mounts it."""
        claim = self._claims.get(key)
        if claim is None or not is_deleting(claim):
            return
        users = self._pods.by_index("claims", f"{key.namespace}/{key.name}")
        if all(phase_of(pod) in FINISHED or not pod["spec"].get("nodeName") for pod in users):
            await self._claims.drop_finalizer(claim, CLAIM_FINALIZER)

    async def release_volume(self, key: Key) -> None:
        """Let a deleted volume go when it is not bound."""
        volume = self._volumes.get(key)
        if volume is not None and is_deleting(volume) and (volume.get("status") or {}).get("phase") != "Bound":
            await self._volumes.drop_finalizer(volume, VOLUME_FINALIZER)


def _claim_keys(pod: Object) -> list[str]:
    return [f"{pod['metadata']['namespace']}/{name}" for name in claim_names(pod)]
