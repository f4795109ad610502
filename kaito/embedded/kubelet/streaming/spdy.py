"""The server side of SPDY/3.1, as much of it as Kubernetes' streams use.

Flow control is left to TCP, as in the library that the clients use (moby/spdystream): it neither sends nor understands
window updates. A peer that sends faster than a stream is read is slowed down as a whole connection.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kaito.embedded.kubelet.streaming.spdy_dictionary import DICTIONARY

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 0x01
CHUNK = 32 * 1024
"""Bytes sent in one data frame."""
HEADERS_LIMIT = 256 * 1024
BUFFERED = 1024 * 1024
"""Bytes of one stream kept for its reader before the connection is read no further."""


class SpdyError(Exception):
    """The peer broke the protocol."""


@dataclass(frozen=True)
class Frame:
    """A control frame (``kind`` is its type) or a data frame (``kind`` 0)."""

    kind: int
    flags: int
    stream: int
    payload: bytes


Read = Callable[[], Awaitable[bytes]]
"""Gives the next bytes from the peer, any number; empty at the end."""
Write = Callable[[bytes], Awaitable[None]]


class SpdyStream:
    """One stream that the peer opened."""

    def __init__(self, session: SpdySession, number: int, headers: Mapping[str, str], *, ended: bool) -> None:
        self.number = number
        self.headers = headers
        self._session = session
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._ended = ended
        self._closed = False
        self._readable = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        if ended:
            self._readable.set()

    async def read(self) -> bytes:
        """The next bytes; empty when the peer has ended its side or the connection is gone."""
        while not self._chunks:
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        self._room.set()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes. ConnectionError when the connection is gone or the stream was reset."""
        if self._closed:
            raise ConnectionResetError("the stream is closed")
        for start in range(0, len(data), CHUNK):
            await self._session.send_data(self.number, data[start : start + CHUNK])

    async def close(self) -> None:
        """End our side."""
        if not self._closed:
            self._closed = True
            await self._session.send_data(self.number, b"", FIN)

    async def take(self, data: bytes, *, ended: bool) -> None:
        """Bytes have arrived; returns when there is room for more."""
        if data:
            self._chunks.append(data)
            self._buffered += len(data)
            if self._buffered > BUFFERED:
                self._room.clear()
        self._ended = self._ended or ended
        self._readable.set()
        await self._room.wait()

    def abandon(self, *, reset: bool = False) -> None:
        """The connection is gone, or the peer has reset the stream."""
        self._ended = True
        self._closed = self._closed or reset
        self._readable.set()
        self._room.set()


