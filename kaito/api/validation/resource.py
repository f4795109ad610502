"""Rules for `resource`: which nodes, how many, and whether the model fits on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig, GpuConfigError, from_node_labels, mig_slice, validate_mig_profile
from kaito.api.models import Workspace
from kaito.api.models.spec import GpuPartition, ResourceSpec
from kaito.api.preset import Preset
from kaito.api.quantity import QuantityError, format_binary, parse_quantity
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing
from kaito.api.validation.selectors import SelectorError, label_map

MULTI_NODE_TUNING = (
    "Tuning does not currently support multinode configurations. Please set the node count to 1. "
    "Future support with DeepSpeed will allow this."
)


def check_with_inference(workspace: Workspace, context: AdmissionContext, *, v1alpha1: bool) -> FieldErrors:
    """Findings about `resource` of an inference Workspace, relative to `resource`."""
    resource = workspace.resource or ResourceSpec()
    preset_name = _preset_name(workspace)
    if preset_name is not None:
        if context.catalog.is_deprecated(preset_name):
            return generic(f"Model {preset_name} is deprecated and no longer supported", "presetName")
        if not context.catalog.is_valid_preset(preset_name):
            return NONE  # the check of `inference` says so
    try:
        label_map(resource.label_selector)
    except SelectorError as error:
        return invalid(str(error), "labelSelector")
    # Expressions are checked, but only matchLabels select anything.
    match_labels = resource.label_selector.match_labels if resource.label_selector else None
    wanted = labels.selector_labels(match_labels)
    if match_labels and not wanted:
        return invalid("matchLabels must contain at least one non-reserved label", "labelSelector.matchLabels")
    provisioned = v1alpha1 or context.auto_provisioning
    if resource.partition is not None and not v1alpha1:
        if provisioned:
            return generic(
                "GPU partitioning is only supported with BYO nodes (disableNodeAutoProvisioning=true)", "partition"
            )
        return _check_partition(workspace, resource.partition, preset_name, context)
    if provisioned:
        gpu, errors = _provisioned_gpu(resource.instance_type or "", context)
        nodes = 1 if resource.count is None else resource.count
    else:
        if preset_name is None:
            return NONE
        gpu, nodes, errors = _existing_gpu(wanted, context)
    runtime = context.runtime(workspace)
    if errors or gpu is None or preset_name is None or (provisioned and runtime == "vllm" and not v1alpha1):
        return errors
    return _check_memory(
        workspace, preset_name, gpu, nodes, runtime=runtime, instance_type=resource.instance_type or "", context=context
    )


def _preset_name(workspace: Workspace) -> str | None:
    """The preset's name in lower case, None where the Workspace has no preset."""
    inference = workspace.inference
    if inference is None or inference.preset is None:
        return None
    return (inference.preset.name or "").lower()


def _provisioned_gpu(name: str, context: AdmissionContext) -> tuple[GpuConfig | None, FieldErrors]:
    try:
        gpu = context.catalog.find_sku(context.cloud, name)
    except LookupError as error:
        return None, generic(f"Failed to get SKU handler: {error}", "instanceType")
    if gpu is not None:
        return (None if gpu.seed_era else gpu), NONE
    if context.cloud == "azure" and name.lower().startswith(("standard_n", "standard_d")):
        return None, NONE
    return None, unsupported_instance_type(name, context)


def unsupported_instance_type(name: str, context: AdmissionContext) -> FieldErrors:
    """The refusal of an instance type."""
    try:
        supported = context.catalog.sku_names(context.cloud)
    except LookupError:
        supported = context.catalog.sku_names("azure")
    return invalid(f"Unsupported instance type {name}. Supported SKUs: [{' '.join(supported)}]", "instanceType")


def _existing_gpu(wanted: Mapping[str, str], context: AdmissionContext) -> tuple[GpuConfig | None, int, FieldErrors]:
    """(GPUs of the matching nodes, number of nodes, findings); ready or not, the nodes must all be of one kind."""
    matching = [
        node for node in context.nodes() if wanted.items() <= ((node.get("metadata") or {}).get("labels") or {}).items()
    ]
    if not matching:
        return None, 0, generic("No nodes found matching the specified label selector")
    first: tuple[str, GpuConfig, Mapping[str, Any]] | None = None
    for node in sorted(matching, key=lambda one: str(one["metadata"].get("name", ""))):
        name, found = str(node["metadata"].get("name", "")), node["metadata"].get("labels") or {}
        try:
            gpu = from_node_labels(node)
        except GpuConfigError as error:
            return None, 0, generic(f"Failed to get GPU config from nvidia labels on node {name}: {error}")
        if first is None:
            first = (name, gpu, found)
        elif problem := _difference(name, gpu, first[1]):
            return None, 0, generic(problem)
    assert first is not None
    return first[1], len(matching), NONE


