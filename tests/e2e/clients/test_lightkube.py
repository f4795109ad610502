"""lightkube: typed models, server-side apply with a field manager, watches and logs."""

from __future__ import annotations

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod, Service
from lightkube.types import PatchType

from tests.e2e.clients.conftest import GROUP, NAMESPACE, POD, VERSION

pytestmark = pytest.mark.e2e
Widget = create_namespaced_resource(GROUP, VERSION, "Widget", "widgets")


@pytest.fixture
def client(kubeconfig: str) -> Client:
    return Client(KubeConfig.from_file(kubeconfig).get(), namespace=NAMESPACE, field_manager="first", trust_env=False)


def test_objects_are_created_replaced_patched_listed_and_deleted(client: Client) -> None:
    made = client.create(
        ConfigMap(metadata=ObjectMeta(name="lightkube", labels={"from": "lightkube"}), data={"a": "b"})
    )
    assert made.metadata is not None
    assert made.data is not None
    stale = ConfigMap.from_dict(made.to_dict())
    made.data["a"] = "c"
    assert client.replace(made).data == {"a": "c"}
    with pytest.raises(ApiError) as refused:
        client.replace(stale)
    assert refused.value.status.code == 409
    assert (
        "the object has been modified; please apply your changes to the latest version" in refused.value.status.message
    )
    patched = client.patch(ConfigMap, "lightkube", {"data": {"d": "e"}}, patch_type=PatchType.MERGE)
    assert patched.data == {"a": "c", "d": "e"}
    listed = client.list(ConfigMap, labels={"from": "lightkube"}, fields={"metadata.name": "lightkube"})
    assert [item.metadata.name for item in listed if item.metadata] == ["lightkube"]
    client.delete(ConfigMap, "lightkube")
    with pytest.raises(ApiError) as gone:
        client.get(ConfigMap, "lightkube")
    assert gone.value.status.reason == "NotFound"


def test_two_field_managers_share_an_object_and_conflict_over_a_field(client: Client) -> None:
    def service(**spec: object) -> Service:
        return Service.from_dict({"metadata": {"name": "shared"}, "spec": spec})

    port = {"name": "web", "port": 80, "protocol": "TCP"}
    client.apply(service(ports=[port], selector={"app": "one"}))
    second = service(ports=[{"name": "more", "port": 81, "protocol": "TCP"}])
    applied = client.apply(second, field_manager="second")
    assert applied.spec is not None
    assert sorted(item.name for item in applied.spec.ports or [] if item.name) == ["more", "web"]
    with pytest.raises(ApiError) as refused:
        client.apply(service(ports=[port], selector={"app": "two"}), field_manager="second")
    assert 'conflict with "first"' in str(refused.value)
    taken = client.apply(service(ports=[port], selector={"app": "two"}), field_manager="second", force=True)
    assert taken.spec is not None
    assert taken.spec.selector == {"app": "two"}
    assert [item.name for item in taken.spec.ports or []] == ["web"]
    client.delete(Service, "shared")


def test_a_custom_resource_is_applied_and_its_status_too(client: Client) -> None:
    client.apply(Widget(metadata=ObjectMeta(name="lightkube"), spec={"size": 2}))
    status = Widget(metadata=ObjectMeta(name="lightkube"), status={"phase": "Made"})
    answered = client.apply(Widget.Status.from_dict(status.to_dict()), name="lightkube", field_manager="status")
    assert answered["status"] == {"phase": "Made"}
    assert answered["spec"] == {"size": 2, "colour": "grey"}
    fields = {entry.manager: entry.subresource for entry in answered.metadata.managedFields}
    assert fields == {"first": None, "status": "status"}
    client.delete(Widget, "lightkube")


def test_a_watch_follows_a_pod_from_pending_to_succeeded_and_its_log_is_read(client: Client) -> None:
    container = Container(name="main", image="busybox", command=["sh", "-c", "echo one; echo two"])
    spec = PodSpec(containers=[container], restartPolicy="Never")
    made = client.create(Pod(metadata=ObjectMeta(name="lightkube"), spec=spec))
    assert made.metadata is not None
    phases: list[str] = []
    for _, pod in client.watch(
        Pod, fields={"metadata.name": "lightkube"}, resource_version=made.metadata.resourceVersion, server_timeout=30
    ):
        if pod.status and pod.status.phase and pod.status.phase not in phases:
            phases.append(pod.status.phase)
        if phases[-1:] == ["Succeeded"]:
            break
    assert phases[-1] == "Succeeded"
    assert list(client.log("lightkube", newlines=False)) == ["one", "two"]
    assert next(iter(client.log(POD, follow=True))) == "listening\n"
    client.delete(Pod, "lightkube")