class SpdySession:
    """A connection of many streams; ``on_stream`` is called with each that the peer opens and must not block."""

    def __init__(self, read: Read, write: Write, on_stream: Callable[[SpdyStream], None]) -> None:
        self._read = read
        self._write = write
        self._on_stream = on_stream
        self._streams: dict[int, SpdyStream] = {}
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(level=9, zdict=DICTIONARY)
        self._sending = asyncio.Lock()
        self._buffer = bytearray()
        self.closed = asyncio.Event()
        """Set when the peer is gone."""

    async def run(self) -> None:
        """Take frames until the peer ends. `SpdyError` for a broken peer."""
        try:
            while (frame := await self._next_frame()) is not None:
                await self._take(frame)
        except (ConnectionError, EOFError):
            pass
        finally:
            self.closed.set()
            for stream in self._streams.values():
                stream.abandon()

    async def send_data(self, stream: int, data: bytes, flags: int = 0) -> None:
        """One data frame."""
        head = (stream & 0x7FFFFFFF).to_bytes(4, "big") + bytes([flags]) + len(data).to_bytes(3, "big")
        await self._send(head + data)

    async def _send(self, frame: bytes) -> None:
        if self.closed.is_set():
            raise ConnectionResetError("the connection is closed")
        async with self._sending:
            await self._write(frame)

    async def _send_control(self, kind: int, payload: bytes, flags: int = 0) -> None:
        await self._send(_control(kind, flags, payload))

    async def _reply(self, stream: int) -> None:
        async with self._sending:
            # Compressed inside the lock: the peer must see the blocks in the order in which they were made.
            block = self._deflate.compress((0).to_bytes(4, "big")) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            await self._write(_control(SYN_REPLY, 0, stream.to_bytes(4, "big") + block))

    async def _next_frame(self) -> Frame | None:
        if not await self._fill(8):
            return None
        head = bytes(self._buffer[:8])
        length = int.from_bytes(head[5:8], "big")
        if not await self._fill(8 + length):
            return None
        payload = bytes(self._buffer[8 : 8 + length])
        del self._buffer[: 8 + length]
        if head[0] & 0x80:
            version = int.from_bytes(head[:2], "big") & 0x7FFF
            if version != VERSION:
                raise SpdyError(f"SPDY version {version} is not supported")
            return Frame(int.from_bytes(head[2:4], "big"), head[4], 0, payload)
        return Frame(0, head[4], int.from_bytes(head[:4], "big"), payload)

    async def _fill(self, size: int) -> bool:
        while len(self._buffer) < size:
            data = await self._read()
            if not data:
                return False
            self._buffer += data
        return True

    async def _take(self, frame: Frame) -> None:
        if frame.kind == 0:
            stream = self._streams.get(frame.stream)
            if stream is None:
                status = frame.stream.to_bytes(4, "big") + (2).to_bytes(4, "big")
                await self._send_control(RST_STREAM, status)
                return
            await stream.take(frame.payload, ended=bool(frame.flags & FIN))
        elif frame.kind == SYN_STREAM:
            if len(frame.payload) < 10:
                raise SpdyError("a SYN_STREAM frame is too short")
            number = int.from_bytes(frame.payload[:4], "big") & 0x7FFFFFFF
            headers = self._headers(frame.payload[10:])
            stream = SpdyStream(self, number, headers, ended=bool(frame.flags & FIN))
            self._streams[number] = stream
            await self._reply(number)
            self._on_stream(stream)
        elif frame.kind == RST_STREAM and len(frame.payload) >= 8:
            stream = self._streams.pop(int.from_bytes(frame.payload[:4], "big") & 0x7FFFFFFF, None)
            if stream is not None:
                stream.abandon(reset=True)
        elif frame.kind == PING and len(frame.payload) == 4:
            if int.from_bytes(frame.payload, "big") % 2 == 1:
                await self._send_control(PING, frame.payload)
        elif frame.kind == HEADERS and len(frame.payload) >= 4:
            self._headers(frame.payload[4:])  # read, to keep the compression in step
        elif frame.kind not in (SYN_REPLY, SETTINGS, GOAWAY, WINDOW_UPDATE, RST_STREAM, PING):
            raise SpdyError(f"unknown SPDY frame type {frame.kind}")

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            data = self._inflate.decompress(block, HEADERS_LIMIT)
        except zlib.error as error:
            raise SpdyError(f"SPDY headers cannot be decompressed: {error}") from error
        return parse_headers(data)


def parse_headers(data: bytes) -> dict[str, str]:
    """Name/value block of a frame; names in lower case, several values of a name joined by commas."""
    position = 0

    def number() -> int:
        nonlocal position
        if position + 4 > len(data):
            raise SpdyError("a SPDY header block is too short")
        position += 4
        return int.from_bytes(data[position - 4 : position], "big")

    def text() -> str:
        nonlocal position
        size = number()
        if position + size > len(data):
            raise SpdyError("a SPDY header block is too short")
        position += size
        return data[position - size : position].decode(errors="replace")

    headers = {}
    for _ in range(number()):
        name = text().lower()
        headers[name] = text().replace("\0", ",")
    return headers


def _control(kind: int, flags: int, payload: bytes) -> bytes:
    head = (0x8000 | VERSION).to_bytes(2, "big") + kind.to_bytes(2, "big")
    return head + bytes([flags]) + len(payload).to_bytes(3, "big") + payload
