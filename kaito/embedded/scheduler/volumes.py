"""What a pod's persistent volume claims ask of a node. Source: kube-scheduler's VolumeBinding plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kaito.embedded.scheduler.cluster_state import NodeInfo
from kaito.embedded.scheduler.node_affinity import matches_node_selector
from kaito.kube.objects import matches_labels
from kaito.kube.quantities import parse_quantity

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""Annotation that tells the provisioner of a WaitForFirstConsumer claim which node was chosen."""

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
WRONG_NODE = "node(s) didn't match PersistentVolume's node affinity"
NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"
LOST_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"

Lookup = Callable[[str], Mapping[str, Any] | None]


def claim_names(pod: Mapping[str, Any]) -> list[str]:
    """Names of the claims a pod mounts, generic ephemeral volumes included."""
    return [
        volume["persistentVolumeClaim"]["claimName"]
        if volume.get("persistentVolumeClaim")
        else f"{pod['metadata']['name']}-{volume['name']}"
        for volume in pod["spec"].get("volumes") or ()
        if volume.get("persistentVolumeClaim") or volume.get("ephemeral")
    ]


@dataclass(slots=True)
class PodVolumes:
    """The claims of one pod, looked up once."""

    problem: str | None = None
    """Why no node at all can take the pod, or None."""
    bound: list[Mapping[str, Any] | None] = field(default_factory=list)
    """PersistentVolumes of bound claims; None where the volume is gone."""
    waiting: list[Mapping[str, Any]] = field(default_factory=list)
    """Unbound claims of a WaitForFirstConsumer class: bound once a node is chosen."""
    static: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """For a waiting claim whose class cannot provision: the free volumes that fit it, by claim name."""

    @classmethod
    def of(
        cls,
        pod: Mapping[str, Any],
        claim: Lookup,
        volume: Lookup,
        storage_class: Lookup,
        volumes: Callable[[], list[dict[str, Any]]],
    ) -> PodVolumes:
        found = cls()
        for name in claim_names(pod):
            pvc = claim(name)
            if pvc is None:
                found.problem = f'persistentvolumeclaim "{name}" not found'
                return found
            if pvc["metadata"].get("deletionTimestamp"):
                found.problem = f'persistentvolumeclaim "{name}" is being deleted'
                return found
            volume_name = pvc["spec"].get("volumeName")
            if (pvc.get("status") or {}).get("phase") == "Lost":
                found.problem = f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume_name}"'
                return found
            if volume_name and (pvc.get("status") or {}).get("phase") == "Bound":
                found.bound.append(volume(volume_name))
                continue
            kind = storage_class(pvc["spec"].get("storageClassName") or "")
            if kind is None or kind.get("volumeBindingMode") != "WaitForFirstConsumer":
                found.problem = UNBOUND
                return found
            found.waiting.append(pvc)
            if kind.get("provisioner") == "kubernetes.io/no-provisioner":
                found.static[name] = [pv for pv in volumes() if volume_fits(pv, pvc)]
        return found

    def refuses(self, node: NodeInfo) -> tuple[str, bool] | None:
        """The reason why the pod may not go to the node, with whether it is final for preemption; None when it may."""
        for volume in self.bound:
            if volume is None:
                return LOST_VOLUME, True
            if not volume_reaches(volume, node.node):
                return WRONG_NODE, True
        for candidates in self.static.values():
            if not any(volume_reaches(pv, node.node) for pv in candidates):
                return NOTHING_TO_BIND, True
        return None


def volume_reaches(volume: Mapping[str, Any], node: Mapping[str, Any] | None) -> bool:
    """Whether a PersistentVolume's node affinity allows the node."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or (node is not None and matches_node_selector(required, node))


def volume_fits(volume: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Whether a PersistentVolume is free (or reserved for this claim) and satisfies the claim's demands."""
    spec, wanted = volume["spec"], claim["spec"]
    reference = spec.get("claimRef")
    metadata = claim["metadata"]
    if reference is not None and (reference.get("namespace"), reference.get("name")) != (
        metadata["namespace"],
        metadata["name"],
    ):
        return False
    if reference is not None and reference.get("uid") not in (None, "", metadata.get("uid")):
        return False
    if reference is None and (volume.get("status") or {}).get("phase") not in ("Available", None):
        return False
    if (spec.get("storageClassName") or "") != (wanted.get("storageClassName") or ""):
        return False
    if (spec.get("volumeMode") or "Filesystem") != (wanted.get("volumeMode") or "Filesystem"):
        return False
    if not set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ()):
        return False
    selector = wanted.get("selector")
    if selector is not None and not matches_labels(selector, volume["metadata"].get("labels")):
        return False
    size = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0")
    return parse_quantity((spec.get("capacity") or {}).get("storage", "0")) >= parse_quantity(size)
