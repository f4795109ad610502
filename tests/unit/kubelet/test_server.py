"""The kubelet's HTTPS server with real processes: logs, exec, attach, port-forward, who is let in."""

import asyncio
import json
import ssl
import sys

import aiohttp
import pytest

from kaito.embedded.addresses import socket_address
from kaito.embedded.kubelet.images import ImageTable
from kaito.embedded.kubelet.processes.local import LocalRunner
from kaito.kube.clock import SystemClock
from kaito.kube.resources import PODS
from tests.unit.kubelet.test_spdy import SpdyClient
from tests.unit.kubelet.world import AUTHORITY, CLIENT, World

pytestmark = pytest.mark.timeout(30)


def tls(tmp_path, certificate=CLIENT):
    context = ssl.create_default_context(cadata=AUTHORITY.ca_pem.decode())
    if certificate:
        certificate.write(tmp_path / "c.crt", tmp_path / "c.key")
        context.load_cert_chain(tmp_path / "c.crt", tmp_path / "c.key")
    return context


@pytest.fixture
async def real(tmp_path):
    world = World(
        tmp_path / "kubelet", clock=SystemClock(), runner=LocalRunner(), settings={"crash_backoff": 0.1, "retry": 0.1}
    )
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def http(real, tmp_path):
    base = f"https://127.0.0.1:{real.manager.server.port}"
    connector = aiohttp.TCPConnector(ssl=tls(tmp_path))
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield session


async def running(real, script, *, name="p", container=None, **spec):
    real.pod(name, {"command": ["sh", "-c", script], **(container or {})}, terminationGracePeriodSeconds=0, **spec)
    await real.until(lambda: real.status(name)["phase"] not in ("Pending",) or None)


async def text(http, path, **params):
    async with http.get(path, params=params) as answer:
        return answer.status, await answer.text()


async def test_only_clients_with_a_certificate_of_the_cluster_are_let_in(real, tmp_path):
    base = f"https://127.0.0.1:{real.manager.server.port}"
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(ssl=tls(tmp_path, None))) as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get("/healthz")


async def test_logs_of_running_ended_and_waiting_containers(real, http):
    await running(real, "echo one; echo two >&2; exit 3", restartPolicy="Never")
    await real.until(lambda: real.status()["phase"] == "Failed")
    assert await text(http, "/containerLogs/ns/p/c0") == (200, "one\ntwo\n")
    assert await text(http, "/containerLogs/ns/p/c0", tailLines="1") == (200, "two\n")
    assert await text(http, "/containerLogs/ns/p/c0", limitBytes="2") == (200, "on")
    assert (await text(http, "/containerLogs/ns/p/c0", tailLines="x"))[0] == 400
    assert (await text(http, "/containerLogs/ns/p/none"))[0] == 404
    assert (await text(http, "/containerLogs/ns/none/c0"))[0] == 404
    real.pod("bad", {"image": "example.com/no"})
    await real.until(lambda: real.status("bad").get("containerStatuses"))
    status, message = await text(http, "/containerLogs/ns/bad/c0")
    assert (status, message) == (
        400,
        'container "c0" in pod "bad" is waiting to start: trying and failing to pull image',
    )


async def test_logs_of_the_run_before(real, http):
    await running(real, "echo run $KAITO_CONTAINER_ID; exit 1")
    assert (await text(http, "/containerLogs/ns/p/none", previous="true"))[0] == 404
    await real.until(lambda: real.container()["restartCount"] >= 2)
    status, previous = await text(http, "/containerLogs/ns/p/c0", previous="true")
    assert (status, previous.split()[0]) == (200, "run")


async def test_following_ends_when_the_container_does(real, http):
    await running(real, "echo start; sleep 0.3; echo end", restartPolicy="Never")
    assert await text(http, "/containerLogs/ns/p/c0", follow="true") == (200, "start\nend\n")


async def exec_socket(http, path, *, protocol="v5.channel.k8s.io", stdin=None, **params):
    """Run over a websocket: {channel: bytes}."""
    query = [
        (key, value) for key, values in params.items() for value in ([values] if isinstance(values, str) else values)
    ]
    got: dict[int, bytes] = {}
    async with http.ws_connect(path, protocols=[protocol], params=query) as socket:
        assert socket.protocol == protocol
        if stdin is not None:
            await socket.send_bytes(b"\0" + stdin)
            await socket.send_bytes(b"\xff\0")
        async for message in socket:
            got[message.data[0]] = got.get(message.data[0], b"") + message.data[1:]
    return got


