"""Claims, volumes, storage classes and what CSI drivers report."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.kinds.printing.text import NONE, UNSET, age, created, name

Json = dict[str, Any]
SHORT_MODES: Final = {
    "ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP",
}  # fmt: skip
DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
BETA_DEFAULT_CLASS: Final = "storageclass.beta.kubernetes.io/is-default-class"
BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"


def _modes(modes: list[str] | None) -> str:
    wanted = set(modes or ())
    return ",".join(short for mode, short in SHORT_MODES.items() if mode in wanted)


def _phase(obj: Json) -> str:
    if obj.get("metadata", {}).get("deletionTimestamp"):
        return "Terminating"
    return str(obj.get("status", {}).get("phase", ""))


def _class(obj: Json) -> str:
    annotation = obj.get("metadata", {}).get("annotations", {}).get(BETA_CLASS)
    return str(annotation or obj.get("spec", {}).get("storageClassName") or "")


def claim_row(claim: Json, now: datetime) -> list[Any]:
    spec, status = claim.get("spec", {}), claim.get("status", {})
    volume = spec.get("volumeName", "")
    return [
        name(claim),
        _phase(claim),
        volume,
        status.get("capacity", {}).get("storage", "0") if volume else "",
        _modes(status.get("accessModes")) if volume else "",
        _class(claim),
        spec.get("volumeAttributesClassName") or UNSET,
        age(created(claim), now),
        spec.get("volumeMode") or UNSET,
    ]


def volume_row(volume: Json, now: datetime) -> list[Any]:
    spec, claim = volume.get("spec", {}), volume.get("spec", {}).get("claimRef") or {}
    return [
        name(volume),
        spec.get("capacity", {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(volume),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(volume),
        spec.get("volumeAttributesClassName") or UNSET,
        volume.get("status", {}).get("reason", ""),
        age(created(volume), now),
        spec.get("volumeMode") or UNSET,
    ]


def storage_class_row(storage: Json, now: datetime) -> list[Any]:
    annotations = storage.get("metadata", {}).get("annotations", {})
    marked = "true" in (annotations.get(DEFAULT_CLASS), annotations.get(BETA_DEFAULT_CLASS))
    return [
        name(storage) + (" (default)" if marked else ""),
        storage.get("provisioner", ""),
        storage.get("reclaimPolicy", "Delete"),
        storage.get("volumeBindingMode") or UNSET,
        bool(storage.get("allowVolumeExpansion")),
        age(created(storage), now),
    ]


def csi_driver_row(driver: Json, now: datetime) -> list[Any]:
    spec = driver.get("spec", {})
    modes = ",".join(spec.get("volumeLifecycleModes") or ()) or NONE
    tokens = spec.get("tokenRequests")
    return [
        name(driver),
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        ",".join(token.get("audience", "") for token in tokens) if tokens else UNSET,
        spec.get("requiresRepublish", False),
        modes,
        age(created(driver), now),
    ]


def csi_node_row(node: Json, now: datetime) -> list[Any]:
    return [name(node), len(node.get("spec", {}).get("drivers") or ()), age(created(node), now)]


def attachment_row(attachment: Json, now: datetime) -> list[Any]:
    spec = attachment.get("spec", {})
    return [
        name(attachment),
        spec.get("attacher", ""),
        spec.get("source", {}).get("persistentVolumeName", ""),
        spec.get("nodeName", ""),
        attachment.get("status", {}).get("attached", False),
        age(created(attachment), now),
    ]


def attributes_class_row(attributes: Json, now: datetime) -> list[Any]:
    return [name(attributes), attributes.get("driverName", ""), age(created(attributes), now)]
