"""Which nodes a workspace's pods may use: affinity, tolerations, and the labels that its nodes carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.operator.manifests import names
from kaito.operator.settings import OperatorSettings

_INHERITED = (labels.INFERENCESET_CREATED_BY, names.MULTI_ROLE_CREATED_BY, labels.INFERENCE_ROLE)
"""Labels of a workspace that its pods and their selectors carry too: they name the parent it belongs to."""


def match_labels(workspace: Mapping[str, Any]) -> dict[str, str]:
    """The user's `matchLabels` without the reserved ownership keys; `matchExpressions` take no part, as in Kaito."""
    selector = (workspace.get("resource") or {}).get("labelSelector") or {}
    return labels.selector_labels(selector.get("matchLabels"))


def ownership_labels(workspace: Mapping[str, Any]) -> dict[str, str]:
    """The labels that mark a node claim and its node as this workspace's."""
    return {
        labels.WORKSPACE_NAME: names.name_of(workspace),
        labels.WORKSPACE_NAMESPACE: names.namespace_of(workspace),
    }


def node_labels(workspace: Mapping[str, Any], settings: OperatorSettings) -> dict[str, str]:
    """The labels a node must have to count as the workspace's: the user's, and with node provisioning the owner's."""
    wanted = match_labels(workspace)
    return wanted | ownership_labels(workspace) if settings.provisions_nodes else wanted


def pod_labels(workspace: Mapping[str, Any]) -> dict[str, str]:
    """The labels of the workspace's pods, which are also what its StatefulSet selects."""
    own = workspace["metadata"].get("labels") or {}
    inherited = {key: str(own[key]) for key in _INHERITED if key in own}
    return {labels.WORKSPACE_NAME: names.name_of(workspace)} | inherited


def affinity(wanted: Mapping[str, str]) -> dict[str, Any] | None:
    """A required node affinity of one `In` expression for each label; None without labels."""
    if not wanted:
        return None
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in wanted.items()]
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        }
    }


def serving_tolerations(settings: OperatorSettings) -> list[dict[str, Any]]:
    """What inference pods tolerate."""
    return [
        {"key": labels.GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"},
        {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
        *_spot(settings),
    ]


def tuning_tolerations(settings: OperatorSettings) -> list[dict[str, Any]]:
    """What tuning pods tolerate: not quite the same list, as in Kaito."""
    return [
        {"key": "gpu", "operator": "Equal", "effect": "NoSchedule"},
        {"key": "sku", "value": "gpu", "effect": "NoSchedule"},
        *_spot(settings),
    ]


def _spot(settings: OperatorSettings) -> list[dict[str, Any]]:
    if settings.cloud != "azure":
        return []
    return [{"key": labels.AKS_SCALE_SET_PRIORITY, "operator": "Equal", "value": "spot", "effect": "NoSchedule"}]
