"""The service proxy with real sockets: ClusterIPs, node ports, the HTTP forward proxy."""

import asyncio
import random

import aiohttp
import pytest

from kaito.embedded.addresses import pod_address
from kaito.embedded.proxy.service_proxy import ServiceProxy
from kaito.kube.clock import SystemClock
from kaito.kube.fake import FakeClient
from kaito.kube.resources import ENDPOINT_SLICES, EVENTS, SERVICES

pytestmark = pytest.mark.timeout(20)


class Pod:
    """Answers every connection with its name after one line."""

    def __init__(self, name):
        self.name = name

    async def start(self):
        self.ip = f"127.244.{random.randrange(1, 255)}.{random.randrange(2, 255)}"
        self.server = await asyncio.start_server(self.serve, self.ip, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader, writer):
        data = await reader.read(65536)
        if data.startswith((b"GET", b"POST")):
            self.request = data
            body = f"{self.name}"
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        else:
            while more := await reader.read(65536):
                data += more
            writer.write(self.name.encode() + b":" + str(len(data)).encode())
        await writer.drain()
        writer.close()

    def endpoint(self):
        return {"addresses": [pod_address(self.ip)], "conditions": {"ready": True}}


class World:
    def __init__(self, **options):
        self.clock = SystemClock()
        self.client = FakeClient(clock=self.clock)
        self.proxy = ServiceProxy(self.client, **options)
        self.ip = f"127.96.{random.randrange(1, 255)}.{random.randrange(2, 255)}"
        self.port = random.randrange(20000, 60000)

    def service(self, *ports, name="s", **spec):
        ports = ports or ({"name": "http", "port": self.port},)
        return self.client.seed(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": "ns"},
                "spec": {"clusterIP": self.ip, "ports": list(ports), **spec},
            }
        )

    def slices(self, *pods, name="s"):
        return self.client.seed(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{name}-1",
                    "namespace": "ns",
                    "labels": {"kubernetes.io/service-name": name},
                },
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": pods[0].port if pods else 1}],
                "endpoints": [pod.endpoint() for pod in pods],
            }
        )

    async def listens(self, address, yes=True):
        async with asyncio.timeout(5):
            while (address in self.proxy.listening()) is not yes:
                await asyncio.sleep(0.01)

    async def ask(self, address, data=b"hello"):
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(data)
            writer.write_eof()
            return (await reader.read()).decode()
        finally:
            writer.close()


@pytest.fixture
async def world():
    world = World(force_http_proxy=True)
    await world.proxy.start()
    task = asyncio.create_task(world.proxy.run())
    yield world
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.proxy.listening() == set()


@pytest.fixture
async def pods():
    pods = [await Pod("one").start(), await Pod("two").start()]
    pods[1].server.close()
    pods[1].server = await asyncio.start_server(pods[1].serve, pods[1].ip, pods[0].port)
    pods[1].port = pods[0].port
    yield pods
    for pod in pods:
        pod.server.close()


async def test_connections_reach_ready_pods_in_turn_and_keep_half_closes(world, pods):
    world.service()
    world.slices(*pods)
    address = (world.ip, world.port)
    await world.listens(address)
    answers = {await world.ask(address) for _ in range(4)}
    assert answers == {"one:5", "two:5"}
    data = b"x" * 2_000_000
    assert (await world.ask(address, data)).endswith(":2000000")


async def test_a_backend_that_refuses_is_passed_over(world, pods):
    world.service()
    world.slices(*pods)
    await world.listens((world.ip, world.port))
    pods[0].server.close()
    await pods[0].server.wait_closed()
    assert {await world.ask((world.ip, world.port)) for _ in range(3)} == {"two:5"}


async def test_a_port_without_endpoints_resets_at_once(world):
    world.service()
    await world.listens((world.ip, world.port))
    with pytest.raises(ConnectionError):
        await world.ask((world.ip, world.port))


async def test_a_service_that_is_deleted_is_no_longer_listened_for(world, pods):
    world.service()
    world.slices(*pods)
    await world.listens((world.ip, world.port))
    await world.client.delete(SERVICES, "s", "ns")
    await world.listens((world.ip, world.port), False)


