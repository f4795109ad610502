"""Admission of a whole Workspace, created or updated, in either version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kaito.api import labels
from kaito.api.models import Workspace, WorkspaceV1Alpha1
from kaito.api.models.spec import ResourceSpec
from kaito.api.validation import inference, resource, tuning
from kaito.api.validation.comparing import partitions_differ
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing
from kaito.api.validation.names import label_problems
from kaito.api.validation.selectors import SelectorError, label_map

WEBHOOK = "validation.workspace.kaito.sh"
IMAGE_FAMILIES = ("azurelinux", "ubuntu")
PERFORMANCE_MODES = ("balanced", "interactivity", "throughput")
BYO_INSTANCE_TYPE = "instanceType must be empty when node auto-provisioning is disabled (BYO scenario)"


def denial(errors: FieldErrors) -> str:
    """The sentence with which the API server refuses the object."""
    return f'admission webhook "{WEBHOOK}" denied the request: validation failed: {errors}'


def _is_v1alpha1(obj: Mapping[str, Any]) -> bool:
    return str(obj.get("apiVersion", "")).endswith("/v1alpha1")


def _parse(obj: Mapping[str, Any], *, v1alpha1: bool) -> Workspace:
    """The object as the request's version shows it: v1alpha1 lacks some fields."""
    return Workspace.model_validate(WorkspaceV1Alpha1.model_validate(obj).to_object() if v1alpha1 else obj)


def validate_create(workspace: Mapping[str, Any], context: AdmissionContext) -> FieldErrors:
    """Findings about a new Workspace: the object as the schema left it, defaults filled in; none means admitted."""
    v1alpha1 = _is_v1alpha1(workspace)
    try:
        new = _parse(workspace, v1alpha1=v1alpha1)
    except ValidationError as error:
        return malformed(error)
    errors = _check_name(new) + _check_shape(new, context, v1alpha1=v1alpha1).via("spec")
    errors += _check_image_family(new)
    if not v1alpha1:
        errors += _check_annotations(new) + _check_node_class(new, context)
    if new.inference is not None:
        errors += resource.check_with_inference(new, context, v1alpha1=v1alpha1).via("resource")
        errors += inference.check_create(new, context, v1alpha1=v1alpha1).via("inference")
        errors += inference.check_config(new, context, v1alpha1=v1alpha1)
        if not v1alpha1:
            errors += inference.check_streaming(new, context)
    if new.tuning is not None:
        errors += resource.check_with_tuning(new, context).via("resource")
        errors += tuning.check_create(new, context, v1alpha1=v1alpha1).via("tuning")
    return errors


def malformed(error: ValidationError) -> FieldErrors:
    """Findings about an object that no schema check saw before."""
    errors = NONE
    for one in error.errors(include_url=False, include_context=False):
        errors += invalid(one["msg"], ".".join(str(part) for part in one["loc"]))
    return errors


def _check_name(workspace: Workspace) -> FieldErrors:
    if not workspace.name and (workspace.metadata or {}).get("generateName"):
        return NONE  # a dry run without an API server; it would have made the name by now
    problems = label_problems(workspace.name)
    return invalid(", ".join(problems), "name") if problems else NONE


def _check_shape(workspace: Workspace, context: AdmissionContext, *, v1alpha1: bool) -> FieldErrors:
    errors = NONE
    if workspace.inference is None and workspace.tuning is None:
        errors += generic("Either Inference or Tuning must be specified, not neither", "")
    if workspace.inference is not None and workspace.tuning is not None:
        errors += generic("Either Inference or Tuning must be specified, but not both", "")
    if v1alpha1:
        return errors
    instance_type = workspace.resource.instance_type if workspace.resource else None
    if not context.auto_provisioning and instance_type:
        errors += invalid(BYO_INSTANCE_TYPE, "resource.instanceType")
    if context.auto_provisioning and not instance_type:
        errors += missing("instanceType is required when node auto-provisioning is enabled", "resource.instanceType")
    return errors


def _check_image_family(workspace: Workspace) -> FieldErrors:
    family = workspace.annotations.get(labels.NODE_IMAGE_FAMILY)
    if family is None or family.strip().lower() in IMAGE_FAMILIES:
        return NONE
    return invalid(
        f'unsupported node image family "{family}", supported values are {", ".join(IMAGE_FAMILIES)}',
        f'spec.metadata.annotations["{labels.NODE_IMAGE_FAMILY}"]',
    )


