"""The CustomResourceDefinition objects around the schemas: names, versions, columns, subresources."""

from __future__ import annotations

from typing import Any

from kaito.api.crds.schema import structural_schema
from kaito.api.models import InferenceSet, InferenceSetV1Alpha1, NodeClaim, Workspace, WorkspaceV1Alpha1
from kaito.api.models.base import ApiModel


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "jsonPath": path, "type": kind}
    if wide:
        column["priority"] = 1
    return column


def _condition(name: str, *, wide: bool = False) -> dict[str, Any]:
    return _column(name, f'.status.conditions[?(@.type=="{name}")].status', wide=wide)


_AGE = _column("Age", ".metadata.creationTimestamp", "date")

# The quick start's columns; Kaito 0.12 prints others (docs/deviations.md).
_WORKSPACE_COLUMNS = [
    _column("Instance", ".resource.instanceType"),
    _condition("ResourceReady"),
    _condition("InferenceReady"),
    _condition("WorkspaceReady"),
    _AGE,
    _condition("JobStarted", wide=True),
    _column("State", ".status.state", wide=True),
    _column("Nodes", ".status.workerNodes", wide=True),
]
_INFERENCESET_COLUMNS = [
    _column("Replicas", ".spec.replicas", "integer"),
    _column("ReadyReplicas", ".status.readyReplicas", "integer"),
    _AGE,
]
_NODECLAIM_COLUMNS = [
    _column("Type", r".metadata.labels.node\.kubernetes\.io/instance-type"),
    _column("Capacity", r".metadata.labels.karpenter\.sh/capacity-type"),
    _column("Zone", r".metadata.labels.topology\.kubernetes\.io/zone"),
    _column("Node", ".status.nodeName"),
    _condition("Ready"),
    _AGE,
    _column("ImageID", ".status.imageID", wide=True),
    _column("ID", ".status.providerID", wide=True),
    _column("NodePool", r".metadata.labels.karpenter\.sh/nodepool", wide=True),
    _column("NodeClass", ".spec.nodeClassRef.name", wide=True),
    _condition("Drifted", wide=True),
]


def _version(
    model: type[ApiModel], columns: list[dict[str, Any]], *, storage: bool, scale: bool = False
) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if scale:
        subresources["scale"] = {
            "labelSelectorPath": ".status.selector",
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
        }
    version = str(model.API_VERSION).rpartition("/")[2]  # type: ignore[attr-defined]
    return {
        "name": version,
        "served": True,
        "storage": storage,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": structural_schema(model)},
        "subresources": subresources,
    }


def _definition(group: str, scope: str, names: dict[str, Any], versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "names": names, "scope": scope, "versions": versions},
    }


def definitions() -> dict[str, dict[str, Any]]:
    """Every CRD by the name of its file."""
    return {
        "kaito.sh_workspaces.yaml": _definition(
            "kaito.sh",
            "Namespaced",
            {
                "kind": "Workspace",
                "listKind": "WorkspaceList",
                "plural": "workspaces",
                "singular": "workspace",
                "shortNames": ["wk", "wks"],
                "categories": ["workspace"],
            },
            [
                _version(WorkspaceV1Alpha1, _WORKSPACE_COLUMNS, storage=False),
                _version(Workspace, _WORKSPACE_COLUMNS, storage=True),
            ],
        ),
        "kaito.sh_inferencesets.yaml": _definition(
            "kaito.sh",
            "Namespaced",
            {
                "kind": "InferenceSet",
                "listKind": "InferenceSetList",
                "plural": "inferencesets",
                "singular": "inferenceset",
                "shortNames": ["is", "isets"],
                "categories": ["inferenceset"],
            },
            [
                _version(InferenceSetV1Alpha1, _INFERENCESET_COLUMNS, storage=False, scale=True),
                _version(InferenceSet, _INFERENCESET_COLUMNS, storage=True, scale=True),
            ],
        ),
        "karpenter.sh_nodeclaims.yaml": _definition(
            "karpenter.sh",
            "Cluster",
            {
                "kind": "NodeClaim",
                "listKind": "NodeClaimList",
                "plural": "nodeclaims",
                "singular": "nodeclaim",
                "categories": ["karpenter"],
            },
            [_version(NodeClaim, _NODECLAIM_COLUMNS, storage=True)],
        ),
    }
