"""The streams of one exec or attach, over websocket channels or over SPDY streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiohttp import WSMsgType, web

from kaito.embedded.kubelet.streaming.spdy import SpdySession, SpdyStream

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
CHANNELS = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
CLOSE_CHANNEL = 255
"""v5: a message on it ends the channel that its one byte names."""
STREAM_SECONDS = 30.0
"""How long the client may take to open its SPDY streams."""
LINGER_SECONDS = 2.0
"""How long the client may take to hang up after the last word."""

OutputName = Literal["stdout", "stderr", "error"]


@dataclass(frozen=True)
class Wanted:
    """Which streams the client asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Wanted:
        """From the kubelet's own parameter names (``input``, ``output``, ``error``) or the API's.

        ValueError when no stream is wanted.
        """

        def flag(*names: str) -> bool:
            return any(query.get(name, "").lower() in ("1", "t", "true") for name in names)

        tty = flag("tty")
        wanted = cls(
            stdin=flag("input", "stdin"),
            stdout=flag("output", "stdout"),
            stderr=flag("error", "stderr") and not tty,
            tty=tty,
        )
        if not (wanted.stdin or wanted.stdout or wanted.stderr):
            raise ValueError("you must specify at least 1 of stdin, stdout, stderr")
        return wanted


class Streams(Protocol):
    """The client's side of an exec or attach."""

    closed: asyncio.Event
    """Set when the client is gone."""
    relays: int
    """How many servers a failure is told by: each puts words before it. The real API server translates websockets."""

    async def read_input(self) -> bytes:
        """The next bytes of standard input; empty at its end."""
        ...

    async def read_size(self) -> tuple[int, int] | None:
        """The next size (columns, rows) of the client's terminal; None when there will be none."""
        ...

    async def write(self, name: OutputName, data: bytes) -> None:
        """Send output. ConnectionError when the client is gone."""
        ...

    async def finish(self, status: Mapping[str, Any]) -> None:
        """Send the final status and end every stream."""
        ...


def parse_size(message: bytes) -> tuple[int, int] | None:
    """A terminal size message, ``{"Width": 80, "Height": 24}``; None when it is none."""
    try:
        size = json.loads(message)
        return int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError):
        return None


class WebSocketStreams:
    """Channels of a websocket: the first byte of each message is the channel."""

    relays = 2

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.closed = asyncio.Event()
        self._socket = socket
        self._input: asyncio.Queue[bytes] = asyncio.Queue(maxsize=64)
        self._sizes: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()
        self._input_ended = False

    async def receive(self) -> None:
        """Take messages until the client is gone."""
        try:
            async for message in self._socket:
                if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                    continue
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                if not data:
                    continue
                channel, rest = data[0], data[1:]
                if channel == CHANNELS["stdin"] and rest:
                    await self._input.put(rest)
                elif channel == CHANNELS["resize"]:
                    if size := parse_size(rest):
                        self._sizes.put_nowait(size)
                elif channel == CLOSE_CHANNEL and rest[:1] == bytes([CHANNELS["stdin"]]):
                    await self._input.put(b"")
        finally:
            self.closed.set()
            self._sizes.put_nowait(None)
            with contextlib.suppress(asyncio.QueueFull):
                self._input.put_nowait(b"")

    async def read_input(self) -> bytes:
        if self._input_ended:
            return b""
        data = await self._input.get()
        self._input_ended = not data
        return data

    async def read_size(self) -> tuple[int, int] | None:
        return await self._sizes.get()

    async def write(self, name: OutputName, data: bytes) -> None:
        if self._socket.closed:
            raise ConnectionResetError("the client is gone")
        await self._socket.send_bytes(bytes([CHANNELS[name]]) + data)

    async def finish(self, status: Mapping[str, Any]) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.write("error", json.dumps(status).encode())
            await self._socket.close()


class SpdyStreams:
    """Streams of a SPDY connection: each says in a header what it is for."""

    relays = 1

    def __init__(self, wanted: Wanted) -> None:
        self.closed = asyncio.Event()
        self._expected = {"error"} | {name for name in ("stdin", "stdout", "stderr") if getattr(wanted, name)}
        if wanted.tty:
            self._expected.add("resize")
        self._streams: dict[str, SpdyStream] = {}
        self._complete = asyncio.Event()
        self._session: SpdySession | None = None
        self._sizes = bytearray()

    def bind(self, session: SpdySession) -> None:
        """The connection whose streams these are."""
        self._session = session
        self.closed = session.closed

    def opened(self, stream: SpdyStream) -> None:
        """The client has opened a stream."""
        self._streams.setdefault(stream.headers.get("streamtype", ""), stream)
        if self._expected <= self._streams.keys():
            self._complete.set()

    async def wait_complete(self) -> None:
        """Return when every expected stream is open. TimeoutError."""
        async with asyncio.timeout(STREAM_SECONDS):
            await self._complete.wait()

    async def read_input(self) -> bytes:
        stream = self._streams.get("stdin")
        return await stream.read() if stream else b""

    async def read_size(self) -> tuple[int, int] | None:
        stream = self._streams.get("resize")
        if stream is None:
            return None
        while True:
            text, separator, rest = bytes(self._sizes).partition(b"}")
            if separator:
                self._sizes[:] = rest
                if size := parse_size(text + separator):
                    return size
                continue
            data = await stream.read()
            if not data:
                return None
            self._sizes += data

    async def write(self, name: OutputName, data: bytes) -> None:
        stream = self._streams.get(name)
        if stream is not None:
            await stream.write(data)

    async def finish(self, status: Mapping[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            await self.write("error", json.dumps(status).encode())
            for stream in self._streams.values():
                await stream.close()
        # Closing at once would reset the connection while input is unread, and the client would lose what we sent.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closed.wait(), LINGER_SECONDS)
