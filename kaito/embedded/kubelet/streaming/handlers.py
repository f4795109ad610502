"""HTTP handlers for exec, attach and port-forward: they agree on a protocol and hand over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from aiohttp import WSMsgType, web

from kaito.embedded.kubelet.pods.records import ContainerRecord
from kaito.embedded.kubelet.pods.worker import PodWorker
from kaito.embedded.kubelet.processes.runner import ProcessRunner
from kaito.embedded.kubelet.streaming import forwarding
from kaito.embedded.kubelet.streaming.channels import PROTOCOLS, SpdyStreams, Streams, Wanted, WebSocketStreams
from kaito.embedded.kubelet.streaming.executing import attach, execute, failure
from kaito.embedded.kubelet.streaming.spdy import SpdyError, SpdySession
from kaito.embedded.kubelet.streaming.upgrading import Handled, upgraded

SPDY = "SPDY/3.1"
PROTOCOL_HEADER = "X-Stream-Protocol-Version"
ACCEPTED_HEADER = "X-Accepted-Stream-Protocol-Versions"
MESSAGE_LIMIT = 32 * 1024 * 1024

Serve = Callable[[Streams], Awaitable[None]]


class StreamHandlers:
    """The kubelet server's streaming endpoints. ``find`` gives the pod and container of a request, or an HTTP error."""

    def __init__(
        self,
        runner: ProcessRunner,
        find_container: Callable[[web.Request], tuple[PodWorker, ContainerRecord]],
        find_pod: Callable[[web.Request], PodWorker],
    ) -> None:
        self._runner = runner
        self._find_container = find_container
        self._find_pod = find_pod

    async def exec(self, request: web.Request) -> web.StreamResponse:
        """Run a command in a running container."""
        _, record = self._find_container(request)
        wanted = _wanted(request)
        if record.run is None or not record.running:
            return await self._no_container(request, wanted, record)
        run = record.run
        command = request.query.getall("command", [])
        if not command:
            raise web.HTTPBadRequest(text="you must specify a command")
        return await self._stream(
            request, wanted, lambda streams: execute(self._runner, run, list(command), wanted, streams)
        )

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """Join the client to a container's process."""
        _, record = self._find_container(request)
        wanted = _wanted(request)
        run = record.run
        if run is None or (run.ended.is_set() and run.attached):
            return await self._no_container(request, wanted, record)
        return await self._stream(request, wanted, lambda streams: attach(record, run, wanted, streams))

    async def _no_container(self, request: web.Request, wanted: Wanted, record: ContainerRecord) -> web.StreamResponse:
        """What a client is told about a container that does not run, in the words of kubelet and API server."""
        text = f'container not found ("{record.name}")'
        if not _asks_for(request, "websocket"):
            raise web.HTTPInternalServerError(text=text)
        status = failure(f"unable to upgrade connection: {text}")
        return await self._stream(request, wanted, lambda streams: streams.finish(status))

    async def port_forward(self, request: web.Request) -> web.StreamResponse:
        """Carry connections to ports of the pod."""
        worker = self._find_pod(request)
        if not worker.pod_ip or not any(record.running for record in worker.records):
            raise web.HTTPBadRequest(text=f"unable to forward port because pod is not running: {worker.name}")
        forwarder = forwarding.SpdyForwarder(worker.name, worker.pod_ip)
        if _asks_for(request, "websocket"):
            return await self._forward_websocket(request, worker, forwarder)
        protocol = _agreed(request, (forwarding.PROTOCOL,))
        async with upgraded(request, SPDY, {PROTOCOL_HEADER: protocol}) as connection:
            await forwarder.run(connection.read, connection.write)
        return Handled()

    async def _forward_websocket(
        self, request: web.Request, worker: PodWorker, forwarder: forwarding.SpdyForwarder
    ) -> web.StreamResponse:
        socket = _socket((forwarding.TUNNEL, forwarding.CHANNEL_PROTOCOL))
        offered = _offered_subprotocols(request)
        # A client that names no protocol means the plain channels (the kubelet's protocol ""); kr8s is one.
        if offered and not {forwarding.TUNNEL, forwarding.CHANNEL_PROTOCOL} & set(offered):
            raise _no_protocol(offered, (forwarding.TUNNEL, forwarding.CHANNEL_PROTOCOL))
        if forwarding.TUNNEL in offered:
            await socket.prepare(request)
            await forwarder.run(lambda: _receive(socket), socket.send_bytes)
            await socket.close()
            return socket
        ports = _ports(request.query)
        await socket.prepare(request)
        await forwarding.forward_channels(socket, worker.name, worker.pod_ip, ports)
        await socket.close()
        return socket

    async def _stream(self, request: web.Request, wanted: Wanted, serve: Serve) -> web.StreamResponse:
        if _asks_for(request, "websocket"):
            offered = _offered_subprotocols(request)
            if not set(PROTOCOLS) & set(offered):
                raise _no_protocol(offered, PROTOCOLS)
            socket = _socket(PROTOCOLS)
            await socket.prepare(request)
            channels = WebSocketStreams(socket)
            receiving = asyncio.ensure_future(channels.receive())
            try:
                # An empty message tells the client that the streams are there.
                await channels.write("stdout" if wanted.stdout else "stderr" if wanted.stderr else "error", b"")
                await serve(channels)
            except ConnectionError:
                pass
            finally:
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)
            await socket.close()
            return socket
        protocol = _agreed(request, PROTOCOLS)
        async with upgraded(request, SPDY, {PROTOCOL_HEADER: protocol}) as connection:
            streams = SpdyStreams(wanted)
            session = SpdySession(connection.read, connection.write, streams.opened)
            streams.bind(session)
            reading = asyncio.ensure_future(session.run())
            try:
                await streams.wait_complete()
                await serve(streams)
            except (TimeoutError, ConnectionError, SpdyError):
                pass
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return Handled()


