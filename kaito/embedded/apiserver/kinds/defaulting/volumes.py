"""Defaults of pod volumes, persistent volumes, claims and storage classes."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
MODE: Final = 0o644
TOKEN_SECONDS: Final = 3600


def default_volume(volume: Json) -> None:
    if not any(key != "name" for key in volume):
        volume["emptyDir"] = {}
        return
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if (found := volume.get(source)) is not None:
            found.setdefault("defaultMode", MODE)
    _default_fields(volume.get("downwardAPI"))
    for source in (volume.get("projected") or {}).get("sources") or ():
        _default_fields(source.get("downwardAPI"))
        if (token := source.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", TOKEN_SECONDS)
    if (path := volume.get("hostPath")) is not None:
        path.setdefault("type", "")
    if (claim := (volume.get("ephemeral") or {}).get("volumeClaimTemplate")) is not None:
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    if (image := volume.get("image")) is not None:
        tag = image.get("reference", "").rsplit("/", 1)[-1]
        latest = tag.endswith(":latest") or (":" not in tag and "@" not in tag)
        image.setdefault("pullPolicy", "Always" if latest else "IfNotPresent")
    default_sources(volume)


def default_sources(holder: Json) -> None:
    """Network storage sources, which pod volumes and persistent volumes share."""
    if (iscsi := holder.get("iscsi")) is not None:
        iscsi.setdefault("iscsiInterface", "default")
    if (rbd := holder.get("rbd")) is not None:
        for name, value in (("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")):
            rbd.setdefault(name, value)
    if (disk := holder.get("azureDisk")) is not None:
        for name, value in (("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4")):
            disk.setdefault(name, value)
        disk.setdefault("readOnly", False)
    if (scale := holder.get("scaleIO")) is not None:
        for name, value in (("storageMode", "ThinProvisioned"), ("fsType", "xfs")):
            scale.setdefault(name, value)


def _default_fields(source: Json | None) -> None:
    for item in (source or {}).get("items") or ():
        if (field := item.get("fieldRef")) is not None:
            field.setdefault("apiVersion", "v1")


def default_claim(claim: Json) -> None:
    claim.setdefault("status", {}).setdefault("phase", "Pending")
    claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def default_persistent_volume(volume: Json) -> None:
    volume.setdefault("status", {}).setdefault("phase", "Pending")
    spec = volume.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if (path := spec.get("hostPath")) is not None:
        path.setdefault("type", "")
    default_sources(spec)


def default_storage_class(storage: Json) -> None:
    storage.setdefault("reclaimPolicy", "Delete")
    storage.setdefault("volumeBindingMode", "Immediate")


def default_csi_driver(driver: Json) -> None:
    spec = driver.setdefault("spec", {})
    spec.setdefault("attachRequired", True)
    spec.setdefault("podInfoOnMount", False)
    spec.setdefault("storageCapacity", False)
    spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
    spec.setdefault("volumeLifecycleModes", ["Persistent"])
    spec.setdefault("requiresRepublish", False)
    spec.setdefault("seLinuxMount", False)
