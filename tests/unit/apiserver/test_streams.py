"""Logs, exec and port-forward go to the kubelet of the pod's node; proxies to what listens in the cluster."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.unit.apiserver.conftest import AUTHORITY, Api, serving

PODS = "/api/v1/namespaces/default/pods"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


class FakeKubelet:
    """Answers logs, and echoes whatever comes over an upgraded connection, in upper case."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.peers: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self, folder: Path) -> None:
        AUTHORITY.issue("kubelet", hosts=["127.0.0.1"]).write(folder / "crt", folder / "key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "crt", folder / "key")
        context.load_verify_locations(cadata=AUTHORITY.ca_pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subject = writer.get_extra_info("peercert")["subject"]
        self.peers.append(next(value for part in subject for key, value in part if key == "commonName"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head)
        path = head.split(" ")[1]
        if path.startswith("/containerLogs"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n")
        elif "refuse" in path:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nno it")
        else:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data.upper())
                await writer.drain()
        await writer.drain()
        writer.close()


@pytest.fixture
async def kubelet(tmp_path: Path) -> AsyncIterator[FakeKubelet]:
    fake = FakeKubelet()
    await fake.start(tmp_path)
    yield fake
    await fake.stop()


@pytest.fixture
async def cluster(kubelet: FakeKubelet) -> AsyncIterator[Api]:
    """A server with a running pod `p` on a node of the fake kubelet."""
    client = AUTHORITY.issue("apiserver-client", organizations=["system:masters"], usage="client")
    async for api in serving(kubelet_client=client):
        node = {
            "metadata": {"name": "n"},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
            },
        }
        await api.post("/api/v1/nodes", node)
        await api.post(PODS, POD)
        await api.post(f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}})
        yield api


async def upgraded(api: Api, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """An open upgraded connection to the API server, and the head of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]), ssl=api.context)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {api.token}",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        "X-Stream-Protocol-Version: v4.channel.k8s.io",
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    return reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode()


async def test_logs_are_streamed_from_the_kubelet(cluster: Api, kubelet: FakeKubelet) -> None:
    answer = await cluster.get(f"{PODS}/p/log?tailLines=5&timestamps=true&bogus=1")
    assert (answer.status, answer.body) == (200, "hello\n")
    assert kubelet.requests[0].startswith("GET /containerLogs/default/p/c?timestamps=true&tailLines=5 HTTP/1.1")
    assert kubelet.peers == ["apiserver-client"]


async def test_an_upgraded_connection_carries_bytes_both_ways(cluster: Api, kubelet: FakeKubelet) -> None:
    path = f"{PODS}/p/exec?command=sh&command=-c&stdin=true&stdout=1&container=c"
    reader, writer, head = await upgraded(cluster, path)
    assert head.startswith("HTTP/1.1 101 ")
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"HELLO"
    large = b"x" * 3_000_000
    sending = asyncio.create_task(_send(writer, large))
    assert await reader.readexactly(len(large)) == large.upper()
    await sending
    writer.close()
    request = kubelet.requests[0]
    assert request.startswith("POST /exec/default/p/c?input=1&output=1&command=sh&command=-c HTTP/1.1")
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in request
    assert "uthorization" not in request


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_port_forward_names_its_ports(cluster: Api, kubelet: FakeKubelet) -> None:
    _, writer, head = await upgraded(cluster, f"{PODS}/p/portforward?ports=80")
    assert head.startswith("HTTP/1.1 101 ")
    writer.close()
    assert kubelet.requests[0].startswith("POST /portForward/default/p?port=80 HTTP/1.1")


async def test_what_the_kubelet_refuses_the_client_is_told(cluster: Api) -> None:
    _, writer, head = await upgraded(cluster, f"{PODS}/p/exec?command=refuse")
    assert head.startswith("HTTP/1.1 400 ")
    writer.close()


async def test_requests_that_make_no_sense(cluster: Api) -> None:
    assert (await cluster.get(f"{PODS}/p/exec?command=x")).message == "Upgrade request required"
    assert (await cluster.get(f"{PODS}/p/log?container=q")).message == "container q is not valid for pod p"
    assert (await cluster.get(f"{PODS}/nope/log")).status == 404
    negative = await cluster.get(f"{PODS}/p/log?tailLines=-1")
    assert negative.message == (
        'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'
    )
    await cluster.post(PODS, {**POD, "metadata": {"name": "unscheduled"}})
    assert (await cluster.get(f"{PODS}/unscheduled/log")).status == 204


async def test_a_kubelet_that_is_not_there_is_an_internal_error(cluster: Api, kubelet: FakeKubelet) -> None:
    await kubelet.stop()
    answer = await cluster.get(f"{PODS}/p/log")
    assert (answer.status, answer.reason) == (500, "InternalError")


async def test_a_request_is_proxied_to_a_pod_and_to_a_service(cluster: Api) -> None:
    async def greet(request: web.Request) -> web.Response:
        return web.json_response({"path": request.path, "query": request.query_string, "body": await request.text()})

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", greet)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        await cluster.patch(f"{PODS}/p/status", {"status": {"podIP": "127.0.0.1"}})
        pod = await cluster.get(f"{PODS}/p:{port}/proxy/chat/x?a=b")
        assert pod.body == {"path": "/chat/x", "query": "a=b", "body": ""}
        services = "/api/v1/namespaces/default/services"
        await cluster.post(services, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
        empty = await cluster.get(f"{services}/s/proxy/")
        assert (empty.status, empty.message) == (503, 'no endpoints available for service "s"')
        piece = {
            "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
            "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        }
        collection = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        assert (await cluster.post(collection, piece)).status in (201, 422)
        service = await cluster.post(f"{services}/s:80/proxy/chat", {"q": 1})
        assert service.status in (200, 503)
    finally:
        await runner.cleanup()


async def test_a_client_that_goes_away_ends_the_kubelet_s_side(cluster: Api) -> None:
    _, writer, _ = await upgraded(cluster, f"{PODS}/p/attach?stdin=true")
    writer.close()
    await asyncio.sleep(0.1)
    left = [task for task in asyncio.all_tasks() if "_upgrade" in repr(task.get_coro())]
    assert left == []


async def test_websocket_clients_may_carry_their_token_as_a_subprotocol(cluster: Api) -> None:
    import base64

    token = base64.urlsafe_b64encode(cluster.token.encode()).rstrip(b"=").decode()
    headers = {"Sec-WebSocket-Protocol": f"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{token}"}
    async with aiohttp.ClientSession() as session:
        url = f"{cluster.url}/api/v1/namespaces/default/configmaps"
        async with session.get(url, headers=headers, ssl=cluster.context) as answer:
            assert answer.status == 200
