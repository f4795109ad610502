"""The official Python client, synchronous: the way most scripts talk to a cluster."""

from __future__ import annotations

import datetime
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, stream, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.e2e.clients.conftest import API_VERSION, GROUP, NAMESPACE, PAGE, POD, PORT, VERSION, widget

pytestmark = pytest.mark.e2e


@pytest.fixture
def api(kubeconfig: str) -> Iterator[client.ApiClient]:
    config.load_kube_config(kubeconfig)
    with client.ApiClient() as api:
        yield api


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


def config_map(name: str, **data: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"from": "kubernetes"}), data=data)


def test_config_maps_are_created_listed_in_pages_patched_and_deleted(core: client.CoreV1Api) -> None:
    for index in range(5):
        created = core.create_namespaced_config_map(NAMESPACE, config_map(f"page-{index}", n=str(index)))
        assert created.metadata.uid
        assert created.metadata.creation_timestamp.tzinfo is not None
    names: list[str] = []
    more: str | None = None
    while more != "":
        page = core.list_namespaced_config_map(NAMESPACE, label_selector="from=kubernetes", limit=2, _continue=more)
        assert len(page.items) <= 2
        names += [item.metadata.name for item in page.items]
        more = page.metadata._continue or ""
    assert names == [f"page-{index}" for index in range(5)]

    patched = core.patch_namespaced_config_map("page-0", NAMESPACE, {"data": {"n": None, "m": "1"}})
    assert patched.data == {"m": "1"}
    patched = core.patch_namespaced_config_map("page-0", NAMESPACE, [{"op": "add", "path": "/data/x", "value": "y"}])
    assert patched.data == {"m": "1", "x": "y"}
    stale = config_map("page-0", n="late")
    stale.metadata.resource_version = created.metadata.resource_version
    with pytest.raises(ApiException) as refused:
        core.replace_namespaced_config_map("page-0", NAMESPACE, stale)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="from=kubernetes")
    assert not core.list_namespaced_config_map(NAMESPACE, label_selector="from=kubernetes").items


def test_a_watch_resumes_where_the_list_ended(core: client.CoreV1Api) -> None:
    listed = core.list_namespaced_config_map(NAMESPACE)
    core.create_namespaced_config_map(NAMESPACE, config_map("watched", a="1"))
    core.patch_namespaced_config_map("watched", NAMESPACE, {"data": {"a": "2"}})
    core.delete_namespaced_config_map("watched", NAMESPACE)
    seen = [
        (event["type"], event["object"].data["a"])
        for event in watch.Watch().stream(
            core.list_namespaced_config_map,
            NAMESPACE,
            field_selector="metadata.name=watched",
            resource_version=listed.metadata.resource_version,
            timeout_seconds=1,
        )
    ]
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_custom_objects_are_validated_defaulted_and_keep_their_status_apart(api: client.ApiClient) -> None:
    custom = client.CustomObjectsApi(api)
    place = (GROUP, VERSION, NAMESPACE, "widgets")
    created = custom.create_namespaced_custom_object(*place, widget("from-custom", size=3))
    assert created["spec"] == {"size": 3, "colour": "grey"}
    with pytest.raises(ApiException) as refused:
        custom.create_namespaced_custom_object(*place, widget("too-small", size=0))
    assert refused.value.status == 422
    assert "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1" in refused.value.body

    status = {"status": {"phase": "Made"}, "spec": {"size": 9}}
    answer = custom.patch_namespaced_custom_object_status(*place, "from-custom", status)
    assert (answer["status"], answer["spec"]["size"]) == ({"phase": "Made"}, 3)
    assert answer["metadata"]["generation"] == 1
    answer = custom.patch_namespaced_custom_object(*place, "from-custom", {"spec": {"size": 4}, "status": {}})
    assert (answer["status"], answer["metadata"]["generation"]) == ({"phase": "Made"}, 2)
    custom.delete_namespaced_custom_object(*place, "from-custom")


def test_the_dynamic_client_discovers_applies_and_watches(api: client.ApiClient) -> None:
    found = dynamic.DynamicClient(api)
    widgets = found.resources.get(api_version=API_VERSION, kind="Widget")
    assert (widgets.name, widgets.singular_name, widgets.namespaced) == ("widgets", "widget", True)
    applied = widgets.server_side_apply(
        body=widget("applied", size=1), name="applied", namespace=NAMESPACE, field_manager="first"
    )
    version = applied.metadata.resourceVersion
    with pytest.raises(dynamic.exceptions.ConflictError) as refused:
        widgets.server_side_apply(
            body=widget("applied", size=2), name="applied", namespace=NAMESPACE, field_manager="second"
        )
    assert 'conflict with \\"first\\": .spec.size' in str(refused.value.body)
    widgets.server_side_apply(
        body=widget("applied", size=2),
        name="applied",
        namespace=NAMESPACE,
        field_manager="second",
        force_conflicts=True,
    )
    owners = {entry.manager for entry in widgets.get(name="applied", namespace=NAMESPACE).metadata.managedFields}
    assert owners == {"second"}
    event = next(iter(widgets.watch(namespace=NAMESPACE, name="applied", resource_version=version, timeout=5)))
    assert (event["type"], event["object"].spec.size) == ("MODIFIED", 2)
    widgets.delete(name="applied", namespace=NAMESPACE)


