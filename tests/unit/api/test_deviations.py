"""Where admission deliberately differs from Kaito 0.12 (docs/deviations.md): each difference by name."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.api.validation import AdmissionContext, validate_create, validate_update
from kaito.catalog import CATALOG

TRAINING = {
    "lora-params-template": "training_config: {}",
    "qlora-params-template": "training_config: {QuantizationConfig: {load_in_4bit: true}}",
}
INFERENCE = {"inference-params-template": "vllm: {}"}
CONTEXT = AdmissionContext(
    catalog=CATALOG,
    config_map=lambda namespace, name: (
        {"training_config.yaml": TRAINING[name]}
        if name in TRAINING
        else {"inference_config.yaml": INFERENCE[name]}
        if name in INFERENCE
        else None
    ),
)


def tuning(version: str = "v1alpha1", instance_type: str = "Standard_NC6s_v3") -> dict[str, Any]:
    """The quick start's manifest."""
    return {
        "apiVersion": f"kaito.sh/{version}",
        "kind": "Workspace",
        "metadata": {"name": "workspace-tuning-phi-3", "namespace": "default"},
        "resource": {
            "count": 1,
            "instanceType": instance_type,
            "labelSelector": {"matchLabels": {"app": "tuning-phi-3"}},
        },
        "tuning": {
            "preset": {"name": "phi-3-mini-128k-instruct"},
            "method": "qlora",
            "input": {"urls": ["https://huggingface.co/datasets/x/y/resolve/main/data/train.parquet?download=true"]},
            "output": {"image": "acme.azurecr.io/tuned/phi3:0.0.1", "imagePushSecret": "kaito-registry"},
        },
    }


def inference(version: str = "v1alpha1", name: str = "phi-3-mini-128k-instruct") -> dict[str, Any]:
    """A plain inference Workspace."""
    obj = tuning(version)
    del obj["tuning"]
    obj["inference"] = {"preset": {"name": name, "accessMode": "public"}}
    return obj


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
@pytest.mark.parametrize("size", ["Standard_NC6s_v3", "Standard_NC12s_v3", "standard_nc24ads_a100_v4"])
def test_the_quick_start_is_admitted_in_both_versions(version: str, size: str) -> None:
    assert str(validate_create(tuning(version, size), CONTEXT)) == ""


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
@pytest.mark.parametrize("name", ["phi-3-mini-128k-instruct", "microsoft/Phi-4-mini-instruct", "PHI-4"])
def test_an_inference_preset_is_admitted_in_both_versions(version: str, name: str) -> None:
    """Kaito panics on every inference preset of a v1alpha1 Workspace."""
    assert str(validate_create(inference(version, name), CONTEXT)) == ""


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
@pytest.mark.parametrize("size", ["Standard_N", "Standard_NC7s_v9", "Bogus"])
def test_tuning_on_a_size_that_no_table_knows_is_refused(version: str, size: str) -> None:
    text = str(validate_create(tuning(version, size), CONTEXT))
    assert text.startswith(
        f"invalid value: Unsupported instance type {size}. Supported SKUs: [Standard_NC24ads_A100_v4"
    )
    assert text.endswith(": resource.instanceType")
    assert " Standard_NC6s_v3" in text


def test_an_unknown_method_is_the_only_finding() -> None:
    obj = tuning()
    obj["tuning"]["method"] = "dora"
    assert str(validate_create(obj, CONTEXT)) == "invalid value: dora: tuning.Method"


def test_a_model_outside_the_catalog_is_refused_without_asking_the_internet() -> None:
    text = str(validate_create(inference("v1beta1", "acme/model"), CONTEXT))
    assert "acme/model is not one of the 60 models of the catalog" in text
    assert text.endswith(": inference.preset")


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_an_adapter_without_a_source_is_a_missing_field(version: str) -> None:
    obj = inference(version)
    obj["inference"]["adapters"] = [{"strength": "1"}]
    assert "missing field(s): inference.adapters[0].source" in str(validate_create(obj, CONTEXT))
    assert str(validate_update(inference(version), obj, CONTEXT)) == "missing field(s): inference.adapters[0].source"


def test_tuning_without_resource_is_a_missing_field() -> None:
    obj = tuning("v1beta1")
    del obj["resource"]
    assert "resource.count" in str(validate_create(obj, CONTEXT))


def test_replacing_inference_by_tuning_in_v1alpha1_is_refused_in_words() -> None:
    text = str(validate_update(inference(), tuning(), CONTEXT))
    assert "Inference field cannot be toggled once set: spec.inference" in text
    assert "Tuning field cannot be toggled once set: spec.tuning" in text


def test_a_mistyped_object_is_a_finding_and_no_traceback() -> None:
    obj = tuning()
    obj["tuning"]["input"]["urls"] = "one"
    assert str(validate_create(obj, CONTEXT)) == "invalid value: Input should be a valid list: tuning.input.urls"
