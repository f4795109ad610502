"""Rules for `tuning`."""

from __future__ import annotations

from kaito.api.models import Workspace
from kaito.api.models.spec import TuningSpec
from kaito.api.validation.comparing import presets_differ
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.data import check_destination, check_image, check_source
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing
from kaito.api.validation.tuning_config import check_config_map, template_name


def check_create(workspace: Workspace, context: AdmissionContext, *, v1alpha1: bool) -> FieldErrors:
    """Findings about a new Workspace's `tuning`, relative to `tuning`."""
    tuning = workspace.tuning or TuningSpec()
    method = tuning.method or ""
    errors = NONE
    if not template_name(method):
        errors += invalid(method, "Method")
    if not tuning.config and not context.release_namespace:
        errors += generic("Failed to determine release namespace: it is not configured", "namespace")
    # Without a method there is no template to look for; Kaito then adds that ConfigMap '' was not found.
    if tuning.config or template_name(method):
        problems = check_config_map(
            user_name=tuning.config or "", method=method, namespace=workspace.namespace, context=context
        )
        if problems:
            errors += generic(f"Failed to evaluate validateConfigMap: {problems}", "Config")
    if tuning.input is None:
        errors += missing("Input")
    else:
        errors += check_source(tuning.input, check_urls=not v1alpha1).via("Input")
    if tuning.output is None:
        errors += missing("Output")
    else:
        errors += check_destination(tuning.output).via("Output")
    return errors + _check_preset(tuning, context)


def _check_preset(tuning: TuningSpec, context: AdmissionContext) -> FieldErrors:
    if tuning.preset is None:
        return missing("Preset")
    name = tuning.preset.name or ""
    if not context.catalog.is_valid_preset(name):
        return invalid(f"Unsupported tuning preset name {name}", "presetName")
    return NONE


def check_update(old: TuningSpec, new: TuningSpec) -> FieldErrors:
    """Findings about a changed `tuning`, relative to `tuning`."""
    errors = NONE
    if new.input is None:
        errors += missing("Input")
    else:
        if (old.input.name if old.input else None) != new.input.name:
            errors += invalid("During tuning Name field cannot be changed once set", "Input.Name")
        if new.input.image:
            errors += check_image(new.input.image, "input").via("Input")
    if new.output is None:
        errors += missing("Output")
    elif new.output.image:
        errors += check_image(new.output.image, "output").via("Output")
    if presets_differ(old.preset, new.preset):
        errors += generic("Preset cannot be changed", "Preset")
    if (old.method or "").lower() != (new.method or "").lower():
        errors += generic("Method cannot be changed", "Method")
    return errors
