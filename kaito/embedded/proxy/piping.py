"""Two connections joined byte for byte, with back-pressure and half-closes kept."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from asyncio import transports


class PipeEnd(asyncio.Protocol):
    """One end; what it receives goes to the other end's connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: PipeEnd | None = None
        self.closed = asyncio.Event()

    def join(self, other: PipeEnd) -> None:
        """Send everything from now on to each other."""
        self.peer, other.peer = other, self

    def connection_made(self, transport: transports.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        peer = self.peer.transport if self.peer else None
        if peer is not None and not peer.is_closing() and peer.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                peer.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            if isinstance(exc, ConnectionResetError):
                reset(self.peer.transport)
            else:
                self.peer.transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Close with a TCP reset, as a port with nobody behind it answers."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
