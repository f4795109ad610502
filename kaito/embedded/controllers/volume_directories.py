"""Provisioned volumes: a directory each, and the default storage class that gives them out."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.kube.errors import AlreadyExists
from kaito.kube.resources import STORAGE_CLASSES

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "testbed.kaito.sh/directory"
PROVISIONERS = frozenset({PROVISIONER, "rancher.io/local-path", "localdisk.csi.acstor.io"})
"""Provisioners whose claims get a directory: ours, kind's, and that of Kaito's class for local NVMe disks."""
DEFAULT_CLASS: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


class VolumeDirectories:
    """The folders of provisioned volumes below one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def make(self, claim: Object) -> Path:
        """Make the folder of a claim, if it is not there."""
        metadata = claim["metadata"]
        path = self._root / f"pvc-{metadata['uid']}_{metadata['namespace']}_{metadata['name']}"
        await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
        return path.absolute()

    async def remove(self, volume: Object) -> None:
        """Remove a provisioned volume's folder with its content; a path that is not below the root is left alone."""
        path = Path((volume["spec"].get("hostPath") or {}).get("path") or "/")
        if path.parent == self._root.absolute():
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


def new_volume(claim: Object, storage_class: Object, path: Path) -> Object:
    """The PersistentVolume for a claim.

    It has no node affinity: every node of the process kubelet is on this machine and reaches the folder.
    """
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{metadata['uid']}",
            "annotations": {PROVISIONED_BY: storage_class["provisioner"]},
        },
        "spec": {
            "capacity": dict((spec.get("resources") or {}).get("requests") or {"storage": "1Gi"}),
            "accessModes": list(spec.get("accessModes") or ["ReadWriteOnce"]),
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": spec.get("volumeMode") or "Filesystem",
            "hostPath": {"path": str(path), "type": "DirectoryOrCreate"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        },
    }


def add_default_class(cluster: Cluster) -> None:
    """Make the class `standard` once at the start, unless the cluster has a default class already."""
    classes = cluster.cache(STORAGE_CLASSES)

    async def make() -> None:
        await classes.informer.synced.wait()
        annotation = "storageclass.kubernetes.io/is-default-class"
        if any((each["metadata"].get("annotations") or {}).get(annotation) == "true" for each in classes.all()):
            return
        try:
            await classes.create(DEFAULT_CLASS)
        except AlreadyExists:
            return

    cluster.manager.add_background(make)
