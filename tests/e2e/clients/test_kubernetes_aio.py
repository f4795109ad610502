"""The official client's asyncio side, which ships in the same distribution."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio import client, config, watch
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.stream import WsApiClient

from tests.e2e.clients.conftest import NAMESPACE, POD

pytestmark = pytest.mark.e2e


@pytest.fixture
async def api(kubeconfig: str) -> AsyncIterator[client.ApiClient]:
    await config.load_kube_config(kubeconfig)
    async with client.ApiClient() as api:
        yield api


async def test_an_informer_of_lists_and_watches_sees_every_change_once(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    listed = await core.list_namespaced_config_map(NAMESPACE)
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        async with watch.Watch() as watching:
            async for event in watching.stream(
                core.list_namespaced_config_map,
                NAMESPACE,
                label_selector="from=aio",
                resource_version=listed.metadata.resource_version,
                timeout_seconds=20,
            ):
                seen.append((event["type"], event["object"].metadata.name))
                if event["type"] == "DELETED":
                    return

    following = asyncio.create_task(follow())
    body = {"metadata": {"name": "aio", "labels": {"from": "aio"}}, "data": {"a": "b"}}
    await core.create_namespaced_config_map(NAMESPACE, body)
    await core.patch_namespaced_config_map("aio", NAMESPACE, {"data": {"a": "c"}})
    # An object that stops matching the selector is deleted as far as this watch is concerned.
    await core.patch_namespaced_config_map("aio", NAMESPACE, {"metadata": {"labels": {"from": "elsewhere"}}})
    await following
    assert seen == [("ADDED", "aio"), ("MODIFIED", "aio"), ("DELETED", "aio")]
    await core.delete_namespaced_config_map("aio", NAMESPACE)


async def test_events_series_and_deletion_with_a_finalizer(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    held = {"metadata": {"name": "held", "finalizers": ["clients.example.com/hold"]}}
    created = await core.create_namespaced_config_map(NAMESPACE, held)
    await core.delete_namespaced_config_map("held", NAMESPACE)
    waiting = await core.read_namespaced_config_map("held", NAMESPACE)
    assert waiting.metadata.deletion_timestamp is not None
    with pytest.raises(ApiException) as refused:
        await core.patch_namespaced_config_map(
            "held", NAMESPACE, {"metadata": {"finalizers": ["clients.example.com/hold", "clients.example.com/more"]}}
        )
    assert refused.value.status == 422
    assert "no new finalizers can be added if the object is being deleted" in refused.value.body

    event = client.EventsV1Event(
        metadata=client.V1ObjectMeta(name="held.1"),
        event_time=waiting.metadata.deletion_timestamp.replace(microsecond=1),
        regarding=client.V1ObjectReference(
            api_version="v1", kind="ConfigMap", name="held", namespace=NAMESPACE, uid=created.metadata.uid
        ),
        action="Waiting",
        reason="Held",
        type="Normal",
        note="a finalizer holds it",
        reporting_controller="clients.example.com/test",
        reporting_instance="test-1",
    )
    events = client.EventsV1Api(api)
    await events.create_namespaced_event(NAMESPACE, event)
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}}
    await events.patch_namespaced_event("held.1", NAMESPACE, series)
    found = await core.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.uid={created.metadata.uid}")
    assert [(item.message, item.series.count) for item in found.items] == [("a finalizer holds it", 2)]

    await core.patch_namespaced_config_map("held", NAMESPACE, {"metadata": {"finalizers": None}})
    with pytest.raises(ApiException) as gone:
        await core.read_namespaced_config_map("held", NAMESPACE)
    assert gone.value.status == 404


async def test_dependents_are_collected_with_their_owner(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    owner = await core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    dependent = {"metadata": {"name": "dependent", "ownerReferences": [{**reference, "blockOwnerDeletion": True}]}}
    await core.create_namespaced_config_map(NAMESPACE, dependent)
    await core.delete_namespaced_config_map("owner", NAMESPACE, propagation_policy="Foreground")
    async with asyncio.timeout(20):
        while {item.metadata.name for item in (await core.list_namespaced_config_map(NAMESPACE)).items} & {
            "owner",
            "dependent",
        }:
            await asyncio.sleep(0.1)


async def test_exec_answers_over_a_websocket(api: client.ApiClient) -> None:
    async with WsApiClient() as streaming:
        core = client.CoreV1Api(streaming)
        answer = await core.connect_get_namespaced_pod_exec(
            POD, NAMESPACE, command=["sh", "-c", "echo out; echo err >&2"], stdout=True, stderr=True
        )
        assert sorted(answer.split()) == ["err", "out"]
        connecting = await core.connect_get_namespaced_pod_exec_without_preload_content(
            POD, NAMESPACE, command=["sh", "-c", "exit 7"], stdout=True
        )
        async with connecting as socket:
            async for message in socket:
                if message.data[0] == 3:
                    assert WsApiClient.parse_error_data(message.data[1:]) == 7
                    return
    raise AssertionError("no exit code was sent")


async def test_logs_are_read_with_a_tail(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    assert (await core.read_namespaced_pod_log(POD, NAMESPACE, limit_bytes=9)) == "listening"
    assert len((await core.read_namespaced_pod_log(POD, NAMESPACE, tail_lines=1)).splitlines()) == 1
