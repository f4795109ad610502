"""The inference configuration (`inference_config.yaml` in a ConfigMap)."""

from __future__ import annotations

import re

import yaml

from kaito.api.gpu import GpuConfig
from kaito.api.preset import Preset
from kaito.api.quantity import GIB
from kaito.api.validation import go_yaml
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing

KEY = "inference_config.yaml"
TEMPLATE = "inference-params-template"
_MAX_MODEL_LEN = "max-model-len"
_SMALL_GPU = 20 * GIB


def read_vllm(name: str, namespace: str, context: AdmissionContext) -> tuple[dict[str, str], FieldErrors]:
    """The `vllm` section (all values as text) of a ConfigMap, and what is wrong with it."""
    data = context.config_map(namespace, name)
    if data is None:
        return {}, generic(f"ConfigMap '{name}' specified in 'config' not found in namespace '{namespace}'", "config")
    if KEY not in data:
        return {}, missing(f"{KEY} in ConfigMap")
    try:
        return _vllm_section(data[KEY]), NONE
    except go_yaml.YamlError as error:
        return {}, generic(f"Failed to parse {KEY}: {error}", KEY)


def _vllm_section(text: str) -> dict[str, str]:
    sections = go_yaml.mapping(go_yaml.parse(text), "v1beta1.InferenceConfig")
    values: dict[str, str] = {}
    problems: list[str] = []
    for key, node in go_yaml.mapping(sections.get("vllm"), "map[string]string").items():
        if isinstance(node, yaml.ScalarNode):
            values[str(key)] = node.value
        else:
            problems.append(go_yaml.describe(node, "string"))
    if problems:
        raise go_yaml.YamlError("yaml: unmarshal errors:\n  " + "\n  ".join(problems))
    return values


def check_context_length(values: dict[str, str], preset: Preset | None) -> FieldErrors:
    """v1beta1: `max-model-len` is a number, and within what the model was made for."""
    text = values.get(_MAX_MODEL_LEN, "").strip()
    if not text or preset is None:
        return NONE
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        return invalid(
            f'{_MAX_MODEL_LEN} must be an integer: strconv.Atoi: parsing "{text}": invalid syntax', _MAX_MODEL_LEN
        )
    if not -(2**63) <= int(text) < 2**63:
        return invalid(
            f'{_MAX_MODEL_LEN} must be an integer: strconv.Atoi: parsing "{text}": value out of range', _MAX_MODEL_LEN
        )
    if 0 < preset.token_limit < int(text):
        return invalid(
            f"{_MAX_MODEL_LEN} {int(text)} exceeds model's maximum supported context window {preset.token_limit} "
            "(ModelTokenLimit)",
            _MAX_MODEL_LEN,
        )
    return NONE


def check_required_length(values: dict[str, str], gpu: GpuConfig | None, count: int) -> FieldErrors:
    """v1alpha1: several nodes, or several small GPUs, need an explicit `max-model-len`."""
    small = gpu is not None and gpu.gpu_count > 1 and gpu.memory_bytes // gpu.gpu_count < _SMALL_GPU
    if (count > 1 or small) and not values.get(_MAX_MODEL_LEN, "").strip():
        return missing(
            f"{_MAX_MODEL_LEN} is required in the vllm section of {KEY} when using multi-GPU instances with <20GB of "
            f"memory "
            "per GPU or distributed inference"
        )
    return NONE
