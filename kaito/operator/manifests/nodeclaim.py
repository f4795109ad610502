"""The NodeClaims that a workspace asks for nodes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.operator.manifests import names, selection
from kaito.operator.settings import OperatorSettings

DEFAULT_STORAGE = "1024Gi"
"""Disk of a node for templates and tuning, and where a preset states none."""

_NODE_CLASSES: Mapping[str, Mapping[str, str]] = {
    "azure": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"},
    "aws": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
}


def node_claim(
    workspace: Mapping[str, Any], index: int, settings: OperatorSettings, *, storage: str = DEFAULT_STORAGE
) -> dict[str, Any]:
    """The workspace's `index`-th NodeClaim (`karpenter.sh/v1`).

    It has no owner reference: cluster-scoped objects cannot be owned by namespaced ones. The workspace's finalizer sees
    to its deletion. The user's `matchLabels` win where a key clashes, as in Kaito.
    """
    instance_type = str((workspace.get("resource") or {}).get("instanceType") or "")
    image_family = names.annotation(workspace, labels.NODE_IMAGE_FAMILY) or settings.default_image_family
    requirements: list[dict[str, Any]] = [
        {"key": labels.NODEPOOL, "operator": "In", "values": [labels.NODEPOOL_KAITO]},
        {"key": labels.INSTANCE_TYPE, "operator": "In", "values": [instance_type]},
        {"key": labels.OS, "operator": "In", "values": ["linux"]},
    ]
    if settings.cloud == "azure":
        requirements.append({"key": "karpenter.azure.com/sku-name", "operator": "In", "values": [instance_type]})
    elif settings.cloud == "aws":
        requirements.append({"key": "karpenter.k8s.aws/instance-gpu-count", "operator": "Gt", "values": ["0"]})
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {
            "name": names.node_claim_name(workspace, index),
            "labels": {labels.NODEPOOL: labels.NODEPOOL_KAITO}
            | selection.ownership_labels(workspace)
            | selection.match_labels(workspace),
            "annotations": {
                labels.DO_NOT_DISRUPT: "true",
                labels.NODE_IMAGE_FAMILY: image_family.strip().lower(),
            },
        },
        "spec": {
            "expireAfter": "Never",
            "nodeClassRef": dict(_NODE_CLASSES.get(settings.cloud, {"group": "", "kind": "", "name": "default"})),
            "requirements": requirements,
            "resources": {"requests": {"storage": storage}},
            "taints": [{"key": labels.GPU_TAINT_KEY, "value": labels.GPU_TAINT_VALUE, "effect": "NoSchedule"}],
        },
    }
