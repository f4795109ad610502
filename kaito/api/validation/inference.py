"""Rules for `inference`."""

from __future__ import annotations

from kaito.api import labels
from kaito.api.models import Workspace
from kaito.api.models.spec import InferenceSpec
from kaito.api.preset import Preset
from kaito.api.validation.comparing import presets_differ
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.data import MAX_ADAPTERS, check_adapter, check_adapter_names
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing
from kaito.api.validation.inference_config import TEMPLATE, check_context_length, check_required_length, read_vllm

_CSI_DRIVERS = {"azure": "blob.csi.azure.com"}


def check_create(workspace: Workspace, context: AdmissionContext, *, v1alpha1: bool) -> FieldErrors:
    """Findings about a new Workspace's `inference`, relative to `inference`."""
    inference = workspace.inference or InferenceSpec()
    errors = NONE
    if inference.preset is None and inference.template is None:
        errors += missing("Preset or Template must be specified")
    if inference.preset is not None and inference.template is not None:
        errors += generic("Preset and Template cannot be set at the same time")
    if inference.preset is not None:
        name = inference.preset.name or ""
        if not context.catalog.is_valid_preset(name):
            return errors + invalid(f"Unsupported inference preset name {name}", "presetName")
        try:
            preset = context.catalog.preset(name)
        except LookupError as error:
            return errors + invalid(f"failed to get model preset: {error}", "preset")
        errors += _check_runtime(inference, preset, context.runtime(workspace))
        errors += _check_access(inference, preset, v1alpha1=v1alpha1)
    adapters = inference.adapters or []
    if len(adapters) > MAX_ADAPTERS:
        errors += generic(f"Number of Adapters exceeds the maximum limit, maximum of {MAX_ADAPTERS} allowed")
    return errors + check_adapter_names(adapters)


def _check_runtime(inference: InferenceSpec, preset: Preset, runtime: str) -> FieldErrors:
    adapters = inference.adapters or []
    problems = []
    if runtime == "transformers":
        if preset.transformers is None:
            problems.append(f"model {preset.name} does not support inference with Huggingface Transformers runtime")
    else:
        if adapters and preset.disallow_lora:
            problems.append(f"vLLM does not support LoRA adapters for this model: {preset.name}")
        if any(adapter.strength is not None for adapter in adapters):
            problems.append("vLLM does not support adapter strength")
    return generic("Runtime validation: " + "; ".join(problems)) if problems else NONE


def _check_access(inference: InferenceSpec, preset: Preset, *, v1alpha1: bool) -> FieldErrors:
    assert inference.preset is not None
    options = inference.preset.preset_options
    if v1alpha1:
        if inference.preset.access_mode == "private" and not (options and options.image):
            return generic("When AccessMode is private, an image must be provided in PresetOptions")
        return NONE
    secret = bool(options and options.model_access_secret)
    if preset.download_at_runtime and preset.download_auth_required and not secret:
        return generic(
            "This preset requires authentication and needs a modelAccessSecret with HF_TOKEN key under presetOptions "
            "to "
            "download the model"
        )
    if not preset.download_at_runtime and secret:
        return generic("This preset does not require a modelAccessSecret with HF_TOKEN key under presetOptions")
    return NONE


def check_config(workspace: Workspace, context: AdmissionContext, *, v1alpha1: bool) -> FieldErrors:
    """Findings about the inference ConfigMap of a new Workspace; paths are final."""
    inference = workspace.inference
    if inference is None or context.runtime(workspace) != "vllm":
        return NONE
    if v1alpha1:
        return _check_config_v1alpha1(workspace, inference, context)
    if not inference.config:
        return NONE
    preset, errors = None, NONE
    if inference.preset is not None and context.catalog.is_valid_preset(inference.preset.name or ""):
        try:
            preset = context.catalog.preset(inference.preset.name or "")
        except LookupError as error:
            errors = invalid(f"failed to get model preset: {error}", "preset")
    values, found = read_vllm(inference.config, workspace.namespace, context)
    return errors + found + (NONE if found else check_context_length(values, preset))


def _check_config_v1alpha1(workspace: Workspace, inference: InferenceSpec, context: AdmissionContext) -> FieldErrors:
    if inference.preset is None:
        return NONE
    if inference.config:
        values, errors = read_vllm(inference.config, workspace.namespace, context)
    else:
        values, errors = read_vllm(TEMPLATE, context.release_namespace, context)
    if errors:
        return errors
    resource = workspace.resource
    try:
        gpu = context.catalog.find_sku(context.cloud, (resource.instance_type if resource else None) or "")
    except LookupError:
        gpu = None
    if gpu is not None and gpu.seed_era:
        gpu = None  # the quick start's sizes came before this rule
    count = resource.count if resource and resource.count is not None else 1
    return check_required_length(values, gpu, count)


def check_streaming(workspace: Workspace, context: AdmissionContext) -> FieldErrors:
    """Findings about model streaming (gate ModelStreaming); paths are final."""
    inference = workspace.inference
    if (
        not context.gate("ModelStreaming")
        or inference is None
        or inference.preset is None
        or context.runtime(workspace) != "vllm"
        or workspace.annotations.get(labels.MODEL_STREAMING) == "disabled"
    ):
        return NONE
    driver = _CSI_DRIVERS.get(context.cloud)
    if driver is None:
        return generic(f'unsupported cloud provider "{context.cloud}" for model streaming', "metadata.annotations")
    if driver not in context.csi_drivers:
        return generic(
            f"CSI driver {driver} not found; required for model streaming. Ensure the CSI driver is enabled on your "
            f"cluster",
            "metadata.annotations",
        )
    return NONE


def check_update(old: InferenceSpec, new: InferenceSpec, *, v1alpha1: bool) -> FieldErrors:
    """Findings about a changed `inference`, relative to `inference`."""
    errors = NONE
    if presets_differ(old.preset, new.preset):
        errors += generic("field is immutable", "preset")
    if (old.template is None) != (new.template is None):
        errors += generic("field cannot be unset/set if it was set/unset", "template")
    adapters = new.adapters or []
    for adapter in adapters:
        if adapter.source is not None:
            errors += check_adapter(adapter, check_urls=not v1alpha1)
    return errors + check_adapter_names(adapters)
