"""The training configuration (`training_config.yaml` in a ConfigMap)."""

from __future__ import annotations

import posixpath
from typing import Any

import yaml

from kaito.api.validation import go_yaml
from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing

KEY = "training_config.yaml"
SECTIONS = frozenset(
    {"ModelConfig", "QuantizationConfig", "LoraConfig", "TrainingArguments", "DatasetConfig", "DataCollator"}
)
_GENERIC_MAP = "map[string]interface {}"
RESULTS_ROOT = "/mnt"


def template_name(method: str) -> str:
    """Name of the ConfigMap with the default parameters of a method; empty for an unknown method."""
    return {"lora": "lora-params-template", "qlora": "qlora-params-template"}.get(method.lower(), "")


def check_config_map(*, user_name: str, method: str, namespace: str, context: AdmissionContext) -> FieldErrors:
    """Findings about the user's ConfigMap in `namespace`, or without one about the method's template.

    A missing template is reported under the user's (empty) name, as Kaito does.
    """
    name = user_name or template_name(method)
    where = namespace if user_name else context.release_namespace
    data = context.config_map(where, name) if name else None
    if data is None:
        return generic(f"ConfigMap '{user_name}' specified in 'config' not found in namespace '{where}'", "config")
    if KEY not in data:
        return missing(f"{KEY} in ConfigMap") + generic(
            f"ConfigMap '{name}' does not contain '{KEY}' in namespace '{where}'", "config"
        )
    text = data[KEY]
    return _check_sections(text) + _check_values(text, name=name, namespace=where, method=method.lower())


def _check_sections(text: str) -> FieldErrors:
    try:
        root = go_yaml.mapping(go_yaml.parse(text), _GENERIC_MAP)
    except go_yaml.YamlError as error:
        return invalid(str(error), KEY)
    training = root.get("training_config")
    if not isinstance(training, yaml.MappingNode):
        return invalid("Expected 'training_config' key to contain a map", KEY)
    for section in go_yaml.mapping(training, _GENERIC_MAP):
        if not isinstance(section, str):
            return invalid("Section key must be a string", KEY)
        if section not in SECTIONS:
            return invalid(f"Unrecognized section: {section}", KEY)
    return NONE


def _check_values(text: str, *, name: str, namespace: str, method: str) -> FieldErrors:
    try:
        root = go_yaml.mapping(go_yaml.parse(text), "v1beta1.Config")
        sections = go_yaml.mapping(root.get("training_config"), _GENERIC_MAP)
    except go_yaml.YamlError as error:
        return generic(f"Failed to parse '{KEY}' in ConfigMap '{name}' in namespace '{namespace}': {error}", "config")
    return _check_quantization(sections.get("QuantizationConfig"), name=name, method=method) + _check_output(
        sections.get("TrainingArguments"), name=name, namespace=namespace
    )


def _section(node: yaml.Node | None) -> dict[Any, yaml.Node]:
    """The section's entries; a section is decoded on its own, so lines count from its start."""
    if node is not None and not isinstance(node, yaml.MappingNode) and not go_yaml.is_null(node):
        text = go_yaml.describe(node, _GENERIC_MAP).partition(":")[2]
        raise go_yaml.YamlError(f"failed to unmarshal runtime.RawExtension: yaml: unmarshal errors:\n  line 1:{text}")
    return go_yaml.mapping(node, _GENERIC_MAP)


def _flag(entries: dict[Any, yaml.Node], key: str) -> bool:
    node = entries.get(key)
    if node is None or go_yaml.is_null(node):
        return False
    if not isinstance(node, yaml.ScalarNode) or not isinstance(go_yaml.resolve(node), bool):
        raise go_yaml.YamlError(f"value must be either nil or a boolean, got type {go_yaml.go_type_of(node)}")
    return bool(go_yaml.resolve(node))


def _check_quantization(node: yaml.Node | None, *, name: str, method: str) -> FieldErrors:
    flags = []
    for key in ("load_in_4bit", "load_in_8bit"):
        try:
            flags.append(_flag(_section(node), key))
        except go_yaml.YamlError as error:
            return invalid(str(error), key)
    four, eight = flags
    if four and eight:
        return generic(
            f"Cannot set both 'load_in_4bit' and 'load_in_8bit' to true in ConfigMap '{name}'", "QuantizationConfig"
        )
    if method == "lora" and (four or eight):
        return generic(
            f"For method 'lora', 'load_in_4bit' or 'load_in_8bit' in ConfigMap '{name}' must not be true",
            "QuantizationConfig",
        )
    if method == "qlora" and not (four or eight):
        return missing(
            f"For method 'qlora', either 'load_in_4bit' or 'load_in_8bit' must be true in ConfigMap '{name}'",
            "QuantizationConfig",
        )
    return NONE


def output_directory(value: str) -> str:
    """The absolute folder that an `output_dir` of the training arguments means."""
    return posixpath.normpath(f"{RESULTS_ROOT}/{value}")


def _check_output(node: yaml.Node | None, *, name: str, namespace: str) -> FieldErrors:
    if not isinstance(node, yaml.MappingNode):
        return NONE
    found = go_yaml.mapping(node, _GENERIC_MAP).get("output_dir")
    if found is None:
        return NONE
    value = go_yaml.resolve(found) if isinstance(found, yaml.ScalarNode) else None
    if not isinstance(value, str):
        return invalid(f"output_dir is not a string in ConfigMap '{name}' in namespace '{namespace}'", "output_dir")
    cleaned = output_directory(value)
    if cleaned == RESULTS_ROOT or not cleaned.startswith(RESULTS_ROOT):
        return invalid(f"Invalid output_dir specified: '{value}', must be a directory", "output_dir")
    return NONE
