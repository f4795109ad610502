"""The SPDY session against a small client of our own."""

import asyncio
import contextlib
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaito.embedded.kubelet.streaming.spdy import (
    FIN,
    PING,
    RST_STREAM,
    SYN_REPLY,
    SYN_STREAM,
    SpdyError,
    SpdySession,
    parse_headers,
)
from kaito.embedded.kubelet.streaming.spdy_dictionary import DICTIONARY


def control(kind, payload, flags=0):
    return b"\x80\x03" + kind.to_bytes(2, "big") + bytes([flags]) + len(payload).to_bytes(3, "big") + payload


class SpdyClient:
    """Writes frames into a session and takes apart what it answers."""

    def __init__(self):
        self.to_server: asyncio.Queue[bytes] = asyncio.Queue()
        self.from_server = bytearray()
        self.streams = []
        self.deflate = zlib.compressobj(level=9, zdict=DICTIONARY)
        self.session = SpdySession(self.to_server.get, self.write, self.streams.append)

    async def write(self, data):
        self.from_server += data

    def send(self, data):
        self.to_server.put_nowait(data)

    def open(self, number, flags=0, **headers):
        block = len(headers).to_bytes(4, "big")
        for name, value in headers.items():
            for text in (name.encode(), value.encode()):
                block += len(text).to_bytes(4, "big") + text
        block = self.deflate.compress(block) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.send(control(SYN_STREAM, number.to_bytes(4, "big") + bytes(6) + block, flags))

    def data(self, number, data, flags=0):
        self.send(number.to_bytes(4, "big") + bytes([flags]) + len(data).to_bytes(3, "big") + data)

    def frames(self):
        data, result = bytes(self.from_server), []
        while data:
            size = int.from_bytes(data[5:8], "big")
            kind = int.from_bytes(data[2:4], "big") if data[0] & 0x80 else 0
            number = 0 if kind else int.from_bytes(data[:4], "big")
            result.append((kind, number, data[4], data[8 : 8 + size]))
            data = data[8 + size :]
        return result


@pytest.fixture
async def client():
    client = SpdyClient()
    task = asyncio.create_task(client.session.run())
    yield client
    client.send(b"")
    await asyncio.gather(task, return_exceptions=True)


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_dictionary_has_the_length_of_the_protocol_s():
    assert len(DICTIONARY) == 1423


async def test_a_stream_is_acknowledged_and_carries_bytes_both_ways(client):
    client.open(1, Streamtype="data", Port="80")
    client.open(3, Streamtype="error")
    client.data(1, b"hello")
    client.data(1, b"", FIN)
    await settle()
    first, second = client.streams
    assert first.headers == {"streamtype": "data", "port": "80"}
    assert second.headers == {"streamtype": "error"}
    assert await first.read() == b"hello"
    assert await first.read() == b""
    await first.write(b"x" * 100_000)
    await first.close()
    frames = client.frames()
    assert [kind for kind, *_ in frames[:2]] == [SYN_REPLY, SYN_REPLY]
    assert b"".join(payload for kind, number, _, payload in frames if kind == 0 and number == 1) == b"x" * 100_000
    assert frames[-1][2] == FIN


async def test_a_ping_is_answered_and_data_for_no_stream_is_refused(client):
    client.send(control(PING, (1).to_bytes(4, "big")))
    client.data(9, b"lost")
    await settle()
    assert [kind for kind, *_ in client.frames()] == [PING, RST_STREAM]


async def test_a_reset_ends_the_stream(client):
    client.open(1)
    await settle()
    client.send(control(RST_STREAM, (1).to_bytes(4, "big") + (5).to_bytes(4, "big")))
    await settle()
    assert await client.streams[0].read() == b""
    with pytest.raises(ConnectionError):
        await client.streams[0].write(b"x")


async def test_the_end_of_the_connection_ends_every_stream(client):
    client.open(1)
    await settle()
    client.send(b"")
    await settle()
    assert client.session.closed.is_set()
    assert await client.streams[0].read() == b""


async def test_a_sender_that_is_not_read_is_slowed_down(client):
    client.open(1)
    for _ in range(40):
        client.data(1, b"x" * 100_000)
    await settle()
    assert client.to_server.qsize() > 20
    total = 0
    while total < 4_000_000:
        total += len(await client.streams[0].read())
        await settle()
    assert client.to_server.empty()


@pytest.mark.parametrize("block", [b"", b"\0\0\0\1", b"\0\0\0\1\0\0\0\xff"])
def test_short_header_blocks_are_refused(block):
    with pytest.raises(SpdyError):
        parse_headers(block)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_garbage_ends_the_session_without_another_error(chunks):
    async def run():
        client = SpdyClient()
        for chunk in (*chunks, b""):
            if chunk:
                client.send(chunk)
        client.send(b"")
        with contextlib.suppress(SpdyError):
            await client.session.run()
        assert client.session.closed.is_set()

    asyncio.run(run())
