"""Pod templates and volumes are decoded strictly."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.api.validation import DecodingError, check_decoding

GOOD = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "resources": {"limits": {"nvidia.com/gpu": 1, "cpu": "500m"}},
                "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "volumeMounts": None,
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
        "affinity": {"nodeAffinity": {}},
    },
}


def workspace(template: Any) -> dict[str, Any]:
    return {"inference": {"template": template}}


def test_a_proper_template_passes() -> None:
    check_decoding(workspace(GOOD))
    check_decoding({"tuning": {"input": {"volumeSource": {"persistentVolumeClaim": {"claimName": "x"}}}}})
    check_decoding({})


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ({"spec": {"containres": []}}, 'json: unknown field "containres"'),
        (
            {"spec": {"containers": {}}},
            "object into Go struct field PodSpec.inference.template.spec.containers of type",
        ),
        (
            {"spec": {"nodeName": 5}},
            "number into Go struct field PodSpec.inference.template.spec.nodeName of type string",
        ),
        ({"spec": {"hostNetwork": "yes"}}, "cannot unmarshal string .* of type bool"),
        ({"spec": {"nodeSelector": {"a": 1}}}, "cannot unmarshal number .* of type string"),
        ({"spec": {"overhead": {"cpu": "one"}}}, "quantities must match"),
        ([], "cannot unmarshal array into Go struct field InferenceSpec.inference.template of type v1.PodTemplateSpec"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(template: Any, problem: str) -> None:
    with pytest.raises(DecodingError, match=f"decoding request failed: cannot decode incoming new object: .*{problem}"):
        check_decoding(workspace(template))


@pytest.mark.parametrize("metadata", [[], {"annotations": {"a": 1}}, {"labels": []}, {"foo": "x"}])
def test_the_metadata_of_an_inferencesets_template_is_decoded_too(metadata: Any) -> None:
    with pytest.raises(DecodingError):
        check_decoding({"kind": "InferenceSet", "spec": {"template": {"metadata": metadata}}})


def test_names_are_matched_without_regard_to_case_as_in_go() -> None:
    check_decoding(workspace({"Spec": {"CONTAINERS": []}}))