def _check_annotations(workspace: Workspace) -> FieldErrors:
    errors = NONE
    mode = workspace.annotations.get(labels.PERFORMANCE_MODE)
    if mode is not None and mode not in PERFORMANCE_MODES:
        errors += invalid(
            f'"{mode}" is not a valid performance mode; choose one of: {", ".join(PERFORMANCE_MODES)}',
            f"metadata.annotations[{labels.PERFORMANCE_MODE}]",
        )
    local = workspace.annotations.get(labels.USE_LOCAL_WEIGHTS)
    if local is not None and local not in {"true", "false"}:
        errors += invalid(f'"{local}" must be "true" or "false"', f"metadata.annotations[{labels.USE_LOCAL_WEIGHTS}]")
    return errors


def _check_node_class(workspace: Workspace, context: AdmissionContext) -> FieldErrors:
    name = workspace.annotations.get(labels.NODE_CLASS_NAME)
    if context.provisioner != "karpenter" or not name or name in context.node_classes:
        return NONE
    return invalid(
        f'"{name}" is not a KAITO-managed NodeClass, supported values are [{" ".join(context.node_classes)}]',
        f'metadata.annotations["{labels.NODE_CLASS_NAME}"]',
    )


def validate_update(old: Mapping[str, Any], new: Mapping[str, Any], context: AdmissionContext) -> FieldErrors:
    """Findings about a changed Workspace; the rules are those of the version that the change is made in."""
    v1alpha1 = _is_v1alpha1(new)
    try:
        before, after = _parse(old, v1alpha1=v1alpha1), _parse(new, v1alpha1=v1alpha1)
    except ValidationError as error:
        return malformed(error)
    errors = _check_name(after)
    if (before.inference is None) != (after.inference is None):
        errors += generic("Inference field cannot be toggled once set", "spec.inference")
    if (before.tuning is None) != (after.tuning is None):
        errors += generic("Tuning field cannot be toggled once set", "spec.tuning")
    errors += _check_resource_update(
        before.resource or ResourceSpec(), after.resource or ResourceSpec(), context, v1alpha1=v1alpha1
    ).via("resource")
    if before.inference is not None and after.inference is not None:
        errors += inference.check_update(before.inference, after.inference, v1alpha1=v1alpha1).via("inference")
    if before.tuning is not None and after.tuning is not None:
        errors += tuning.check_update(before.tuning, after.tuning).via("tuning")
    if not v1alpha1:
        errors += _check_annotation_update(before, after, context)
    return errors


def _check_resource_update(
    old: ResourceSpec, new: ResourceSpec, context: AdmissionContext, *, v1alpha1: bool
) -> FieldErrors:
    errors = NONE
    if old.count is not None and new.count is not None and old.count != new.count:
        errors += generic("field is immutable", "count")
    if v1alpha1:
        if (old.instance_type or "") != (new.instance_type or ""):
            errors += generic("field is immutable", "instanceType")
    else:
        if partitions_differ(old.partition, new.partition):
            errors += generic("field is immutable", "partition")
        errors += _check_instance_type_update(old.instance_type or "", new.instance_type or "", context)
    try:
        if label_map(old.label_selector) != label_map(new.label_selector):
            errors += generic("field is immutable", "labelSelector")
    except SelectorError:
        errors += generic("Only allow matchLabels or 'IN' matchExpression", "labelSelector")
    return errors


def _check_instance_type_update(old: str, new: str, context: AdmissionContext) -> FieldErrors:
    if not context.auto_provisioning:
        if not old and new:
            return invalid(BYO_INSTANCE_TYPE, "instanceType")
        if old and new and old != new:
            return invalid("instanceType cannot be changed once set", "instanceType")
        return NONE
    if not new:
        return missing("instanceType is required when node auto-provisioning is enabled", "instanceType")
    if old and old != new:
        return generic("instanceType cannot be changed once set when node auto-provisioning is enabled", "instanceType")
    return NONE


def _check_annotation_update(old: Workspace, new: Workspace, context: AdmissionContext) -> FieldErrors:
    errors = NONE
    if old.annotations.get(labels.NODE_CLASS_NAME) != new.annotations.get(labels.NODE_CLASS_NAME):
        errors += _check_node_class(new, context)
    streaming = [one.annotations.get(labels.MODEL_STREAMING) for one in (old, new)]
    if context.gate("ModelStreaming") and streaming[0] != streaming[1]:
        errors += generic(
            f"annotation {labels.MODEL_STREAMING} is immutable after creation",
            f"metadata.annotations[{labels.MODEL_STREAMING}]",
        )
    return errors
