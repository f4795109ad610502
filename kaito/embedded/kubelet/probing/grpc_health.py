"""The gRPC health protocol (`grpc.health.v1.Health/Check`), as far as a probe needs it: one call over clear HTTP/2."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from kaito.embedded.addresses import socket_address

METHOD = "/grpc.health.v1.Health/Check"
SERVING_STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
CODES = (
    *("OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"),
    *("PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"),
    *("Internal", "Unavailable", "DataLoss", "Unauthenticated"),
)
"""gRPC's status codes by number, as Go prints them."""
HTTP_CODES = {400: "Internal", 401: "Unauthenticated", 403: "PermissionDenied", 404: "Unimplemented"} | dict.fromkeys(
    (429, 502, 503, 504), "Unavailable"
)
"""What a client makes of an answer that is not gRPC's (doc/http-grpc-status-mapping.md)."""
RETRY_SECONDS = 0.1
"""Between two attempts to connect: a probe waits for its port until its time is over."""
ANSWER_LIMIT = 10 * 1024


class CallFailed(Exception):
    """A call that was answered with a gRPC status other than OK, or with something that is not gRPC."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {text}")
        self.code = code
        self.text = text


class NotConnected(Exception):
    """Nothing that speaks HTTP/2 listened before the time was over."""


async def serving_status(host: str, port: int, service: str, timeout: float) -> str:
    """What the server at API address ``host`` says about ``service`` within ``timeout`` seconds.

    Raises `NotConnected`, `CallFailed`, or TimeoutError when the answer took too long.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    reader, writer = await _connect(socket_address(host), port, deadline)
    answer = _Answer()
    try:
        async with asyncio.timeout_at(deadline):
            await _call(reader, writer, f"{host}:{port}", service, answer)
        return _status(answer)
    except (TimeoutError, CallFailed) as error:
        # A client counts as connected once the server's HTTP/2 settings are there; another protocol never sends them.
        if not answer.connected:
            raise NotConnected from error
        raise
    finally:
        writer.close()


async def _connect(address: str, port: int, deadline: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout_at(deadline):
            while True:
                try:
                    return await asyncio.open_connection(address, port)
                except OSError:
                    await asyncio.sleep(RETRY_SECONDS)
    except TimeoutError as error:
        raise NotConnected from error


@dataclass
class _Answer:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    connected: bool = False
    ended: bool = False


async def _call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str, answer: _Answer
) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(
        1,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", METHOD),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/1.34"),
            ("te", "trailers"),
        ],
    )
    connection.send_data(1, _request(service), end_stream=True)
    try:
        while not answer.ended:
            writer.write(connection.data_to_send())
            await writer.drain()
            data = await reader.read(65536)
            if not data:
                raise CallFailed("Unavailable", "error reading from server: EOF")
            for event in connection.receive_data(data):
                _take(event, connection, answer)
    except h2.exceptions.ProtocolError as error:
        raise CallFailed("Unavailable", f"connection error: {error}") from error
    except OSError as error:
        raise CallFailed("Unavailable", f"error reading from server: {error.strerror or error}") from error


def _take(event: h2.events.Event, connection: h2.connection.H2Connection, answer: _Answer) -> None:
    match event:
        case h2.events.RemoteSettingsChanged():
            answer.connected = True
        case h2.events.ResponseReceived() | h2.events.TrailersReceived():
            answer.headers |= {str(name): str(value) for name, value in event.headers or ()}
        case h2.events.DataReceived():
            connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            answer.body += event.data or b""
            if len(answer.body) > ANSWER_LIMIT:
                raise CallFailed("ResourceExhausted", "grpc: received message larger than max")
        case h2.events.StreamEnded():
            answer.ended = True
        case h2.events.StreamReset():
            raise CallFailed("Internal", f"stream terminated by RST_STREAM with error code: {event.error_code}")
        case h2.events.ConnectionTerminated():
            raise CallFailed("Unavailable", "the server closed the connection")


def _request(service: str) -> bytes:
    """A HealthCheckRequest (field 1, the service's name) as a gRPC message: not compressed, four bytes of length."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _status(answer: _Answer) -> str:
    """The ServingStatus (field 1 of a HealthCheckResponse; UNKNOWN when the message leaves it out)."""
    http = answer.headers.get(":status", "")
    code = answer.headers.get("grpc-status")
    if code is None:
        number = int(http) if http.isdigit() else 0
        text = f"unexpected HTTP status code received from server: {number}"
        raise CallFailed(HTTP_CODES.get(number, "Unknown"), text)
    if code != "0":
        name = CODES[int(code)] if code.isdigit() and int(code) < len(CODES) else f"Code({code})"
        raise CallFailed(name, unquote(answer.headers.get("grpc-message", "")))
    message = bytes(answer.body[5:])
    number = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    return SERVING_STATUS[number] if number < len(SERVING_STATUS) else str(number)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