async def test_exec_over_a_websocket(real, http):
    await running(real, "sleep 100")
    got = await exec_socket(
        http,
        "/exec/ns/p/c0",
        command=["sh", "-c", "echo out; echo err >&2; exit 7"],
        output="1",
        error="1",
    )
    assert (got[1], got[2]) == (b"out\n", b"err\n")
    status = json.loads(got[3])
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_exec_reads_its_input_to_the_end_and_passes_a_lot_of_output(real, http):
    await running(real, "sleep 100")
    data = b"x" * 3_000_000
    got = await exec_socket(http, "/exec/ns/p/c0", command=["cat"], stdin=data, input="1", output="1")
    assert got[1] == data
    assert json.loads(got[3]) == {"metadata": {}, "status": "Success"}


async def test_exec_of_what_is_not_there_is_an_error(real, http):
    await running(real, "sleep 100")
    got = await exec_socket(http, "/exec/ns/p/c0", command=["nope"], output="1", protocol="v4.channel.k8s.io")
    status = json.loads(got[3])
    assert status["status"] == "Failure"
    assert 'exec: "nope": executable file not found in $PATH' in status["message"]


async def test_an_exec_whose_client_leaves_is_ended(real, http, tmp_path):
    await running(real, "sleep 100")
    mark = tmp_path / "mark"
    async with http.ws_connect(
        "/exec/ns/p/c0",
        protocols=["v5.channel.k8s.io"],
        params=[
            ("command", "sh"),
            ("command", "-c"),
            ("command", f"trap 'touch {mark}; exit' TERM; sleep 50 & wait"),
            ("output", "1"),
        ],
    ):
        await asyncio.sleep(0.2)
    await real.until(mark.exists)


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/exec/ns/p/c0", {"command": "ls"}, 400),
        ("/exec/ns/p/c0", {"output": "1"}, 400),
        ("/exec/ns/p/none", {"command": "ls", "output": "1"}, 404),
        ("/exec/ns/p/c0", {"command": "ls", "output": "1"}, 400),
        ("/attach/ns/p/c0", {}, 400),
        ("/portForward/ns/none", {}, 404),
    ],
)
async def test_requests_that_cannot_be_served_are_refused(real, http, path, params, code):
    await running(real, "sleep 100")
    assert (await text(http, path, **params))[0] == code


