"""Admission of an InferenceSet: its own few rules, and in v1beta1 those of the Workspaces that it will make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kaito.api.models import InferenceSet
from kaito.api.models.inferenceset import InferenceSetSpec, ReplicaTemplate
from kaito.api.validation.comparing import partitions_differ
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.cron import CronError, check_schedule
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing
from kaito.api.validation.names import label_problems
from kaito.api.validation.workspace import malformed, validate_create

_INSTANCE_TYPE = "spec.template.resource.instanceType"
_WINDOW = "spec.autoUpgrade.maintenanceWindow"
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def validate_inferenceset(
    new: Mapping[str, Any], context: AdmissionContext, old: Mapping[str, Any] | None = None
) -> FieldErrors:
    """Findings about a new InferenceSet, or about a changed one when `old` is given; none means admitted."""
    v1alpha1 = str(new.get("apiVersion", "")).endswith("/v1alpha1")
    try:
        parsed = InferenceSet.model_validate(new)
        before = InferenceSet.model_validate(old) if old is not None else None
    except ValidationError as error:
        return malformed(error)
    spec = parsed.spec or InferenceSetSpec()
    name = str((parsed.metadata or {}).get("name") or "")
    problems = label_problems(name)
    errors = invalid(", ".join(problems), "name") if problems else NONE
    errors += _check_instance_type(spec, context) + _check_window(spec)
    if not v1alpha1:
        errors += validate_create(_projected(new, spec), context).via("spec.template")
        if before is not None and partitions_differ(_partition(before.spec), _partition(spec)):
            errors += generic("field is immutable", "spec.partition", "spec.resource", "spec.template")
    return errors


def _partition(spec: InferenceSetSpec | None) -> Any:
    resource = spec.template.resource if spec and spec.template else None
    return resource.partition if resource else None


def _projected(new: Mapping[str, Any], spec: InferenceSetSpec) -> dict[str, Any]:
    """The Workspace that each replica will be."""
    template = ((new.get("spec") or {}).get("template")) or {}
    selector = spec.label_selector.to_object() if spec.label_selector else {}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {
            "name": "replica",
            "namespace": (new.get("metadata") or {}).get("namespace", ""),
            "annotations": _annotations(template.get("metadata")),
        },
        "resource": {**(template.get("resource") or {}), "labelSelector": selector},
        "inference": template.get("inference"),
    }


def _annotations(metadata: Any) -> dict[str, str]:
    """The template's annotations; to the schema metadata is any JSON, and `check_decoding` refuses what is wrong."""
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return {key: one for key, one in found.items() if isinstance(one, str)} if isinstance(found, dict) else {}


def _check_instance_type(spec: InferenceSetSpec, context: AdmissionContext) -> FieldErrors:
    template = spec.template or ReplicaTemplate()
    name = (template.resource.instance_type if template.resource else None) or ""
    if context.provisioner == "byo":
        rule = "instanceType must be empty when nodeProvisioner is byo"
        return invalid(name, _INSTANCE_TYPE, rule) if name else NONE
    return NONE if name else missing(_INSTANCE_TYPE)


def _check_window(spec: InferenceSetSpec) -> FieldErrors:
    window = spec.auto_upgrade.maintenance_window if spec.auto_upgrade else None
    if window is None:
        return NONE
    errors = NONE
    if not window.schedule:
        errors += missing(f"{_WINDOW}.schedule")
    else:
        try:
            check_schedule(window.schedule)
        except CronError as error:
            errors += invalid(window.schedule, f"{_WINDOW}.schedule", f"invalid cron expression: {error}")
    seconds = duration_seconds(window.duration) if window.duration is not None else None
    if seconds is not None and seconds <= 0:
        errors += invalid(format_duration(seconds), f"{_WINDOW}.duration", "must be a positive duration")
    return errors


def duration_seconds(text: str) -> float | None:
    """Seconds of a Go duration (`-1h30m`, `1.5s`, `0`); None when it is none."""
    sign = -1.0 if text.startswith("-") else 1.0
    plain = text.lstrip("+-") if len(text) - len(text.lstrip("+-")) <= 1 else ""
    if plain == "0":
        return 0.0
    parts = _PART.findall(plain)
    if not parts or "".join(number + unit for number, unit in parts) != plain:
        return None
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """As Go prints a duration of whole seconds: `-1h0m0s`, `0s`."""
    whole = abs(int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    text = f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    return f"-{text}" if seconds < 0 else text
