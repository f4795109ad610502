"""Step 3 of a pass: how many nodes, and the NodeClaims for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig, GpuConfigError, from_node_labels
from kaito.api.models import Workspace
from kaito.api.preset import Preset
from kaito.catalog import EstimateError, UnknownPreset, UnknownSku, resolve, sku, target_node_count
from kaito.catalog.skus import find_sku
from kaito.kube.errors import AlreadyExists, ApiError, Conflict, Unreachable
from kaito.kube.objects import is_deleting
from kaito.kube.resources import CONFIG_MAPS, NODE_CLAIMS, NODES
from kaito.operator.manifests import names, selection
from kaito.operator.manifests.choices import preset_name
from kaito.operator.manifests.nodeclaim import DEFAULT_STORAGE, node_claim
from kaito.operator.workspace.context import Blocked, Scope
from kaito.operator.workspace.nodes import NodeView, is_node_ready


def settle_target(scope: Scope) -> None:
    """Set `scope.target`: what the status says, else the estimate. Raises Blocked when it cannot be told."""
    known = int((scope.workspace.get("status") or {}).get("targetNodeCount") or 0)
    if known > 0:
        scope.target = known
        return
    if scope.settings.provisions_nodes and not instance_type(scope.workspace):
        raise Blocked("resource.instanceType is empty; it is required where the operator asks for nodes")
    try:
        scope.target = max(
            1,
            target_node_count(
                Workspace.model_validate(scope.workspace),
                cloud=scope.settings.cloud,
                auto_provisioning=scope.settings.provisions_nodes,
                vllm=scope.settings.vllm_enabled,
                nodes=() if scope.settings.provisions_nodes else scope.store.all(NODES),
                inference_config=_inference_config(scope),
            ),
        )
    except EstimateError as error:
        raise Blocked(
            f"failed to update Workspace status targetNodeCount: failed to calculate target node count: {error}"
        ) from error


def resolve_preset(scope: Scope) -> Preset:
    """The workspace's preset; raises Blocked when there is none of that name."""
    name = preset_name(scope.workspace) or ""
    try:
        return resolve(name)
    except UnknownPreset as error:
        raise Blocked(f"failed to get model by name: {error}") from error


def machine_of(scope: Scope) -> GpuConfig:
    """The GPUs of one of the workspace's nodes: from the SKU table, or for the user's own nodes from their labels."""
    if scope.settings.provisions_nodes:
        try:
            return sku(scope.settings.cloud, instance_type(scope.workspace))
        except UnknownSku as error:
            raise Blocked(str(error)) from error
    problem = "no ready nodes found, unable to determine GPU configuration"
    for node in worker_nodes(scope):
        if not is_node_ready(node):
            continue
        try:
            return from_node_labels(node)
        except GpuConfigError as error:
            problem = f"failed to get GPU config from existing nodes: {error}"
    raise Blocked(problem)


def instance_type(workspace: Mapping[str, Any]) -> str:
    """`resource.instanceType`, empty when unset."""
    return str((workspace.get("resource") or {}).get("instanceType") or "")


def worker_nodes(scope: Scope) -> list[dict[str, Any]]:
    """The nodes that carry the workspace's labels, ready or not."""
    wanted = selection.node_labels(scope.workspace, scope.settings)
    candidates = scope.store.of(NODES, scope.key) if scope.settings.provisions_nodes else scope.store.all(NODES)
    return [node for node in candidates if wanted.items() <= (node["metadata"].get("labels") or {}).items()]


def view_nodes(scope: Scope, needed: int) -> NodeView:
    """The workspace's nodes and claims as they are."""
    provisions = scope.settings.provisions_nodes
    kind = instance_type(scope.workspace)
    return NodeView(
        target=needed,
        instance_type=kind,
        nodes=worker_nodes(scope),
        claims=scope.store.of(NODE_CLAIMS, scope.key) if provisions else None,
        checks_plugins=provisions and find_sku(scope.settings.cloud, kind) is not None,
    )


async def provision_nodes(scope: Scope, needed: int) -> None:
    """Create the NodeClaims that are missing for `needed` nodes.

    Ready nodes that carry the workspace's labels without coming from a node pool count as there. A claim that is being
    deleted still counts until it is gone. Source: Kaito 0.12 `pkg/nodeprovision` (azure-gpu-provisioner).
    """
    own = [node for node in worker_nodes(scope) if labels.NODEPOOL not in (node["metadata"].get("labels") or {})]
    claims = scope.store.of(NODE_CLAIMS, scope.key)
    missing = max(0, needed - sum(is_node_ready(node) for node in own)) - len(claims)
    taken = {claim["metadata"]["name"] for claim in claims}
    index = 0
    while missing > 0:
        if names.node_claim_name(scope.workspace, index) not in taken:
            await _create_claim(scope, index)
            missing -= 1
        index += 1


async def shrink_nodes(scope: Scope, needed: int, busy_nodes: frozenset[str]) -> None:
    """Delete claims beyond `needed`, the newest first, sparing those whose node runs a pod of the workspace."""
    claims = [claim for claim in scope.store.of(NODE_CLAIMS, scope.key) if not is_deleting(claim)]
    idle = [claim for claim in claims if (claim.get("status") or {}).get("nodeName") not in busy_nodes]
    idle.sort(key=lambda claim: str(claim["metadata"].get("creationTimestamp") or ""), reverse=True)
    for claim in idle[: max(0, len(claims) - needed)]:
        await scope.store.delete(NODE_CLAIMS, claim)


async def ensure_accelerator_labels(scope: Scope) -> None:
    """Label ready nodes of the workspace's claims `accelerator=nvidia`, as Kaito's plugin check does."""
    view = view_nodes(scope, scope.target or 0)
    if not view.checks_plugins:
        return
    claimed = {(claim.get("status") or {}).get("nodeName") for claim in view.claims or ()}
    for node in view.nodes:
        metadata = node["metadata"]
        if metadata["name"] in claimed and labels.ACCELERATOR not in (metadata.get("labels") or {}):
            patch = {"metadata": {"labels": {labels.ACCELERATOR: labels.ACCELERATOR_NVIDIA}}}
            await scope.store.patch(NODES, node, patch)


async def _create_claim(scope: Scope, index: int) -> None:
    claim = node_claim(scope.workspace, index, scope.settings, storage=_storage(scope))
    name = claim["metadata"]["name"]
    try:
        await scope.store.create(NODE_CLAIMS, claim)
    except AlreadyExists:
        return
    except (Conflict, Unreachable):
        raise
    except ApiError as error:
        message = f"Failed to create NodeClaim {name} for workspace {scope.name}: {error.message}"
        scope.context.node_events.event(scope.workspace, "Warning", "NodeClaimCreationFailed", message)
        raise
    message = f"Successfully created NodeClaim {name} for workspace {scope.key}"
    scope.context.node_events.event(scope.workspace, "Normal", "NodeClaimCreated", message)


def _storage(scope: Scope) -> str:
    if not (scope.workspace.get("inference") or {}).get("preset"):
        return DEFAULT_STORAGE
    try:
        return resolve_preset(scope).disk or DEFAULT_STORAGE
    except Blocked:
        return DEFAULT_STORAGE


def _inference_config(scope: Scope) -> str | None:
    name = (scope.workspace.get("inference") or {}).get("config")
    config = scope.store.get(CONFIG_MAPS, str(name), scope.namespace) if name else None
    return ((config or {}).get("data") or {}).get(names.INFERENCE_CONFIG_FILE)