async def test_exec_uses_the_container_s_tree(real, http):
    await running(
        real,
        "echo data > /mnt/v/f; sleep 100",
        container={"volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]},
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    path = "/exec/ns/p/c0"
    await asyncio.sleep(0.1)
    assert (await exec_socket(http, path, command=["cat", "/mnt/v/f"], output="1"))[1] == b"data\n"
    assert (await exec_socket(http, path, command=["sh", "-c", "cat /mnt/v/f"], output="1"))[1] == b"data\n"
    listing = (await exec_socket(http, path, command=["sh", "-c", "tar cf - mnt/v/. | tar t"], output="1"))[1]
    archive = await exec_socket(http, path, command=["tar", "cf", "-", "/mnt/v"], output="1")
    assert b"mnt/v/./f" in archive[1]
    assert b"mnt/v/./f" in listing


async def test_the_first_client_attached_gets_what_was_written_before(real, http):
    await running(real, "echo early; sleep 0.4; echo late", restartPolicy="Never")
    await asyncio.sleep(0.2)
    got = await exec_socket(http, "/attach/ns/p/c0", output="1", error="1")
    assert got[1] == b"early\nlate\n"
    assert json.loads(got[3])["status"] == "Success"


async def test_a_container_that_ended_before_its_first_client_came_is_replayed_once(real, http):
    await running(real, "echo quick", restartPolicy="Never")
    await real.until(lambda: real.status()["phase"] == "Succeeded")
    assert (await exec_socket(http, "/attach/ns/p/c0", output="1"))[1] == b"quick\n"
    assert await text(http, "/attach/ns/p/c0", output="1") == (500, 'container not found ("c0")')


async def test_clients_of_a_container_that_does_not_run_are_told_in_the_real_servers_words(real, http):
    real.pod("p", {"image": "example.com/none"})
    await real.until(lambda: real.status().get("containerStatuses"))
    assert await text(http, "/exec/ns/p/c0", command="ls", output="1") == (500, 'container not found ("c0")')
    told = json.loads((await exec_socket(http, "/exec/ns/p/c0", command="ls", output="1"))[3])
    assert (told["status"], told["reason"], told["code"]) == ("Failure", "InternalError", 500)
    assert told["message"] == 'Internal error occurred: unable to upgrade connection: container not found ("c0")'


async def test_a_command_that_is_not_there_is_called_an_internal_error_by_each_server_on_the_way(real, http):
    await running(real, "sleep 100")
    told = json.loads((await exec_socket(http, "/exec/ns/p/c0", command="nothing-of-the-kind", output="1"))[3])
    assert told["message"] == (
        "Internal error occurred: Internal error occurred: error executing command in container: "
        'failed to exec in container: exec: "nothing-of-the-kind": executable file not found in $PATH'
    )


async def test_attached_input_reaches_the_container_and_ends_it_when_it_is_meant_for_one(real, http):
    await running(real, "cat; echo done", container={"stdin": True, "stdinOnce": True}, restartPolicy="Never")
    got = await exec_socket(http, "/attach/ns/p/c0", stdin=b"hello\n", input="1", output="1")
    assert got[1] == b"hello\ndone\n"


async def test_the_end_of_attached_input_ends_the_session_alone_where_more_may_come(real, http):
    await running(real, "cat", container={"stdin": True})
    for word in (b"one\n", b"two\n"):
        got = await exec_socket(http, "/attach/ns/p/c0", stdin=word, input="1", output="1")
        assert b'"Success"' in got[3]
    assert real.state() == ("running", "")
    async with asyncio.timeout(10):
        while await text(http, "/containerLogs/ns/p/c0") != (200, "one\ntwo\n"):
            await asyncio.sleep(0.05)


class SpdyConnection:
    """A raw SPDY upgrade, as a real API server makes it."""

    @classmethod
    async def open(cls, real, tmp_path, path, protocol):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", real.manager.server.port, ssl=tls(tmp_path)
        )
        self.writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            f"X-Stream-Protocol-Version: {protocol}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        self.client = SpdyClient()
        self.client.send = self.writer.write
        return self

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition(self.client.frames() if self.whole() else []):
                data = await self.reader.read(65536)
                if not data:
                    return
                self.client.from_server += data

    def whole(self):
        data = self.client.from_server
        position = 0
        while position + 8 <= len(data):
            position += 8 + int.from_bytes(data[position + 5 : position + 8], "big")
        return position == len(data)

    def received(self, stream):
        return b"".join(payload for kind, number, _, payload in self.client.frames() if kind == 0 and number == stream)

    def ended(self, stream):
        return any(kind == 0 and number == stream and flags & 1 for kind, number, flags, _ in self.client.frames())

    async def close(self):
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


async def test_exec_over_spdy(real, tmp_path):
    await running(real, "sleep 100")
    connection = await SpdyConnection.open(
        real,
        tmp_path,
        "/exec/ns/p/c0?command=sh&command=-c&command=cat%3B+exit+3&input=1&output=1",
        "v4.channel.k8s.io",
    )
    assert connection.head.startswith("HTTP/1.1 101")
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in connection.head
    for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout")):
        connection.client.open(number, streamType=kind)
    connection.client.data(3, b"through spdy", 1)
    await connection.until(lambda frames: connection.whole() and connection.ended(1))
    assert connection.received(5) == b"through spdy"
    assert json.loads(connection.received(1))["details"]["causes"][0]["message"] == "3"
    await connection.close()


async def test_a_protocol_that_nobody_knows_is_refused(real, tmp_path):
    await running(real, "sleep 100")
    connection = await SpdyConnection.open(real, tmp_path, "/exec/ns/p/c0?command=ls&output=1", "v9")
    assert connection.head.startswith("HTTP/1.1 403")
    assert "X-Accepted-Stream-Protocol-Versions: v5.channel.k8s.io,v4.channel.k8s.io" in connection.head
    await connection.close()


SERVER = (
    "import http.server,os,sys;"
    "http.server.ThreadingHTTPServer((os.environ['IP'],8123),http.server.SimpleHTTPRequestHandler).serve_forever()"
)


async def serving(real):
    real.pod(
        "web",
        {
            "image": "python",
            "command": [sys.executable, "-c", SERVER],
            "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8123}, "periodSeconds": 1, "failureThreshold": 1},
        },
        terminationGracePeriodSeconds=0,
    )
    await real.until(
        lambda: real.container(pod="web")["ready"] if real.status("web").get("containerStatuses") else None
    )


async def test_port_forward_over_spdy_and_through_a_websocket(real, http, tmp_path):
    await serving(real)
    request = b"GET / HTTP/1.0\r\n\r\n"
    connection = await SpdyConnection.open(real, tmp_path, "/portForward/ns/web", "portforward.k8s.io")
    connection.client.open(1, streamtype="error", port="8123", requestID="0")
    connection.client.open(3, streamtype="data", port="8123", requestID="0")
    connection.client.data(3, request)
    await connection.until(lambda frames: connection.whole() and connection.ended(3))
    assert connection.received(3).startswith(b"HTTP/1.0 200")
    connection.client.open(5, streamtype="error", port="1", requestID="1")
    connection.client.open(7, streamtype="data", port="1", requestID="1")
    await connection.until(lambda frames: connection.whole() and connection.ended(5))
    assert b"error forwarding port 1 to pod web" in connection.received(5)
    assert b"connection refused" in connection.received(5)
    await connection.close()

    async with http.ws_connect("/portForward/ns/web", protocols=["SPDY/3.1+portforward.k8s.io"]) as socket:
        inner = SpdyClient()
        outgoing = []
        inner.send = outgoing.append
        inner.open(1, streamtype="error", port="8123", requestID="0")
        inner.open(3, streamtype="data", port="8123", requestID="0")
        inner.data(3, request)
        for frame in outgoing:
            await socket.send_bytes(frame)
        async for message in socket:
            inner.from_server += message.data
            if any(kind == 0 and number == 3 and flags & 1 for kind, number, flags, _ in inner.frames()):
                break
        assert b"HTTP/1.0 200" in inner.from_server


async def test_port_forward_over_plain_channels(real, http):
    await serving(real)
    async with http.ws_connect(
        "/portForward/ns/web", protocols=["v4.channel.k8s.io"], params={"ports": "8123"}
    ) as socket:
        assert (await socket.receive_bytes()) == b"\0" + (8123).to_bytes(2, "little")
        assert (await socket.receive_bytes()) == b"\1" + (8123).to_bytes(2, "little")
        await socket.send_bytes(b"\0GET / HTTP/1.0\r\n\r\n")
        got = b"".join([message.data[1:] async for message in socket])
        assert got.startswith(b"HTTP/1.0 200")


async def test_port_forward_without_a_protocol_uses_plain_channels_and_ends_with_the_last_port(real, http):
    await serving(real)
    async with http.ws_connect("/portForward/ns/web", params=[("ports", "8123"), ("ports", "8123")]) as socket:
        assert socket.protocol is None
        for channel in range(4):
            assert (await socket.receive_bytes())[0] == channel
        await socket.send_bytes(b"\0GET / HTTP/1.0\r\n\r\n")
        first = b""
        while b"</html>" not in first:
            first += (await socket.receive_bytes())[1:]
        await socket.send_bytes(b"\2GET / HTTP/1.0\r\n\r\n")
        second = b"".join([message.data[1:] async for message in socket])
        assert second.endswith(first[-20:])
    async with http.ws_connect("/portForward/ns/web", params={"ports": "1"}) as socket:
        told = [message.data async for message in socket][2:]
    assert [message[0] for message in told] == [1]
    assert b"connection refused" in told[0]


async def test_a_port_forward_to_a_pod_that_does_not_run_is_refused(real, http):
    real.pod("done", {"command": ["true"]}, restartPolicy="Never")
    await real.until(lambda: real.status("done")["phase"] == "Succeeded")
    status, message = await text(http, "/portForward/ns/done")
    assert (status, message) == (400, "unable to forward port because pod is not running: done")


async def test_too_much_memory_ends_a_container_as_oom_killed(real):
    real.pod(
        "fat",
        {
            "image": "python",
            "command": [sys.executable, "-c", "x = bytearray(200_000_000); import time; time.sleep(100)"],
            "resources": {"limits": {"memory": "100Mi"}},
        },
        restartPolicy="Never",
    )
    await real.until(lambda: real.status("fat")["phase"] == "Failed")
    terminated = real.container(pod="fat")["state"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)


async def test_a_deleted_pod_leaves_no_process_and_no_port(real):
    await serving(real)
    address = socket_address(real.status("web")["podIP"])
    await real.delete("web", grace=0)
    await real.until(lambda: real.client.find(PODS, "web", "ns") is None)
    with pytest.raises(OSError):
        await asyncio.open_connection(address, 8123)


async def test_programs_that_an_image_has_are_scripts_of_the_table(tmp_path):
    table = tmp_path / "table.yaml"
    table.write_text("images: [{match: mine, programs: {hello: 'echo \"hello $1\"'}}]\n")
    world = World(tmp_path / "kubelet", clock=SystemClock(), runner=LocalRunner(), images=ImageTable.load(table))
    await world.start()
    try:
        world.pod("p", {"image": "mine", "command": ["hello", "you"]}, restartPolicy="Never")
        await world.until(lambda: world.status()["phase"] == "Succeeded")
        assert (world.manager.worker("ns", "p").layout.container("c0", 0).log).read_text().endswith("F hello you\n")
    finally:
        await world.stop()