def test_a_pods_logs_are_read_whole_and_followed(core: client.CoreV1Api) -> None:
    assert core.read_namespaced_pod_log(POD, NAMESPACE).splitlines()[0] == "listening"
    following = core.read_namespaced_pod_log(POD, NAMESPACE, follow=True, _preload_content=False)
    assert next(iter(following.stream())).startswith(b"listening")
    following.close()
    following.release_conn()


def test_exec_separates_the_streams_and_tells_the_exit_code(core: client.CoreV1Api) -> None:
    run = stream.stream(
        core.connect_get_namespaced_pod_exec,
        POD,
        NAMESPACE,
        command=["sh", "-c", "read line; echo got $line; echo trouble >&2; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    run.write_stdin("a line\n")
    run.run_forever(timeout=20)
    assert run.read_stdout() == "got a line\n"
    assert run.read_stderr() == "trouble\n"
    assert run.returncode == 3
    run.close()


def test_port_forward_reaches_the_server_in_the_pod(core: client.CoreV1Api) -> None:
    forward = stream.portforward(core.connect_get_namespaced_pod_portforward, POD, NAMESPACE, ports=str(PORT))
    connection: socket.socket = forward.socket(PORT)
    connection.settimeout(20)
    connection.sendall(b"GET /index.html HTTP/1.0\r\nHost: pod\r\n\r\n")
    answer = b""
    while chunk := connection.recv(4096):
        answer += chunk
    assert answer.startswith(b"HTTP/1.0 200")
    assert PAGE.encode() in answer
    assert forward.error(PORT) is None
    connection.close()


def test_leases_elect_one_leader_and_refuse_a_stale_update(api: client.ApiClient) -> None:
    led = threading.Event()

    def lead() -> None:
        led.set()
        raise InterruptedError("led long enough")

    def elect(identity: str, started: Any) -> leaderelection.LeaderElection:
        lock = LeaseLock("leader", NAMESPACE, identity)
        lock.api_instance = client.CoordinationV1Api(api)
        return leaderelection.LeaderElection(
            electionconfig.Config(
                lock,
                lease_duration=15,
                renew_deadline=10,
                retry_period=1,
                onstarted_leading=started,
                onstopped_leading=lambda: None,
            )
        )

    first = elect("first", lead)
    first.run()  # Returns when the leader's work fails.
    assert led.is_set()
    assert not elect("second", lead).try_acquire_or_renew()
    leases = client.CoordinationV1Api(api)
    lease = leases.read_namespaced_lease("leader", NAMESPACE)
    assert lease.spec.holder_identity == "first"
    assert lease.spec.lease_duration_seconds == 15
    assert datetime.datetime.now(datetime.UTC) - lease.spec.renew_time < datetime.timedelta(minutes=1)
    assert first.try_acquire_or_renew()
    lease.spec.holder_identity = "second"
    with pytest.raises(ApiException) as refused:
        leases.replace_namespaced_lease("leader", NAMESPACE, lease)
    assert refused.value.status == 409


def test_a_token_of_a_service_account_may_do_what_its_role_grants(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    rbac = client.RbacAuthorizationV1Api(api)
    core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": "reader"}})
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
    rbac.create_namespaced_role(NAMESPACE, {"metadata": {"name": "reader"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    rbac.create_namespaced_role_binding(
        NAMESPACE, {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": role}
    )
    token = core.create_namespaced_service_account_token("reader", NAMESPACE, {"spec": {"expirationSeconds": 600}})
    settings = client.Configuration(host=api.configuration.host)
    settings.ssl_ca_cert = api.configuration.ssl_ca_cert
    settings.api_key = {"authorization": f"Bearer {token.status.token}"}
    with client.ApiClient(settings) as limited:
        reader = client.CoreV1Api(limited)
        reader.list_namespaced_config_map(NAMESPACE)
        with pytest.raises(ApiException) as refused:
            reader.list_namespaced_secret(NAMESPACE)
    assert refused.value.status == 403
    assert (
        f'User "system:serviceaccount:{NAMESPACE}:reader" cannot list resource "secrets"'
        in json.loads(refused.value.body)["message"]
    )
