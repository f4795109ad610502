"""Environment variables of containers."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.kubelet.fields import PodFacts, UnknownField
from kaito.embedded.kubelet.variables import BadConfiguration, container_variables, expand, service_variables
from kaito.kube.errors import NotFound

OBJECTS = {
    ("configmap", "cfg"): {"metadata": {"name": "cfg"}, "data": {"a": "1", "not a name": "x", "b.c": "2"}},
    ("secret", "sec"): {"metadata": {"name": "sec"}, "data": {"pw": base64.b64encode(b"s3").decode()}},
}
POD = {
    "metadata": {
        "name": "p",
        "namespace": "ns",
        "uid": "u",
        "labels": {"app": "x", "b": 'q"'},
        "annotations": {"k/x": "v"},
    },
    "spec": {"nodeName": "n", "serviceAccountName": "sa", "containers": [{"name": "c"}]},
}
FACTS = PodFacts(POD, "10.244.3.4", {"cpu": "4", "memory": "1Gi"})


async def lookup(kind, name):
    try:
        return OBJECTS[(kind, name)]
    except KeyError:
        raise NotFound("not there") from None


async def variables(container, **options):
    return await container_variables(
        container, FACTS, lookup, services=options.get("services", {}), base=options.get("base", {})
    )


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("100$", "100$"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text, expanded):
    assert expand(text, {"A": "1"}) == expanded


@given(st.text(alphabet="$()AB x", max_size=30))
def test_expansion_without_variables_changes_only_doubled_dollars(text):
    assert expand(text, {}).replace("$", "") == text.replace("$", "")


async def test_later_sources_win_and_earlier_variables_can_be_used():
    result = await variables(
        {
            "envFrom": [{"configMapRef": {"name": "cfg"}, "prefix": "P_"}],
            "env": [
                {"name": "A", "value": "$(P_a)-$(SVC)"},
                {"name": "B", "value": "$(A)!"},
                {"name": "SVC", "value": "mine"},
                {"name": "EMPTY"},
            ],
        },
        services={"SVC": "s"},
        base={"A": "base", "HOME": "/h"},
    )
    assert result == {
        "HOME": "/h",
        "P_a": "1",
        "P_b.c": "2",
        "A": "1-s",
        "B": "1-s!",
        "SVC": "mine",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "x"),
        ("metadata.annotations['k/x']", "v"),
        ("metadata.labels['none']", ""),
        ("metadata.labels", 'app="x"\nb="q\\""'),
        ("spec.nodeName", "n"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "127.0.0.1"),
        ("status.podIP", "127.244.3.4"),
        ("status.podIPs", "127.244.3.4"),
    ],
)
async def test_fields_of_the_pod(path, value):
    assert (await variables({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}))["X"] == value


def test_an_unknown_field_is_refused():
    with pytest.raises(UnknownField, match=r"unsupported fieldPath: spec\.x"):
        FACTS.field("spec.x")


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "1024"),
        ({"resource": "requests.memory"}, "0"),
    ],
)
async def test_resources_are_divided_and_rounded_up_and_default_to_the_node(reference, value):
    container = {
        "resources": {"limits": {"cpu": "500m"}},
        "env": [{"name": "X", "valueFrom": {"resourceFieldRef": reference}}],
    }
    assert (await variables(container))["X"] == value


async def test_secrets_and_config_maps_by_key():
    result = await variables(
        {
            "env": [
                {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "pw"}}},
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}},
                {"name": "NO", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": True}}},
                {"name": "NK", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "k", "optional": True}}},
            ],
            "envFrom": [{"secretRef": {"name": "none", "optional": True}}],
        }
    )
    assert result == {"PW": "s3", "A": "1"}


@pytest.mark.parametrize(
    ("container", "sentence"),
    [
        ({"envFrom": [{"configMapRef": {"name": "none"}}]}, 'configmap "none" not found'),
        (
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]},
            'secret "none" not found',
        ),
        (
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "k"}}}]},
            "couldn't find key k in Secret ns/sec",
        ),
        ({"env": [{"name": "X", "valueFrom": {"fileKeyRef": {}}}]}, "valueFrom.fileKeyRef is not implemented"),
        ({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}, "unsupported fieldPath"),
    ],
)
async def test_what_is_not_there_is_named(container, sentence):
    with pytest.raises(BadConfiguration, match=sentence):
        await variables(container)


def test_services_are_announced_as_docker_links_were():
    service = {
        "metadata": {"name": "my-svc"},
        "spec": {"clusterIP": "127.96.0.9", "ports": [{"name": "http", "port": 80}, {"name": "x", "port": 81}]},
    }
    headless = {"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
    found = service_variables([service, headless])
    assert found["MY_SVC_SERVICE_HOST"] == "127.96.0.9"
    assert found["MY_SVC_SERVICE_PORT"] == "80"
    assert found["MY_SVC_SERVICE_PORT_X"] == "81"
    assert found["MY_SVC_PORT"] == "tcp://127.96.0.9:80"
    assert found["MY_SVC_PORT_81_TCP_ADDR"] == "127.96.0.9"
    assert not any(name.startswith("H_") for name in found)
