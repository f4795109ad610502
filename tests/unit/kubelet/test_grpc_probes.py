"""gRPC probes against a server that speaks the health protocol, and against etcd's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from kaito.embedded.kubelet.probing.checks import Outcome, check

Answer = Callable[[h2.connection.H2Connection, int, bytes], None]
"""Answers one request: connection, stream, the message without its five bytes of frame."""


def health(status: int) -> Answer:
    def answer(connection: h2.connection.H2Connection, stream: int, message: bytes) -> None:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        body = bytes([0x08, status]) if status else b""
        connection.send_data(stream, b"\0" + len(body).to_bytes(4, "big") + body)
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    return answer


def refusal(code: int, text: str) -> Answer:
    def answer(connection: h2.connection.H2Connection, stream: int, message: bytes) -> None:
        headers = [(":status", "200"), ("grpc-status", str(code)), ("grpc-message", text)]
        connection.send_headers(stream, headers, end_stream=True)

    return answer


def http(status: int) -> Answer:
    def answer(connection: h2.connection.H2Connection, stream: int, message: bytes) -> None:
        connection.send_headers(stream, [(":status", str(status))], end_stream=True)

    return answer


def silence(connection: h2.connection.H2Connection, stream: int, message: bytes) -> None:
    """No answer at all."""


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    handling: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        bodies: dict[int, bytes] = {}
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = dict(event.headers)
                    assert headers[b":path"] == b"/grpc.health.v1.Health/Check"
                    assert headers[b"user-agent"] == b"kube-probe/1.34"
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                elif isinstance(event, h2.events.StreamEnded):
                    answer(connection, event.stream_id, bodies[event.stream_id][5:])
            writer.write(connection.data_to_send())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*(task for task in handling if task))


async def probe(port: int, *, service: str | None = None, timeout: int = 1) -> Outcome:
    async def no_command(words: list[str], seconds: float) -> tuple[int | None, str]:
        raise AssertionError("a gRPC probe runs no command")

    action = {"port": port} if service is None else {"port": port, "service": service}
    return await check({"grpc": action, "timeoutSeconds": timeout}, {"name": "c"}, "127.0.0.1", no_command)


@pytest.mark.parametrize(
    ("answer", "healthy", "says"),
    [
        (health(1), True, "service healthy"),
        (health(2), False, 'service unhealthy (responded with "NOT_SERVING")'),
        (health(0), False, 'service unhealthy (responded with "UNKNOWN")'),
        (
            refusal(5, "unknown service"),
            False,
            "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
        ),
        (
            refusal(12, "unknown service grpc.health.v1.Health"),
            False,
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            "unknown service grpc.health.v1.Health",
        ),
        (
            refusal(13, "50%25 of it"),
            False,
            "error: health rpc probe failed: rpc error: code = Internal desc = 50% of it",
        ),
        (
            http(404),
            False,
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            "unexpected HTTP status code received from server: 404",
        ),
        (silence, False, "timeout: health rpc did not complete within 1s"),
    ],
    ids=["serving", "not serving", "unknown", "no such service", "not implemented", "escaped text", "http", "silent"],
)
async def test_the_answer_decides_and_is_told_in_the_kubelets_words(answer: Answer, healthy: bool, says: str) -> None:
    async with serving(answer) as port:
        assert await probe(port) == Outcome(healthy, says)


@pytest.mark.parametrize("service", [None, "liveness", "x" * 300])
async def test_the_service_is_asked_for_by_name(service: str | None) -> None:
    asked: list[bytes] = []

    def answer(connection: h2.connection.H2Connection, stream: int, message: bytes) -> None:
        asked.append(message)
        health(1)(connection, stream, message)

    async with serving(answer) as port:
        assert (await probe(port, service=service)).healthy
    length = {None: b"", "liveness": b"\x0a\x08", "x" * 300: b"\x0a\xac\x02"}[service]
    assert asked == [length + (service or "").encode()]


async def test_a_closed_port_and_another_protocol_are_no_connection() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    expected = Outcome(
        False, f'timeout: failed to connect service "127.0.0.1:{port}" within 1s: context deadline exceeded'
    )
    assert await probe(port) == expected
    server.close()
    await server.wait_closed()
    assert await probe(port) == expected


async def test_etcd_is_understood(tmp_path: Path) -> None:
    program = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")) / "etcd"
    if not program.exists():
        pytest.skip("KUBEBUILDER_ASSETS names no folder with an etcd")
    reserved = [await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0) for _ in range(2)]
    port, peer = (server.sockets[0].getsockname()[1] for server in reserved)
    for server in reserved:
        server.close()
    process = await asyncio.create_subprocess_exec(
        str(program),
        *("--data-dir", str(tmp_path), "--unsafe-no-fsync", "--log-level", "error"),
        *("--listen-client-urls", f"http://127.0.0.1:{port}", "--advertise-client-urls", f"http://127.0.0.1:{port}"),
        *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
        *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
        *("--initial-cluster", f"default=http://127.0.0.1:{peer}"),
    )
    try:
        for _ in range(20):
            if (await probe(port)).healthy:
                break
        assert await probe(port) == Outcome(True, "service healthy")
        unknown = await probe(port, service="nobody")
        assert unknown.output.startswith("error: health rpc probe failed: rpc error: code = NotFound desc = unknown")
    finally:
        process.kill()
        await process.wait()
