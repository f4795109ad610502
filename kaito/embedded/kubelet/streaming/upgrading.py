"""Taking over a connection whose HTTP request asked for another protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from aiohttp import web

LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Upgraded:
    """The raw connection after ``101 Switching Protocols``."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        try:
            return await self.reader.read(256 * 1024)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; ConnectionError when the peer is gone."""
        self.writer.write(data)
        await self.writer.drain()


class _Taken(asyncio.StreamReaderProtocol):
    """The connection's new protocol; aiohttp's hears only of the end."""

    def __init__(self, reader: asyncio.StreamReader, previous: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._previous = previous

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._previous.connection_lost(exc)


@contextlib.asynccontextmanager
async def upgraded(request: web.Request, protocol: str, headers: Mapping[str, str]) -> AsyncIterator[Upgraded]:
    """Answer 101 for ``protocol`` and hand over the connection; it is closed afterwards.

    The handler must not answer anything itself: see `Handled`.
    """
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT, loop=loop)
    taken = _Taken(reader, request.protocol)
    transport.set_protocol(taken)
    taken.connection_made(transport)
    with contextlib.suppress(RuntimeError):
        transport.resume_reading()
    writer = asyncio.StreamWriter(transport, taken, reader, loop)
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Upgrade: {protocol}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    try:
        yield Upgraded(reader, writer)
    finally:
        transport.close()


class Handled(web.Response):
    """What a handler returns after it has taken over the connection: nothing is sent."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None