async def test_new_endpoints_are_used_from_then_on(world, pods):
    world.service()
    item = world.slices(pods[0])
    await world.listens((world.ip, world.port))
    assert await world.ask((world.ip, world.port)) == "one:5"
    await world.client.update(ENDPOINT_SLICES, {**item, "endpoints": [pods[1].endpoint()]})
    await asyncio.sleep(0.1)
    assert await world.ask((world.ip, world.port)) == "two:5"


async def test_a_node_port_is_listened_for_on_the_host(world, pods):
    port = random.randrange(30000, 32767)
    world.service({"name": "http", "port": world.port, "nodePort": port}, type="NodePort")
    world.slices(pods[0])
    await world.listens(("127.0.0.1", port))
    assert await world.ask(("127.0.0.1", port)) == "one:5"


async def test_udp_is_refused_by_an_event(world):
    world.service({"name": "dns", "port": 53, "protocol": "UDP"})
    async with asyncio.timeout(5):
        while not world.client.objects(EVENTS):
            await asyncio.sleep(0.01)
    (event,) = world.client.objects(EVENTS)
    assert event["type"] == "Warning"
    assert event["message"] == "port 53/UDP is not served: the service proxy passes on TCP only"


async def test_an_address_in_use_is_reported_and_tried_again(world, pods):
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), world.ip, world.port)
    world.service()
    world.slices(pods[0])
    async with asyncio.timeout(5):
        while not world.client.objects(EVENTS):
            await asyncio.sleep(0.01)
    assert world.client.objects(EVENTS)[0]["reason"] == "PortUnavailable"
    taken.close()
    await taken.wait_closed()
    await world.listens((world.ip, world.port))
    assert await world.ask((world.ip, world.port)) == "one:5"


async def through_proxy(world, url, **options):
    async with (
        aiohttp.ClientSession() as session,
        session.request(options.pop("method", "GET"), url, proxy=world.proxy.http_proxy_url, **options) as answer,
    ):
        return answer.status, await answer.text()


async def test_the_http_proxy_reaches_services_by_address_and_name_and_other_hosts(world, pods):
    world.service()
    world.slices(pods[0])
    await world.listens((world.ip, world.port))
    for host in (world.ip, "s.ns", "s.ns.svc", "s.ns.svc.cluster.local"):
        assert await through_proxy(world, f"http://{host}:{world.port}/x?y=1") == (200, "one")
    assert pods[0].request.startswith(b"GET /x?y=1 HTTP/1.1\r\n")
    assert b"Host: s.ns.svc.cluster.local" in pods[0].request
    assert await through_proxy(world, f"http://{pods[1].ip}:{pods[1].port}/") == (200, "two")
    assert await through_proxy(world, f"http://{pod_address(pods[1].ip)}:{pods[1].port}/") == (200, "two")


async def test_the_http_proxy_carries_bodies(world, pods):
    world.service()
    world.slices(pods[0])
    await world.listens((world.ip, world.port))
    assert await through_proxy(world, f"http://s.ns:{world.port}/", method="POST", data=b"body") == (200, "one")


async def test_the_http_proxy_says_what_is_wrong(world):
    world.service()
    await world.listens((world.ip, world.port))
    status, message = await through_proxy(world, f"http://s.ns:{world.port}/")
    assert (status, message) == (503, f"service s.ns:{world.port} has no ready endpoints\n")
    assert (await through_proxy(world, "http://127.244.255.254:1/"))[0] == 502


async def raw(world, request):
    host, _, port = world.proxy.http_proxy_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


async def test_connect_opens_a_tunnel(world, pods):
    world.service()
    world.slices(pods[0])
    await world.listens((world.ip, world.port))
    answer = await raw(world, f"CONNECT s.ns.svc:{world.port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", b"GET http:///x HTTP/1.1\r\n\r\n", b"CONNECT :x HTTP/1.1\r\n\r\n"],
)
async def test_the_http_proxy_refuses_what_is_no_proxy_request(world, request_):
    assert (await raw(world, request_)).startswith(b"HTTP/1.1 400")


async def test_a_head_without_end_is_refused(world):
    assert (await raw(world, b"GET http://x/ HTTP/1.1\r\nA: " + b"x" * 200_000 + b"\r\n\r\n")).startswith(
        b"HTTP/1.1 431"
    )