def _difference(name: str, gpu: GpuConfig, previous: GpuConfig) -> str:
    rule = "all nodes must have the same GPU {} for homogeneous placement"
    if gpu.model != previous.model:
        return (
            f"Non-uniform GPU product: node {name} has {gpu.model} GPUs, but previous node has {previous.model} GPUs, "
            + rule.format("product")
        )
    if gpu.gpu_count != previous.gpu_count:
        return (
            f"Non-uniform GPU count: node {name} has {gpu.gpu_count} GPUs, but previous node has "
            f"{previous.gpu_count} GPUs, " + rule.format("count")
        )
    if gpu.memory_bytes != previous.memory_bytes:
        return (
            f"Non-uniform GPU memory: node {name} has {format_binary(gpu.memory_bytes)} GPU memory, but previous "
            f"node has "
            f"{format_binary(previous.memory_bytes)} GPU memory, " + rule.format("memory")
        )
    return ""


def _lookup(name: str, context: AdmissionContext) -> tuple[Preset | None, FieldErrors]:
    try:
        return context.catalog.preset(name), NONE
    except LookupError as error:
        return None, invalid(f"failed to get model preset: {error}", "preset")


def _bypassed(workspace: Workspace) -> bool:
    return labels.BYPASS_RESOURCE_CHECKS in workspace.annotations


def _check_memory(
    workspace: Workspace,
    preset_name: str,
    gpu: GpuConfig,
    nodes: int,
    *,
    runtime: str,
    instance_type: str,
    context: AdmissionContext,
) -> FieldErrors:
    preset, errors = _lookup(preset_name, context)
    if preset is None or not preset.weights:
        return errors
    try:
        needed = parse_quantity(preset.weights)
    except QuantityError as error:
        return invalid(
            f'invalid TotalSafeTensorFileSize "{preset.weights}" for preset {preset_name}: {error}',
            "TotalSafeTensorFileSize",
        )
    total = _int64(gpu.memory_bytes * nodes)
    if total < needed and not _bypassed(workspace):
        errors += invalid(
            f"Insufficient total GPU memory: Instance type {instance_type} has a total of {format_binary(total)}, but "
            f"preset {preset_name} requires at least {format_binary(needed)}",
            "instanceType",
        )
    if runtime == "transformers" and gpu.memory_bytes < needed and preset.supports_distributed:
        errors += generic("Multi-node distributed inference is not supported with Huggingface Transformers runtime")
    return errors


def _int64(value: int) -> int:
    """`value` as a 64-bit integer that overflows, as Kaito computes it."""
    return (value + 2**63) % 2**64 - 2**63


def _check_partition(
    workspace: Workspace, partition: GpuPartition, preset_name: str | None, context: AdmissionContext
) -> FieldErrors:
    if partition.mode == "accelerator":
        if not context.gate("enableAccelerator"):
            return generic(
                "accelerator partition support is not enabled, set feature gate enableAccelerator=true", "partition"
            )
        errors = NONE
        if partition.profile:
            errors += invalid("profile is not valid for accelerator mode", "partition.profile")
        if partition.count is None:
            errors += missing("partition.count")
        return errors
    if partition.mode != "mig":
        return invalid(
            f'unsupported partition mode "{partition.mode or ""}", supported modes are "mig" and "accelerator"',
            "partition.mode",
        )
    if not context.gate("enableMIG"):
        return generic("MIG support is not enabled, set feature gate enableMIG=true", "partition")
    errors = NONE
    if partition.count is not None:
        errors += invalid("count is only valid for accelerator mode", "partition.count")
    try:
        validate_mig_profile(partition.profile or "")
    except GpuConfigError as error:
        return errors + invalid(str(error), "partition.profile")
    return errors + _check_slice(workspace, partition.profile or "", preset_name, context)


def _check_slice(workspace: Workspace, profile: str, preset_name: str | None, context: AdmissionContext) -> FieldErrors:
    if preset_name is None:
        return NONE
    preset, errors = _lookup(preset_name, context)
    if preset is None or not preset.weights:
        return errors
    capacity = mig_slice(profile).memory_bytes
    if parse_quantity(preset.weights) > capacity and not _bypassed(workspace):
        return invalid(
            f"Model {preset_name} requires at least {preset.weights} for weights, which exceeds the {profile} MIG "
            f"slice "
            f"capacity of {format_binary(capacity)}",
            "partition",
        )
    return NONE


def check_with_tuning(workspace: Workspace, context: AdmissionContext) -> FieldErrors:
    """Findings about `resource` of a tuning Workspace, relative to `resource`.

    An instance type that no table knows is refused here, although Kaito admits it and fails later.
    """
    resource = workspace.resource
    if resource is None:
        return missing("count")
    errors = NONE
    if resource.count is None:
        errors += missing("count")
    elif resource.count > 1:
        errors += invalid(MULTI_NODE_TUNING, "count")
    if resource.partition is not None:
        errors += invalid("GPU partitioning is not supported for tuning workloads", "partition")
    name = resource.instance_type
    if name and context.auto_provisioning and workspace.inference is None and not context.catalog.known_anywhere(name):
        errors += unsupported_instance_type(name, context)
    return errors
