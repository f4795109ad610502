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
from kaito.operator.workspace.context import Blocked, Pass
from kaito.operator.workspace.nodes import NodeView, is_node_ready


def settle_target(step: Pass) -> None:
    """Set `step.target`: what the status says, else the estimate. Raises Blocked when it cannot be told."""
    known = int((step.workspace.get("status") or {}).get("targetNodeCount") or 0)
    if known > 0:
        step.target = known
        return
    if step.settings.provisions_nodes and not instance_type(step.workspace):
        raise Blocked("resource.instanceType is empty; it is required where the operator asks for nodes")
    try:
        step.target = max(
            1,
            target_node_count(
                Workspace.model_validate(step.workspace),
                cloud=step.settings.cloud,
                auto_provisioning=step.settings.provisions_nodes,
                vllm=step.settings.vllm_enabled,
                nodes=() if step.settings.provisions_nodes else step.store.all(NODES),
                inference_config=_inference_config(step),
            ),
        )
    except EstimateError as error:
        raise Blocked(
            f"failed to update Workspace status targetNodeCount: failed to calculate target node count: {error}"
        ) from error


def resolve_preset(step: Pass) -> Preset:
    """The workspace's preset; raises Blocked when there is none of that name."""
    name = preset_name(step.workspace) or ""
    try:
        return resolve(name)
    except UnknownPreset as error:
        raise Blocked(f"failed to get model by name: {error}") from error


def machine_of(step: Pass) -> GpuConfig:
    """The GPUs of one of the workspace's nodes: from the SKU table, or for the user's own nodes from their labels."""
    if step.settings.provisions_nodes:
        try:
            return sku(step.settings.cloud, instance_type(step.workspace))
        except UnknownSku as error:
            raise Blocked(str(error)) from error
    problem = "no ready nodes found, unable to determine GPU configuration"
    for node in worker_nodes(step):
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


def worker_nodes(step: Pass) -> list[dict[str, Any]]:
    """The nodes that carry the workspace's labels, ready or not."""
    wanted = selection.node_labels(step.workspace, step.settings)
    candidates = step.store.of(NODES, step.key) if step.settings.provisions_nodes else step.store.all(NODES)
    return [node for node in candidates if wanted.items() <= (node["metadata"].get("labels") or {}).items()]


def view_nodes(step: Pass, needed: int) -> NodeView:
    """The workspace's nodes and claims as they are."""
    provisions = step.settings.provisions_nodes
    kind = instance_type(step.workspace)
    return NodeView(
        target=needed,
        instance_type=kind,
        nodes=worker_nodes(step),
        claims=step.store.of(NODE_CLAIMS, step.key) if provisions else None,
        checks_plugins=provisions and find_sku(step.settings.cloud, kind) is not None,
    )


async def provision_nodes(step: Pass, needed: int) -> None:
    """Create the NodeClaims that are missing for `needed` nodes.

    Ready nodes that carry the workspace's labels without coming from a node pool count as there. A claim that is being
    deleted still counts until it is gone. Source: Kaito 0.12 `pkg/nodeprovision` (azure-gpu-provisioner).
    """
    own = [node for node in worker_nodes(step) if labels.NODEPOOL not in (node["metadata"].get("labels") or {})]
    claims = step.store.of(NODE_CLAIMS, step.key)
    missing = max(0, needed - sum(is_node_ready(node) for node in own)) - len(claims)
    taken = {claim["metadata"]["name"] for claim in claims}
    index = 0
    while missing > 0:
        if names.node_claim_name(step.workspace, index) not in taken:
            await _create_claim(step, index)
            missing -= 1
        index += 1


async def shrink_nodes(step: Pass, needed: int, busy_nodes: frozenset[str]) -> None:
    """Delete claims beyond `needed`, the newest first, sparing those whose node runs a pod of the workspace."""
    claims = [claim for claim in step.store.of(NODE_CLAIMS, step.key) if not is_deleting(claim)]
    idle = [claim for claim in claims if (claim.get("status") or {}).get("nodeName") not in busy_nodes]
    idle.sort(key=lambda claim: str(claim["metadata"].get("creationTimestamp") or ""), reverse=True)
    for claim in idle[: max(0, len(claims) - needed)]:
        await step.store.delete(NODE_CLAIMS, claim)


async def ensure_accelerator_labels(step: Pass) -> None:
    """Label ready nodes of the workspace's claims `accelerator=nvidia`, as Kaito's plugin check does."""
    view = view_nodes(step, step.target or 0)
    if not view.checks_plugins:
        return
    claimed = {(claim.get("status") or {}).get("nodeName") for claim in view.claims or ()}
    for node in view.nodes:
        metadata = node["metadata"]
        if metadata["name"] in claimed and labels.ACCELERATOR not in (metadata.get("labels") or {}):
            patch = {"metadata": {"labels": {labels.ACCELERATOR: labels.ACCELERATOR_NVIDIA}}}
            await step.store.patch(NODES, node, patch)


async def _create_claim(step: Pass, index: int) -> None:
    claim = node_claim(step.workspace, index, step.settings, storage=_storage(step))
    name = claim["metadata"]["name"]
    try:
        await step.store.create(NODE_CLAIMS, claim)
    except AlreadyExists:
        return
    except (Conflict, Unreachable):
        raise
    except ApiError as error:
        message = f"Failed to create NodeClaim {name} for workspace {step.name}: {error.message}"
        step.context.node_events.event(step.workspace, "Warning", "NodeClaimCreationFailed", message)
        raise
    message = f"Successfully created NodeClaim {name} for workspace {step.key}"
    step.context.node_events.event(step.workspace, "Normal", "NodeClaimCreated", message)


def _storage(step: Pass) -> str:
    if not (step.workspace.get("inference") or {}).get("preset"):
        return DEFAULT_STORAGE
    try:
        return resolve_preset(step).disk or DEFAULT_STORAGE
    except Blocked:
        return DEFAULT_STORAGE


def _inference_config(step: Pass) -> str | None:
    name = (step.workspace.get("inference") or {}).get("config")
    config = step.store.get(CONFIG_MAPS, str(name), step.namespace) if name else None
    return ((config or {}).get("data") or {}).get(names.INFERENCE_CONFIG_FILE)
