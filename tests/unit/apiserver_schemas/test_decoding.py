"""Decoding of built-in objects: Go's words for what does not fit, Go's form for what does."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.schemas import quantities, times
from kaito.embedded.apiserver.schemas.decoding import DecodeError, decode, decode_metadata

Json = dict[str, Any]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "spec", "metadata", "a"]), inner)
    ),
    max_leaves=10,
)


def pod(**spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def probed(probe: Json) -> Json:
    return pod(containers=[{"name": "c", "image": "i", "readinessProbe": probe}])


# Each pair was answered by a kube-apiserver 1.34.4.
MISFITS: list[tuple[Json, str]] = [
    (pod(hostNetwork="x"), "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"),
    (
        pod(containers="x"),
        "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
    ),
    (
        pod(containers=[1]),
        "json: cannot unmarshal number into Go struct field PodSpec.spec.containers of type v1.Container",
    ),
    (
        pod(containers=[{"name": 1}]),
        "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
    ),
    (
        pod(restartPolicy=1),
        "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
    ),
    (
        pod(terminationGracePeriodSeconds=1.5),
        "json: cannot unmarshal number 1.5 into Go struct field "
        "PodSpec.spec.terminationGracePeriodSeconds of type int64",
    ),
    (
        pod(nodeSelector={"a": 1}),
        "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector of type string",
    ),
    (
        pod(nodeSelector=[1]),
        "json: cannot unmarshal array into Go struct field PodSpec.spec.nodeSelector of type map[string]string",
    ),
    (
        probed({"httpGet": {"port": True}}),
        "json: cannot unmarshal bool into Go struct field "
        "HTTPGetAction.spec.containers.readinessProbe.httpGet.port of type int32",
    ),
    (
        probed({"initialDelaySeconds": 3000000000}),
        "json: cannot unmarshal number 3000000000 into Go struct field "
        "Probe.spec.containers.readinessProbe.initialDelaySeconds of type int32",
    ),
    (
        pod(containers=[{"name": "c", "resources": {"limits": {"cpu": "x"}}}]),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    (
        {**pod(), "metadata": {"creationTimestamp": "x"}},
        'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
    ),
    (
        {**pod(), "metadata": "x"},
        "json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta",
    ),
]


@pytest.mark.parametrize(
    ("obj", "message"), MISFITS, ids=lambda value: str(value)[-50:] if isinstance(value, str) else ""
)
def test_a_misfit_is_refused_in_gos_words(obj: Json, message: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(obj, "v1", "Pod")
    assert str(refused.value) == message


def test_a_secrets_data_is_bytes() -> None:
    with pytest.raises(DecodeError, match="illegal base64 data at input byte 0"):
        decode({"data": {"a": "???"}}, "v1", "Secret")


def test_unknown_fields_are_dropped_and_named_in_document_order() -> None:
    found = decode(pod(foo=1, containers=[{"name": "c", "zoo": 1}]), "v1", "Pod")
    assert found.unknown == ['unknown field "spec.containers[0].zoo"', 'unknown field "spec.foo"']
    assert "foo" not in found.object["spec"]


def test_empty_values_vanish_and_structs_appear() -> None:
    found = decode(
        pod(hostNetwork=False, nodeSelector={}, tolerations=[], volumes=[{"name": "v", "emptyDir": {}}]), "v1", "Pod"
    )
    assert found.object["spec"] == {
        "containers": [{"name": "c", "image": "i", "resources": {}}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    assert found.object["status"] == {}


def test_zero_behind_a_pointer_stays() -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 0, "minReadySeconds": 0}}
    spec = decode(body, "apps/v1", "Deployment").object["spec"]
    assert spec["replicas"] == 0
    assert "minReadySeconds" not in spec


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5", "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("2000", "2k"), ("1e3", "1e3"),
        ("0", "0"), ("0.5Ki", "512"), ("-1", "-1"), ("100m", "100m"), ("1500", "1500"), ("0.0000000001", "1n"),
    ],
)  # fmt: skip
def test_quantities_are_written_in_canonical_form(text: str, canonical: str) -> None:
    assert quantities.canonical(text) == canonical


@given(st.integers(-(10**6), 10**6), st.sampled_from(["", "m", "k", "Mi", "Gi", "n", "u", "G"]))
def test_a_canonical_quantity_stays_and_keeps_its_value(number: int, suffix: str) -> None:
    text = quantities.canonical(f"{number}{suffix}")
    assert quantities.canonical(text) == text
    assert quantities.value_of(text) == quantities.value_of(f"{number}{suffix}")


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for layout in (times.SECONDS_LAYOUT, times.MICRO_LAYOUT):
        try:
            times.parse(text, layout)
        except times.TimeError as error:
            assert text in str(error)


@given(
    st.sampled_from(builtin_kinds()), st.dictionaries(st.sampled_from(["metadata", "spec", "status", "data"]), values)
)
def test_any_json_is_decoded_or_refused_and_decoding_is_idempotent(kind: Any, body: Json) -> None:
    try:
        once = decode(body, kind.api_version, kind.kind).object
    except DecodeError:
        return
    again = decode(once, kind.api_version, kind.kind)
    assert again.object == once
    assert again.unknown == []


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), values))
def test_metadata_of_custom_resources_is_decoded_or_refused(body: Json) -> None:
    with contextlib.suppress(DecodeError):
        assert "metadata" in decode_metadata(body).object
