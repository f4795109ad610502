"""Port-forward: connections of the client to ports of a pod."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from kaito.embedded.addresses import socket_address
from kaito.embedded.kubelet.streaming.spdy import Read, SpdyError, SpdySession, SpdyStream, Write

logger = logging.getLogger(__name__)

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHANNEL_PROTOCOL = "v4.channel.k8s.io"
CONNECT_SECONDS = 10.0


async def connect(pod_name: str, pod_ip: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a port of the pod. ConnectionError with the sentence for the client."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(socket_address(pod_ip), port)
    except (OSError, TimeoutError) as error:
        reason = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error) or "i/o timeout"
        raise ConnectionError(
            f"error forwarding port {port} to pod {pod_name}: dial tcp {pod_ip}:{port}: connect: {reason}"
        ) from error


class SpdyForwarder:
    """Pairs of SPDY streams (``error`` and ``data`` of one request id), each a connection to a port."""

    def __init__(self, pod_name: str, pod_ip: str) -> None:
        self._pod_name = pod_name
        self._pod_ip = pod_ip
        self._pairs: dict[str, dict[str, SpdyStream]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, read: Read, write: Write) -> None:
        """Serve the connection until the client ends it."""
        session = SpdySession(read, write, self._opened)
        try:
            await session.run()
        except SpdyError as error:
            logger.info("port-forward to %s: %s", self._pod_name, error)
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _opened(self, stream: SpdyStream) -> None:
        # Clients older than request ids pair streams by order: the error stream comes first.
        request = stream.headers.get("requestid") or stream.headers.get("port", "")
        pair = self._pairs.setdefault(request, {})
        pair[stream.headers.get("streamtype", "")] = stream
        if pair.keys() >= {"error", "data"}:
            del self._pairs[request]
            task = asyncio.get_running_loop().create_task(self._forward(pair["error"], pair["data"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, error: SpdyStream, data: SpdyStream) -> None:
        with contextlib.suppress(ConnectionError):
            try:
                port = int(data.headers.get("port", ""))
                reader, writer = await connect(self._pod_name, self._pod_ip, port)
            except ValueError:
                await error.write(b"the port of a port-forward stream must be a number")
            except ConnectionError as problem:
                await error.write(str(problem).encode())
            else:
                await join(reader, writer, data.read, data.write, data.close)
        with contextlib.suppress(ConnectionError):
            await data.close()
            await error.close()


async def join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    read: Read,
    write: Write,
    close: Callable[[], Awaitable[None]],
) -> None:
    """Pass bytes both ways until both sides have ended; ``close`` ends the client's side."""

    async def to_pod() -> None:
        while data := await read():
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    async def to_client() -> None:
        while data := await reader.read(64 * 1024):
            await write(data)
        await close()

    up, down = asyncio.ensure_future(to_pod()), asyncio.ensure_future(to_client())
    try:
        # When the pod has hung up nothing the client could still say arrives anywhere.
        await asyncio.wait((down,))
    finally:
        writer.close()
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def forward_channels(socket: web.WebSocketResponse, pod_name: str, pod_ip: str, ports: list[int]) -> None:
    """Port-forward over plain websocket channels: for the n-th port, 2n carries data and 2n+1 errors.

    Each channel starts with the port's number, two bytes, little end first. Source: the kubelet's websocket.go.
    """
    writers: dict[int, asyncio.StreamWriter] = {}
    open_channels = {2 * index for index in range(len(ports))}
    tasks: list[asyncio.Task[None]] = []

    async def from_pod(channel: int, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(64 * 1024):
                await socket.send_bytes(bytes([channel]) + data)
            open_channels.discard(channel)
            if not open_channels:
                await socket.close()

    try:
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        for index, port in enumerate(ports):
            try:
                reader, writers[2 * index] = await connect(pod_name, pod_ip, port)
            except ConnectionError as problem:
                await socket.send_bytes(bytes([2 * index + 1]) + str(problem).encode())
                open_channels.discard(2 * index)
                continue
            tasks.append(asyncio.get_running_loop().create_task(from_pod(2 * index, reader)))
        if not open_channels:
            await socket.close()
        async for message in socket:
            if message.type == WSMsgType.BINARY and message.data and (writer := writers.get(message.data[0])):
                writer.write(message.data[1:])
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
    except ConnectionError:
        logger.debug("port-forward to %s: the client is gone", pod_name)
    finally:
        for writer in writers.values():
            writer.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
