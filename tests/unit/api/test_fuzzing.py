"""Whatever a user writes, admission answers with findings and never with a traceback."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kaito.api.crds import crd_manifests
from kaito.api.defaulting import apply_defaults
from kaito.api.validation import (
    AdmissionContext,
    DecodingError,
    FieldErrors,
    check_decoding,
    validate_create,
    validate_inferenceset,
    validate_update,
)
from kaito.catalog import CATALOG

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PLAUSIBLE = {
    "name": ["phi-4", "microsoft/Phi-4-mini-instruct", "phi-2", "nope", "a/b", ""],
    "method": ["lora", "QLoRA", "dora"],
    "instanceType": ["Standard_NC6s_v3", "Standard_NV36ads_A10_v5", "Bogus", ""],
    "image": ["acme.azurecr.io/a:1", "Bad", ""],
    "operator": ["In", "Exists", "Gt"],
    "mode": ["mig", "accelerator", "x"],
    "profile": ["1g.10gb", "x", ""],
}


def of_schema(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that a schema lets through, with plausible ones for the fields that rules look at."""
    if name in PLAUSIBLE and schema.get("type") == "string":
        return st.sampled_from(PLAUSIBLE[name])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        required = set(schema.get("required", ()))
        fields = {key: of_schema(value, key) for key, value in schema["properties"].items()}
        return st.fixed_dictionaries(
            {key: value for key, value in fields.items() if key in required},
            optional={key: value for key, value in fields.items() if key not in required},
        )
    if kind == "object":
        return st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
    if kind == "array":
        return st.lists(of_schema(schema["items"], name), max_size=3)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=12),
        "integer": st.integers(-(2**63), 2**63 - 1),
        "boolean": st.booleans(),
    }
    return simple.get(kind, json_values)


def objects(index: int, kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of one of our kinds, in either version, as the schema lets them through."""

    def complete(drawn: tuple[dict[str, Any], str, dict[str, Any]]) -> dict[str, Any]:
        obj, version, annotations = drawn
        obj |= {"apiVersion": f"kaito.sh/{version}", "kind": kind}
        obj["metadata"] = {"name": "ws", "namespace": "default", "annotations": annotations}
        return obj

    schema = crd_manifests()[index]["spec"]["versions"][1]["schema"]["openAPIV3Schema"]
    annotations = st.dictionaries(
        st.sampled_from(["kaito.sh/runtime", "kaito.sh/performance-mode", "kaito.sh/bypass-resource-checks"]),
        st.sampled_from(["transformers", "vllm", ""]),
    )
    return st.tuples(of_schema(schema), st.sampled_from(["v1alpha1", "v1beta1"]), annotations).map(complete)


def context(text: str, provisioner: str) -> AdmissionContext:
    """A cluster in which every ConfigMap says the same."""
    data = {"training_config.yaml": text, "inference_config.yaml": text}
    labels = {"nvidia.com/gpu.product": "x", "nvidia.com/gpu.count": "1", "nvidia.com/gpu.memory": "16384"}
    return AdmissionContext(
        catalog=CATALOG,
        config_map=lambda _namespace, _name: data,
        nodes=lambda: [{"metadata": {"name": "n", "labels": labels}}],
        provisioner=provisioner,
        gates={"enableMIG": True, "enableAccelerator": True},
    )


yaml_texts = (
    st.text(max_size=40)
    | json_values.map(json.dumps)
    | st.sampled_from(
        [
            "training_config: {QuantizationConfig: {load_in_4bit: true}}",
            "vllm: {max-model-len: 5}",
            "training_config: {TrainingArguments: {output_dir: ../x}}",
            "a: &a [*a]",
            "? [1]\n: 2\n",
            "<<: {a: 1}",
            "!!binary x: 1",
            "vllm: {a: !!int x}",
            "training_config: {1.5: {}, 2024-01-01: {}, ~: {}}",
        ]
    )
)
provisioners = st.sampled_from(["azure-gpu-provisioner", "karpenter", "byo"])


@settings(max_examples=150, deadline=None)
@given(objects(0, "Workspace"), objects(0, "Workspace"), yaml_texts, provisioners)
def test_every_workspace_gets_an_answer(old: dict[str, Any], new: dict[str, Any], text: str, provisioner: str) -> None:
    around = context(text, provisioner)
    old, new = apply_defaults(old), apply_defaults(new)
    for answer in (validate_create(new, around), validate_update(old, new, around), validate_update(new, new, around)):
        assert isinstance(answer, FieldErrors)
        assert bool(answer) == bool(str(answer))
    try:
        check_decoding(new)
    except DecodingError as error:
        assert str(error).startswith("decoding request failed: ")


@settings(max_examples=80, deadline=None)
@given(objects(1, "InferenceSet"), yaml_texts, provisioners)
def test_every_inferenceset_gets_an_answer(new: dict[str, Any], text: str, provisioner: str) -> None:
    assert isinstance(validate_inferenceset(apply_defaults(new), context(text, provisioner)), FieldErrors)


@settings(max_examples=200, deadline=None)
@given(yaml_texts)
def test_every_configuration_text_gets_an_answer(text: str) -> None:
    base = {
        "apiVersion": "kaito.sh/v1beta1",
        "metadata": {"name": "ws", "namespace": "default"},
        "resource": {"count": 1, "instanceType": "Standard_NC6s_v3", "labelSelector": {}},
    }
    tuning = {"preset": {"name": "phi-4"}, "method": "qlora", "config": "c", "input": {"urls": ["https://x.y/z"]}}
    inference = {"preset": {"name": "phi-4"}, "config": "c"}
    assert isinstance(
        validate_create({**base, "tuning": {**tuning, "output": {}}}, context(text, "karpenter")), FieldErrors
    )
    assert isinstance(validate_create({**base, "inference": inference}, context(text, "karpenter")), FieldErrors)
