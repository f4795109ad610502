"""What only real connections show: clients that go away, draining, streams that arrive piece by piece."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI
from kaito_runtime.serving.fake import FakeEngine
from kaito_runtime.serving.lifecycle import listen
from kaito_runtime.serving.settings import ServerSettings

HOST = "127.0.0.1"


@pytest.fixture
async def served(app: FastAPI) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """The application on a free port."""
    listener = socket.create_server((HOST, 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=20)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment, method-assign]
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1], server
    server.should_exit = True
    await task
    listener.close()


async def send(port: int, path: str, body: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HOST, port)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    return reader, writer


async def expect_soon(condition: object) -> None:
    assert callable(condition)
    for _ in range(300):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


BODIES = [
    ("/chat", {"prompt": "x"}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "n": 2}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "stream": True, "n": 2}),
    ("/v1/completions", {"prompt": "x", "stream": True}),
    ("/v1/responses", {"input": "x", "stream": False}),
    ("/v1/responses", {"input": "x", "stream": True}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_a_client_that_goes_away_cancels_its_generation(
    served: tuple[int, uvicorn.Server], engine: FakeEngine, path: str, body: object
) -> None:
    engine.open.clear()
    _, writer = await send(served[0], path, body)
    await expect_soon(lambda: engine.requests and engine.stats().running == len(engine.requests))
    writer.close()
    await expect_soon(lambda: engine.stats().running == 0)
    assert sorted(engine.cancelled) == sorted(request.id for request in engine.requests)


async def test_a_stream_arrives_while_it_is_made(served: tuple[int, uvicorn.Server], engine: FakeEngine) -> None:
    engine.open.clear()
    reader, writer = await send(served[0], *BODIES[2])
    await reader.readuntil(b"\r\n\r\n")
    begun = await reader.readuntil(b'"content":"H"')
    assert b"data: " in begun
    engine.open.set()
    assert (await reader.read()).count(b"data: [DONE]") == 1
    writer.close()


async def test_accepted_requests_finish_when_the_server_stops(
    served: tuple[int, uvicorn.Server], engine: FakeEngine
) -> None:
    port, server = served
    engine.open.clear()
    connections = [await send(port, path, body) for path, body in BODIES]
    await expect_soon(lambda: engine.stats().running == 8)
    server.should_exit = True
    await asyncio.sleep(0.3)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    engine.open.set()
    for reader, writer in connections:
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert b"Hello, w" in answer or b'"H"' in answer
        writer.close()
    assert engine.cancelled == []


async def test_answers_are_sent_at_once_and_never_wait_for_an_acknowledgement() -> None:
    delays: list[int] = []

    def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        delays.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen(ServerSettings(port=0))
    async with await asyncio.start_server(accepted, sock=listener):
        reader, writer = await asyncio.open_connection(HOST, listener.getsockname()[1])
        assert await reader.read() == b""
        writer.close()
    assert delays
    assert all(delays)
