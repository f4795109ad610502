"""What an operator built on controller-runtime sends, request by request: no Go is needed to ask the same questions."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yaml

from tests.e2e.clients.conftest import API_VERSION, GROUP, NAMESPACE, widget

pytestmark = pytest.mark.e2e

DISCOVERY = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TYPED = "application/vnd.kubernetes.protobuf,application/json"
"""A typed cache prefers protobuf and takes JSON, which is what the embedded server answers."""
WIDGETS = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/widgets"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


@pytest.fixture
async def http(kubeconfig: str) -> AsyncIterator[aiohttp.ClientSession]:
    """HTTP to the server that the kubeconfig names, as the user it names."""
    with open(kubeconfig) as file:
        config = yaml.safe_load(file)
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    headers = {"User-Agent": "manager/v0.0.0 (linux/amd64) kubernetes/$Format"}
    token = config["users"][0]["user"].get("token")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority))
    server = config["clusters"][0]["cluster"]["server"]
    async with aiohttp.ClientSession(server, connector=connector, headers=headers) as session:
        yield session


async def watch(http: aiohttp.ClientSession, path: str, accept: str, **parameters: str) -> list[dict[str, Any]]:
    """The events of a watch until its time has come."""
    query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "1", **parameters}
    async with http.get(path, params=query, headers={"Accept": accept}) as answer:
        assert answer.status == 200, await answer.text()
        return [json.loads(line) async for line in answer.content]


async def test_the_rest_mapper_finds_kinds_scopes_and_subresources(http: aiohttp.ClientSession) -> None:
    async with http.get("/apis", headers={"Accept": DISCOVERY}) as answer:
        assert "as=APIGroupDiscoveryList" in answer.headers["Content-Type"]
        found = {group["metadata"]["name"]: group for group in (await answer.json())["items"]}
    (version,) = found[GROUP]["versions"]
    (resource,) = version["resources"]
    assert (resource["resource"], resource["scope"]) == ("widgets", "Namespaced")
    assert resource["responseKind"] == {"group": GROUP, "version": "v1", "kind": "Widget"}
    assert [each["subresource"] for each in resource["subresources"]] == ["status"]
    # Older ones ask group by group.
    async with http.get(f"/apis/{API_VERSION}") as answer:
        assert [each["name"] for each in (await answer.json())["resources"]] == ["widgets", "widgets/status"]


async def test_a_cache_is_filled_by_a_streaming_list_or_by_list_and_watch(
    http: aiohttp.ClientSession, kaito_tier: str
) -> None:
    accept = TYPED if kaito_tier == "embedded" else "application/json"
    content = {"metadata": {"name": "cached", "labels": {"cache": "yes"}}, "data": {"a": "b"}}
    async with http.post(CONFIG_MAPS, json=content) as answer:
        assert answer.status == 201
    streamed = await watch(
        http,
        CONFIG_MAPS,
        accept,
        labelSelector="cache=yes",
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
    )
    assert [event["type"] for event in streamed[:2]] == ["ADDED", "BOOKMARK"]
    annotations = streamed[1]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}

    async with http.get(
        CONFIG_MAPS, params={"limit": "500", "resourceVersion": "0", "labelSelector": "cache=yes"}
    ) as got:
        listed = await got.json()
    assert [item["metadata"]["name"] for item in listed["items"]] == ["cached"]
    async with http.delete(f"{CONFIG_MAPS}/cached") as answer:
        assert answer.status == 200
    version = listed["metadata"]["resourceVersion"]
    resumed = await watch(http, CONFIG_MAPS, accept, labelSelector="cache=yes", resourceVersion=version)
    assert [event["type"] for event in resumed if event["type"] != "BOOKMARK"] == ["DELETED"]


async def test_a_metadata_only_cache_gets_metadata_only(http: aiohttp.ClientSession) -> None:
    async with http.post(WIDGETS, json=widget("metadata", size=1)) as answer:
        assert answer.status == 201
    async with http.get(WIDGETS, headers={"Accept": METADATA_LIST}) as answer:
        listed = await answer.json()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert all(item["kind"] == "PartialObjectMetadata" and "spec" not in item for item in listed["items"])
    events = await watch(http, WIDGETS, METADATA, resourceVersion="0", fieldSelector="metadata.name=metadata")
    assert events[0]["object"]["kind"] == "PartialObjectMetadata"
    assert events[0]["object"].keys() == {"kind", "apiVersion", "metadata"}
    async with http.delete(f"{WIDGETS}/metadata"):
        pass


async def test_status_is_written_by_patch_put_and_apply_and_counts_no_generation(http: aiohttp.ClientSession) -> None:
    async with http.post(WIDGETS, json=widget("reconciled", size=1)) as answer:
        made = await answer.json()
    at = f"{WIDGETS}/reconciled"
    merge = {"Content-Type": "application/merge-patch+json"}
    locked = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "status": {"phase": "Seen"}}
    async with http.patch(f"{at}/status", json=locked, headers=merge) as answer:
        seen = await answer.json()
    assert (seen["status"], seen["metadata"]["generation"]) == ({"phase": "Seen"}, 1)
    async with http.patch(f"{at}/status", json=locked, headers=merge) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (409, "Conflict")
    async with http.put(f"{at}/status", json={**seen, "status": {"phase": "Put"}, "spec": {"size": 7}}) as answer:
        put = await answer.json()
    assert (put["status"], put["spec"]["size"]) == ({"phase": "Put"}, 1)
    applied = {
        "apiVersion": API_VERSION,
        "kind": "Widget",
        "metadata": {"name": "reconciled"},
        "status": {"ready": True},
    }
    query = {"fieldManager": "reconciler", "force": "true"}
    apply = {"Content-Type": "application/apply-patch+yaml"}
    async with http.patch(f"{at}/status", data=json.dumps(applied), params=query, headers=apply) as answer:
        assert (await answer.json())["status"] == {"phase": "Put", "ready": True}
    async with http.patch(f"{at}/status", data=json.dumps(applied), params=query, headers=apply) as answer:
        once = await answer.json()
    async with http.patch(f"{at}/status", data=json.dumps(applied), params=query, headers=apply) as answer:
        again = await answer.json()
    assert again["metadata"]["resourceVersion"] == once["metadata"]["resourceVersion"]

    wrong = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    async with http.delete(at, json=wrong) as answer:
        assert answer.status == 409
    async with http.delete(at, json={"preconditions": {"uid": made["metadata"]["uid"]}}) as answer:
        assert answer.status == 200
