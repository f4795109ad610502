"""How many nodes a Workspace needs. Source of the formula: Kaito 0.12, `pkg/workspace/estimator/nodesestimator`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig, GpuConfigError, from_node_labels, mig_slice
from kaito.api.models import Workspace
from kaito.api.preset import Preset
from kaito.api.quantity import GIB, QuantityError, parse_quantity
from kaito.catalog.context_length import explicit_max_model_len
from kaito.catalog.presets import UnknownPreset, resolve
from kaito.catalog.skus import UnknownSku, sku

UTILIZATION = 0.84
"""Share of the GPU memory that vLLM is given."""
WEIGHTS_FACTOR = 1.02
BASE_OVERHEAD = 2.3 * GIB
SAFETY_FACTOR = 1.05
DEFAULT_CONTEXT = 2048


class EstimateError(ValueError):
    """The number of nodes cannot be told, or the model does not fit; the message is a sentence for the user."""


def estimate_nodes(preset: Preset, gpu: GpuConfig, *, context: int | None = None, mig_profile: str = "") -> int:
    """Nodes of kind `gpu` that `preset` needs with a context of `context` tokens (default 2048).

    Raises EstimateError when one GPU cannot even hold the overhead, when a MIG slice is too small, or when several
    nodes would be needed for a model that cannot be distributed.
    """
    try:
        size = float(parse_quantity(preset.weights))
    except QuantityError as error:
        raise EstimateError(f"cannot parse '{preset.weights}': {error}") from error
    per_gpu = gpu.memory_bytes // gpu.gpu_count
    available = per_gpu * UTILIZATION
    weights = size * WEIGHTS_FACTOR
    cache = (context or DEFAULT_CONTEXT) * preset.bytes_per_token / gpu.gpu_count
    fixed = BASE_OVERHEAD + cache
    if available <= fixed:
        raise EstimateError(
            f"GPU memory {per_gpu} bytes is too small, needs at least {fixed / GIB:.1f} GB overhead "
            f"(base: 2.3GB + KV Cache: {cache / GIB:.1f} GB)"
        )
    gpus = int(weights / ((available - fixed) / SAFETY_FACTOR)) + 1
    nodes = math.ceil(gpus / gpu.gpu_count)
    if nodes > 1 and mig_profile:
        needed = weights * SAFETY_FACTOR + fixed
        raise EstimateError(
            f"model needs {needed / GIB:.1f}GB "
            f"(weights {weights / GIB:.1f}GB + overhead {(needed - weights) / GIB:.1f}GB) "
            f"but MIG profile {mig_profile} only provides {gpu.memory_bytes / GIB:.0f}GB "
            f"({available / GIB:.1f}GB available after vLLM gpu-memory-utilization)"
        )
    if nodes > 1 and not preset.supports_distributed:
        raise EstimateError(
            "models with disabled support distributed inference cannot be distributed across more than 1 GPU node, "
            f"please use a node with larger GPU memory, calculated nodes: {nodes}"
        )
    return nodes


def target_node_count(
    workspace: Workspace,
    *,
    cloud: str = "azure",
    auto_provisioning: bool = True,
    vllm: bool = True,
    nodes: Iterable[Mapping[str, Any]] = (),
    inference_config: str | None = None,
    presets: Mapping[str, Preset] | None = None,
) -> int:
    """`status.targetNodeCount` of a Workspace; at least 1 for vLLM and tuning. Raises EstimateError.

    `nodes` are the cluster's nodes (looked at only without auto-provisioning), `inference_config` the text of the
    user's `inference_config.yaml`, `presets` extra models by lower-case name. The transformers runtime uses
    `resource.count` as it is, as Kaito does; a missing count, on which Kaito panics, is 1 there.
    """
    count = workspace.resource.count if workspace.resource else None
    if workspace.inference is None:
        return 1
    runtime = workspace.annotations.get(labels.RUNTIME)
    if not vllm or runtime == "transformers":
        return 1 if count is None else count
    requested = count if count is not None and count > 0 else 1
    if workspace.inference.preset is None or not workspace.inference.preset.name:
        return requested
    preset = _preset(workspace.inference.preset.name, presets or {})
    gpu = _gpu_config(workspace, cloud=cloud, auto_provisioning=auto_provisioning, nodes=nodes)
    if gpu.gpu_count <= 0 or gpu.memory_bytes <= 0:
        return requested
    context = explicit_max_model_len(inference_config) if inference_config is not None else None
    partition = workspace.resource.partition if workspace.resource else None
    profile = (partition.profile or "") if partition and partition.mode == "mig" and not auto_provisioning else ""
    return max(1, estimate_nodes(preset, gpu, context=context, mig_profile=profile))


def _preset(name: str, extra: Mapping[str, Preset]) -> Preset:
    if name.lower() in extra:
        return extra[name.lower()]
    try:
        return resolve(name)
    except UnknownPreset as error:
        raise EstimateError(f"failed to get model by name: {error}") from error


def _gpu_config(
    workspace: Workspace, *, cloud: str, auto_provisioning: bool, nodes: Iterable[Mapping[str, Any]]
) -> GpuConfig:
    resource = workspace.resource
    if auto_provisioning:
        name = (resource.instance_type if resource else None) or ""
        try:
            return sku(cloud, name)
        except UnknownSku as error:
            raise EstimateError(f"failed to get GPU config for instance type {name}: {error}") from error
    partition = resource.partition if resource else None
    if partition is not None and partition.mode == "mig":
        try:
            return mig_slice(partition.profile or "")
        except GpuConfigError as error:
            raise EstimateError(f"failed to get MIG GPU config: {error}") from error
    selector = labels.selector_labels(
        resource.label_selector.match_labels if resource and resource.label_selector else None
    )
    gpu = _first_ready(nodes, selector)
    if partition is None or partition.mode != "accelerator":
        return gpu
    if partition.count is None:
        raise EstimateError("resource.partition.count: a count is required in accelerator mode")
    if partition.count > gpu.gpu_count:
        raise EstimateError(f"partition.count ({partition.count}) exceeds GPUs available on node ({gpu.gpu_count})")
    return gpu.only(partition.count) if partition.count > 0 else gpu


def _first_ready(nodes: Iterable[Mapping[str, Any]], selector: Mapping[str, str]) -> GpuConfig:
    for node in sorted(nodes, key=lambda node: str(node["metadata"].get("name", ""))):
        found = node["metadata"].get("labels") or {}
        if node["metadata"].get("deletionTimestamp") or not selector.items() <= found.items():
            continue
        conditions = (node.get("status") or {}).get("conditions") or []
        if any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions):
            try:
                return from_node_labels(node)
            except GpuConfigError as error:
                raise EstimateError(f"failed to get GPU config from existing nodes: {error}") from error
    raise EstimateError("no ready nodes found, unable to determine GPU configuration")
