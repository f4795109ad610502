"""An HTTP forward proxy that knows services: for machines where ClusterIPs cannot be listened on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit

from kaito.embedded.addresses import HOST_ADDRESS, socket_address

Address = tuple[str, int]
Find = Callable[[str, int], list[Address] | None]
"""(host, port) -> backends of that service in the order to try, or None when it is no service."""

HEAD_LIMIT = 64 * 1024
HEAD_SECONDS = 30.0
CONNECT_SECONDS = 5.0
LINGER_SECONDS = 1.0
_DROPPED = ("proxy-connection", "proxy-authorization", "connection", "keep-alive")


class BadRequest(Exception):
    """A request that the proxy cannot pass on; status and sentence."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpForwarder:
    """Understands ``GET http://host/path`` and ``CONNECT host:port``; one request a connection, then it closes.

    Hosts are ClusterIPs, service names (``svc.ns``, ``svc.ns.svc.cluster.local``), API addresses of pods, and otherwise
    whatever this machine can reach.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen on a free loopback port; the proxy's URL."""
        self._server = await asyncio.start_server(self._accept, HOST_ADDRESS, 0, limit=HEAD_LIMIT)
        return f"http://{HOST_ADDRESS}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Close the port and the connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                await self._pass_on(reader, writer)
            except BadRequest as error:
                body = f"{error}\n".encode()
                writer.write(
                    f"HTTP/1.1 {error.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
                await _discard(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise BadRequest("431 Request Header Fields Too Large", "the request's head is too long") from error
        line, _, rest = head.decode("latin-1").partition("\r\n")
        parts = line.split(" ")
        if len(parts) != 3:
            raise BadRequest("400 Bad Request", "this is an HTTP proxy: send an absolute URL or CONNECT")
        method, target, _ = parts
        if method.upper() == "CONNECT":
            host, port = _host_port(f"//{target}", 443)
            upstream = await self._connect(host, port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            if not target.lower().startswith("http://"):
                raise BadRequest("400 Bad Request", "this is an HTTP proxy: send an absolute http:// URL or CONNECT")
            host, port = _host_port(target, 80)
            upstream = await self._connect(host, port)
            upstream[1].write(_origin_form(method, target, rest))
        await _pump_both(reader, writer, *upstream)

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        found = self._find(host, port)
        if found is not None and not found:
            raise BadRequest("503 Service Unavailable", f"service {host}:{port} has no ready endpoints")
        addresses = found if found is not None else [(socket_address(host), port)]
        reason = ""
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(*address)
            except (OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
        raise BadRequest("502 Bad Gateway", f"{host}:{port} cannot be reached: {reason}")


async def _discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what the client still sends: closing with unread input resets the connection, and the answer is lost."""
    writer.write_eof()
    async with asyncio.timeout(LINGER_SECONDS):
        while await reader.read(64 * 1024):
            continue


def _host_port(url: str, default: int) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadRequest("400 Bad Request", f"bad address in the request: {error}") from error
    if not host:
        raise BadRequest("400 Bad Request", "the request names no host")
    return host, default if port is None else port


def _origin_form(method: str, target: str, rest: str) -> bytes:
    parts = urlsplit(target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [
        header for header in rest.split("\r\n") if header and header.partition(":")[0].strip().lower() not in _DROPPED
    ]
    if not any(header.lower().startswith("host:") for header in kept):
        kept.insert(0, f"Host: {parts.netloc}")
    return ("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close"]) + "\r\n\r\n").encode("latin-1")


async def _pump_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Pass bytes both ways until the far side has ended; our side's end is passed on as a half-close."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(64 * 1024):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

    upward = asyncio.ensure_future(pump(reader, far_writer))
    try:
        await pump(far_reader, writer)
    finally:
        upward.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await upward
        far_writer.close()
