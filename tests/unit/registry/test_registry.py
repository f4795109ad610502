"""The registry speaks the OCI distribution API, keeps what it acknowledged and lets nobody in without credentials."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.registry.errors import RegistryError
from kaito.embedded.registry.server import Credentials, RegistryServer
from kaito.embedded.registry.storage import Storage

CREDENTIALS = Credentials("pusher", "a password")
REPOSITORY = "demo.azurecr.io/adapters/phi-3"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RegistryServer]:
    registry = RegistryServer(tmp_path / "registry", CREDENTIALS)
    await registry.start()
    yield registry
    await registry.stop()


@pytest.fixture
async def client(server: RegistryServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, headers={"Authorization": CREDENTIALS.basic}) as session:
        yield session


async def push_blob(client: aiohttp.ClientSession, content: bytes, repository: str = REPOSITORY) -> str:
    started = await client.post(f"/v2/{repository}/blobs/uploads/")
    assert started.status == 202
    ended = await client.put(started.headers["Location"], params={"digest": sha256(content)}, data=content)
    assert ended.status == 201, await ended.text()
    return sha256(content)


async def push_manifest(client: aiohttp.ClientSession, tag: str, *layers: str) -> aiohttp.ClientResponse:
    config = await push_blob(client, b"{}")
    manifest = {"schemaVersion": 2, "config": {"digest": config}, "layers": [{"digest": layer} for layer in layers]}
    return await client.put(
        f"/v2/{REPOSITORY}/manifests/{tag}", data=json.dumps(manifest), headers={"Content-Type": MANIFEST}
    )


@pytest.mark.parametrize("authorization", [None, "Basic", "Basic !!", "Bearer abc", Credentials("pusher", "x").basic])
async def test_every_address_refuses_missing_and_wrong_credentials(
    server: RegistryServer, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        for path in ("/v2/", "/v2/_catalog", f"/v2/{REPOSITORY}/tags/list"):
            answer = await session.get(path)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
            assert (await answer.json())["errors"][0]["code"] == "UNAUTHORIZED"


async def test_an_image_pushed_in_chunks_comes_back_byte_for_byte_and_by_range(client: aiohttp.ClientSession) -> None:
    layer = bytes(range(256)) * 500
    started = await client.post(f"/v2/{REPOSITORY}/blobs/uploads/")
    location = started.headers["Location"]
    for start in range(0, len(layer), 50_000):
        chunk = layer[start : start + 50_000]
        end = start + len(chunk) - 1
        answer = await client.patch(location, data=chunk, headers={"Content-Range": f"{start}-{end}"})
        assert answer.status == 202
        assert answer.headers["Range"] == f"0-{end}"
    assert (await client.put(location, params={"digest": sha256(layer)})).status == 201
    assert (await push_manifest(client, "v1", sha256(layer))).status == 201

    manifest = await client.get(f"/v2/{REPOSITORY}/manifests/v1")
    assert manifest.headers["Content-Type"] == MANIFEST
    assert manifest.headers["Docker-Content-Digest"] == sha256(await manifest.read())
    blob = f"/v2/{REPOSITORY}/blobs/{sha256(layer)}"
    assert await (await client.get(blob)).read() == layer
    partial = await client.get(blob, headers={"Range": "bytes=1000-1999"})
    assert partial.status == 206
    assert await partial.read() == layer[1000:2000]
    assert (await (await client.get(f"/v2/{REPOSITORY}/tags/list")).json())["tags"] == ["v1"]
    assert (await (await client.get("/v2/_catalog")).json())["repositories"] == [REPOSITORY]


async def test_a_chunk_out_of_order_is_refused_and_changes_nothing(client: aiohttp.ClientSession) -> None:
    location = (await client.post(f"/v2/{REPOSITORY}/blobs/uploads/")).headers["Location"]
    await client.patch(location, data=b"abc", headers={"Content-Range": "0-2"})
    answer = await client.patch(location, data=b"xyz", headers={"Content-Range": "7-9"})
    assert answer.status == 416
    assert (await client.put(location, params={"digest": sha256(b"abc")})).status == 201


async def test_bytes_that_do_not_match_their_digest_are_refused_and_dropped(client: aiohttp.ClientSession) -> None:
    location = (await client.post(f"/v2/{REPOSITORY}/blobs/uploads/")).headers["Location"]
    answer = await client.put(location, params={"digest": sha256(b"something else")}, data=b"abc")
    assert answer.status == 400
    assert (await answer.json())["errors"][0]["code"] == "DIGEST_INVALID"
    assert (await client.put(location, params={"digest": sha256(b"abc")}, data=b"abc")).status == 404


async def test_a_manifest_must_be_json_whose_blobs_are_there(client: aiohttp.ClientSession) -> None:
    missing = await push_manifest(client, "v1", sha256(b"never pushed"))
    assert (missing.status, (await missing.json())["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")
    for body in (b"no json", b"[]", b'{"config": {}}'):
        answer = await client.put(f"/v2/{REPOSITORY}/manifests/v1", data=body)
        assert (await answer.json())["errors"][0]["code"] == "MANIFEST_INVALID"
    assert (await client.get(f"/v2/{REPOSITORY}/manifests/v1")).status == 404


async def test_a_blob_is_not_readable_through_a_repository_that_does_not_hold_it(client: aiohttp.ClientSession) -> None:
    digest = await push_blob(client, b"mine")
    assert (await client.get(f"/v2/someone/else/blobs/{digest}")).status == 404
    mounted = await client.post("/v2/someone/else/blobs/uploads/", params={"mount": digest, "from": REPOSITORY})
    assert mounted.status == 201
    assert await (await client.get(f"/v2/someone/else/blobs/{digest}")).read() == b"mine"


async def test_content_survives_a_restart(tmp_path: Path) -> None:
    first = RegistryServer(tmp_path, CREDENTIALS)
    async with aiohttp.ClientSession(await first.start(), headers={"Authorization": CREDENTIALS.basic}) as client:
        digest = await push_blob(client, b"layer")
        assert (await push_manifest(client, "v1", digest)).status == 201
    await first.stop()
    second = RegistryServer(tmp_path, CREDENTIALS)
    async with aiohttp.ClientSession(await second.start(), headers={"Authorization": CREDENTIALS.basic}) as client:
        assert (await client.get(f"/v2/{REPOSITORY}/manifests/v1")).status == 200
    await second.stop()


@given(st.text(max_size=40) | st.sampled_from(["..", "a/../b", "/a", "a/", "A", "a//b", "_layers", "a/_tags/x"]))
def test_no_name_reaches_outside_the_registrys_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "names"
    storage = Storage(root)
    try:
        storage.link_blob(name, sha256(b""))
    except RegistryError:
        return
    inside = (root / "repositories").resolve()
    assert (root / "repositories" / name).resolve().is_relative_to(inside)
    assert all(not part.startswith("_") for part in name.split("/"))