def _wanted(request: web.Request) -> Wanted:
    try:
        return Wanted.from_query(request.query)
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


def _asks_for(request: web.Request, protocol: str) -> bool:
    return request.headers.get("Upgrade", "").lower() == protocol


def _agreed(request: web.Request, ours: tuple[str, ...]) -> str:
    """The first protocol of the client's that is one of ours, for a SPDY upgrade; an HTTP error when there is none."""
    if not _asks_for(request, SPDY.lower()):
        raise web.HTTPBadRequest(text=f"unable to upgrade: this endpoint speaks websocket and {SPDY}")
    offered = [
        name.strip() for header in request.headers.getall(PROTOCOL_HEADER, []) for name in header.split(",") if name
    ]
    for name in offered:
        if name in ours:
            return name
    raise _no_protocol(offered, ours)


def _no_protocol(offered: Iterable[str], ours: Iterable[str]) -> web.HTTPForbidden:
    ours = list(ours)
    return web.HTTPForbidden(
        text=f"unable to negotiate protocol: client supports {list(offered)}, server accepts {ours}",
        headers={ACCEPTED_HEADER: ",".join(ours)},
    )


def _offered_subprotocols(request: web.Request) -> list[str]:
    headers = request.headers.getall("Sec-WebSocket-Protocol", [])
    return [name.strip() for header in headers for name in header.split(",") if name.strip()]


def _socket(protocols: tuple[str, ...]) -> web.WebSocketResponse:
    return web.WebSocketResponse(protocols=protocols, max_msg_size=MESSAGE_LIMIT, compress=False, timeout=2.0)


async def _receive(socket: web.WebSocketResponse) -> bytes:
    """The next bytes of a tunnel; empty at its end."""
    while True:
        message = await socket.receive()
        if message.type == WSMsgType.BINARY:
            if message.data:
                return bytes(message.data)
        elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return b""


def _ports(query: Mapping[str, str]) -> list[int]:
    text = ",".join(value for name, value in query.items() if name in ("port", "ports"))
    try:
        ports = [int(part) for part in text.split(",") if part]
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"unable to parse ports {text!r}") from error
    if not ports or not all(0 < port < 65536 for port in ports):
        raise web.HTTPBadRequest(text="query parameter 'port' must name at least one port between 1 and 65535")
    return ports
