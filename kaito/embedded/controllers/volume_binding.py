"""Claims and volumes brought together. Source: pkg/controller/volume/persistentvolume."""

from __future__ import annotations

from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.volume_directories import PROVISIONED_BY, PROVISIONERS, VolumeDirectories, new_volume
from kaito.embedded.scheduler.volumes import SELECTED_NODE, volume_fits
from kaito.kube.errors import AlreadyExists, NotFound
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.kube.quantities import parse_quantity
from kaito.kube.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
IS_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class VolumeBinding:
    """Two reconcilers: claims find or get a volume, volumes follow the fate of their claim."""

    def __init__(self, cluster: Cluster, directories: VolumeDirectories) -> None:
        self._client, self._directories = cluster.client, directories
        self._claims = cluster.cache(PERSISTENT_VOLUME_CLAIMS)
        self._volumes, self._classes = cluster.cache(PERSISTENT_VOLUMES), cluster.cache(STORAGE_CLASSES)
        self._claims.add_index("class", lambda claim: [claim["spec"].get("storageClassName") or ""])
        self._events = cluster.recorder("persistentvolume-controller")
        cluster.run(
            "persistentvolume-binder-claims",
            self.reconcile_claim,
            watches={
                PERSISTENT_VOLUME_CLAIMS: None,
                PERSISTENT_VOLUMES: self._claims_for,
                STORAGE_CLASSES: lambda kind: [key_of(c) for c in self._unbound(kind["metadata"]["name"], "")],
            },
        )
        cluster.run(
            "persistentvolume-binder",
            self.reconcile_volume,
            watches={PERSISTENT_VOLUMES: None, PERSISTENT_VOLUME_CLAIMS: _volume_of},
            needs=[STORAGE_CLASSES],
        )

    def _unbound(self, *classes: str) -> list[Object]:
        return [
            claim
            for name in classes
            for claim in self._claims.informer.by_index("class", name)
            if _phase(claim) != "Bound"
        ]

    def _claims_for(self, volume: Object) -> list[Key]:
        reference = volume["spec"].get("claimRef")
        if reference:
            return [Key(reference["namespace"], reference["name"])]
        return [key_of(claim) for claim in self._unbound(volume["spec"].get("storageClassName") or "")]

    # ---- claims

    async def reconcile_claim(self, key: Key) -> None:
        """Bind one claim: to the volume it names, to one that fits, or to a directory made for it."""
        claim = self._claims.get(key)
        if claim is None or is_deleting(claim):
            return
        name = claim["spec"].get("volumeName")
        if _phase(claim) == "Bound":
            if name and self._volumes.get(Key("", name)) is None:
                await self._lose(claim)
            return
        if _phase(claim) == "Lost":
            return
        if not _phase(claim):
            claim = await self._claims.update_status(claim, {"phase": "Pending"})
        if claim["spec"].get("storageClassName") is None:
            claim = await self._with_default_class(claim)
        if name:
            volume = self._volumes.get(Key("", name))
            if volume is not None and _may_take(volume, claim):
                await self._bind(claim, volume)
            return
        volume = self._find(claim)
        if volume is not None:
            await self._bind(claim, volume)
        else:
            await self._provision(claim)

    async def _with_default_class(self, claim: Object) -> Object:
        for kind in self._classes.all():
            if (kind["metadata"].get("annotations") or {}).get(IS_DEFAULT_CLASS) == "true":
                return await self._claims.patch(claim, {"spec": {"storageClassName": kind["metadata"]["name"]}})
        return claim

    def _find(self, claim: Object) -> Object | None:
        """The volume that is reserved for the claim, or the smallest free one that fits (once a node is chosen)."""
        fitting = [volume for volume in self._volumes.all() if volume_fits(volume, claim) and not is_deleting(volume)]
        reserved = [volume for volume in fitting if volume["spec"].get("claimRef")]
        if reserved:
            return reserved[0]
        if self._waits_for_consumer(claim):
            return None
        return min(fitting, key=_size, default=None)

    def _waits_for_consumer(self, claim: Object) -> bool:
        kind = self._classes.get(Key("", claim["spec"].get("storageClassName") or ""))
        waits = kind is not None and kind.get("volumeBindingMode") == "WaitForFirstConsumer"
        return waits and SELECTED_NODE not in (claim["metadata"].get("annotations") or {})

    async def _provision(self, claim: Object) -> None:
        class_name = claim["spec"].get("storageClassName")
        kind = self._classes.get(Key("", class_name or ""))
        if kind is None:
            if class_name:
                self._say(
                    claim, "Warning", "ProvisioningFailed", f'storageclass.storage.k8s.io "{class_name}" not found'
                )
            else:
                message = "no persistent volumes available for this claim and no storage class is set"
                self._say(claim, "Normal", "FailedBinding", message)
            return
        if self._waits_for_consumer(claim):
            message = "waiting for first consumer to be created before binding"
            self._say(claim, "Normal", "WaitForFirstConsumer", message)
            return
        provisioner = kind["provisioner"]
        if (claim["metadata"].get("annotations") or {}).get(STORAGE_PROVISIONER) != provisioner:
            claim = await self._claims.patch(claim, {"metadata": {"annotations": {STORAGE_PROVISIONER: provisioner}}})
        if provisioner not in PROVISIONERS:
            self._say(
                claim,
                "Normal",
                "ExternalProvisioning",
                f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually "
                "by the system administrator. If volume creation is delayed, please verify that the provisioner is "
                "running and correctly registered.",
            )
            return
        path = await self._directories.make(claim)
        try:
            volume = await self._volumes.create(new_volume(claim, kind, path))
        except AlreadyExists:
            return
        self._say(
            claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {volume['metadata']['name']}"
        )
        await self._bind(claim, volume)

    async def _bind(self, claim: Object, volume: Object) -> None:
        """Point volume and claim at each other, step by step; what a crash leaves undone is done by the next look."""
        metadata = claim["metadata"]
        reference = volume["spec"].get("claimRef") or {}
        if reference.get("uid") != metadata["uid"]:
            wanted = {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            }
            patch: dict[str, Any] = {"resourceVersion": volume["metadata"]["resourceVersion"]}
            if not reference:
                patch["annotations"] = {BOUND_BY_CONTROLLER: "yes"}
            volume = await self._volumes.patch(volume, {"metadata": patch, "spec": {"claimRef": wanted}})
        name = volume["metadata"]["name"]
        annotations = {BIND_COMPLETED: "yes"}
        if not claim["spec"].get("volumeName"):
            annotations[BOUND_BY_CONTROLLER] = "yes"
        claim = await self._claims.patch(
            claim, {"metadata": {"annotations": annotations}, "spec": {"volumeName": name}}
        )
        spec = volume["spec"]
        status = {"phase": "Bound", "accessModes": spec.get("accessModes"), "capacity": spec.get("capacity")}
        await self._claims.update_status(claim, {**(claim.get("status") or {}), **status})

    async def _lose(self, claim: Object) -> None:
        name = claim["spec"]["volumeName"]
        try:
            await self._client.get(PERSISTENT_VOLUMES, name)
        except NotFound:
            await self._claims.update_status(claim, {"phase": "Lost"})
            message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
            self._say(claim, "Warning", "ClaimLost", message)

    def _say(self, claim: Object, kind: Any, reason: str, message: str) -> None:
        self._events.event(claim, kind, reason, message)

    # ---- volumes

    async def reconcile_volume(self, key: Key) -> None:
        """Keep one volume's phase, and do what its reclaim policy says once its claim is gone."""
        volume = self._volumes.get(key)
        if volume is None or is_deleting(volume):
            return
        reference = volume["spec"].get("claimRef")
        if not reference or not reference.get("uid"):
            await self._set_phase(volume, "Available")
            return
        claim = self._claims.get(Key(reference["namespace"], reference["name"]))
        if claim is None or claim["metadata"]["uid"] != reference["uid"]:
            if await self._claim_exists(reference):
                return
            await self._set_phase(volume, "Released")
            if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and _is_ours(volume):
                await self._directories.remove(volume)
                await self._volumes.delete(volume)
        elif claim["spec"].get("volumeName") in (None, "", key.name):
            await self._set_phase(volume, "Bound")

    async def _claim_exists(self, reference: dict[str, Any]) -> bool:
        """Ask the server itself before data is removed."""
        try:
            claim = await self._client.get(PERSISTENT_VOLUME_CLAIMS, reference["name"], reference["namespace"])
        except NotFound:
            return False
        return bool(claim["metadata"]["uid"] == reference["uid"])

    async def _set_phase(self, volume: Object, phase: str) -> None:
        if _phase(volume) != phase:
            await self._volumes.update_status(volume, {"phase": phase})


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase") or "")


def _size(volume: Object) -> tuple[Any, str]:
    capacity = volume["spec"].get("capacity") or {}
    return parse_quantity(capacity.get("storage", "0")), volume["metadata"]["name"]


def _may_take(volume: Object, claim: Object) -> bool:
    reference = volume["spec"].get("claimRef")
    metadata = claim["metadata"]
    if not reference:
        return True
    return (reference["namespace"], reference["name"]) == (metadata["namespace"], metadata["name"]) and reference.get(
        "uid"
    ) in (None, "", metadata["uid"])


def _is_ours(volume: Object) -> bool:
    return (volume["metadata"].get("annotations") or {}).get(PROVISIONED_BY) in PROVISIONERS


def _volume_of(claim: Object) -> list[Key]:
    name = claim["spec"].get("volumeName")
    return [Key("", name)] if name else []
