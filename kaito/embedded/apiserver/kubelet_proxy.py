"""pods/log, exec, attach and portforward: handed to the kubelet of the pod's node, upgraded streams as they are."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import Cause, GroupResource, StatusError, bad_request, internal, invalid, not_found
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Object, ObjectKey, Store
from kaito.embedded.pki import Certificate

_HOP_HEADERS = frozenset(("connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "host"))
_PIECE = 64 * 1024
_HIGH_WATER = 512 * 1024
_LOG_OPTIONS = ("follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream")
_STREAM_OPTIONS = ("stdin", "stdout", "stderr", "tty")


class KubeletProxy:
    """Speaks to kubelets over HTTPS with a client certificate; their own certificates must be the cluster CA's."""

    def __init__(self, store: Store, reader: Reader, ca_pem: bytes, client: Certificate | None) -> None:
        self._store = store
        self._reader = reader
        self._ca_pem = ca_pem
        self._client = client
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    def tls(self) -> ssl.SSLContext:
        """The context to meet kubelets with."""
        if self._context is None:
            context = ssl.create_default_context(cadata=self._ca_pem.decode())
            context.check_hostname = False  # node addresses are loopback ones that many nodes share
            if self._client is not None:
                with tempfile.TemporaryDirectory() as folder:
                    cert, key = Path(folder) / "crt", Path(folder) / "key"
                    self._client.write(cert, key)
                    context.load_cert_chain(cert, key)
            self._context = context
        return self._context

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        pod = self._reader.entry(resource, namespace, call.info.name).object
        name = call.info.subresource
        container = "" if name == "portforward" else _container(call, pod, name)
        if name == "log":
            _check_log_options(call)
        node = (pod.get("spec") or {}).get("nodeName", "")
        if not node:
            if name == "log":
                # A pod nobody has scheduled has said nothing yet.
                return web.Response(status=204, headers={"Cache-Control": "no-cache, private"})
            raise bad_request(f"pod {call.info.name} does not have a host assigned")
        host, port = self.address(node)
        path = _path(call, namespace, container)
        if name == "log":
            return await self._stream_log(call, host, port, path)
        return await self._upgrade(call, host, port, path)

    def address(self, name: str, asked: GroupResource | None = None) -> tuple[str, int]:
        """Where a node's kubelet listens. Raises 404 in the name of what was `asked` for (pods)."""
        entry = self._store.collection("/nodes").get(ObjectKey("", name))
        if entry is None:
            raise not_found(asked or _PODS, name)
        status = entry.object.get("status") or {}
        addresses = {a["type"]: a["address"] for a in status.get("addresses") or ()}
        host = addresses.get("InternalIP") or addresses.get("Hostname") or addresses.get("ExternalIP")
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or 10250
        if not host:
            raise internal(f"no preferred addresses found; known addresses: {sorted(addresses)}")
        return host, int(port)

    async def _stream_log(self, call: Call, host: str, port: int, path: str) -> web.StreamResponse:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
            self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        url = f"https://{host}:{port}{path}"
        try:
            async with self._session.get(url, ssl=self.tls()) as upstream:
                if upstream.status >= 400:
                    text = (await upstream.text())[:1024].strip()
                    if upstream.status == 404:
                        raise StatusError(
                            404, "NotFound", f"the server could not find the requested resource ( {text} )", {}
                        )
                    raise bad_request(text) if upstream.status == 400 else internal(text)
                response = web.StreamResponse(headers=call.answer_headers())
                response.headers["Content-Type"] = "text/plain"
                response.enable_chunked_encoding()
                await response.prepare(call.http)
                async for piece in upstream.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response
        except aiohttp.ClientError as problem:
            raise internal(f'Get "{url}": {problem}') from None

    async def _upgrade(self, call: Call, host: str, port: int, path: str) -> web.StreamResponse:
        """Joins the client's connection to the kubelet's: what either sends goes to the other as it is."""
        if "upgrade" not in call.headers.get("Connection", "").lower():
            raise StatusError(400, "BadRequest", "Upgrade request required")
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(host, port, ssl=self.tls(), server_hostname=host), 10
            )
        except (OSError, TimeoutError) as problem:
            raise internal(f"error dialing backend: {problem}") from None
        try:
            writer.write(_head(call, host, port, path))
            await writer.drain()
            try:
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError) as problem:
                raise internal(f"error dialing backend: {problem}") from None
            status, headers = _parse_head(answer)
            if status != 101:
                length = int(headers.get("content-length") or 0)
                body = await reader.readexactly(length) if length else b""
                raise _refused(status, body.decode("utf-8", "replace").strip())
            return await _Joined(call, answer, reader, writer).run()
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()


_PODS = GroupResource("", "pods")


class _Joined:
    """Two open connections: aiohttp's transport on the client's side, a stream pair on the kubelet's."""

    def __init__(self, call: Call, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._call = call
        self._head = head
        self._reader = reader
        self._writer = writer

    async def run(self) -> web.StreamResponse:
        """Copies until either side ends; then both are closed."""
        request = self._call.http
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        transport.write(self._head)
        # From here on aiohttp parses nothing any more: what the client sends goes to the kubelet as it is.
        request.protocol.set_parser(_FromClient(self._writer, transport))  # type: ignore[arg-type]
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while piece := await self._reader.read(_PIECE):
                if transport.is_closing():
                    break
                transport.write(piece)
                # aiohttp keeps its own flow control to itself, hence the polling.
                while transport.get_write_buffer_size() > _HIGH_WATER and not transport.is_closing():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        transport.close()
        return web.Response()


class _FromClient:
    """Takes the place of aiohttp's parser and passes bytes on; slows the client down where the kubelet is slow."""

    def __init__(self, writer: asyncio.StreamWriter, transport: asyncio.Transport) -> None:
        self._writer = writer
        self._client = transport
        self._waiting: asyncio.Task[None] | None = None

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if self._writer.is_closing():
            return True, b""
        self._writer.write(data)
        if self._waiting is None and self._writer.transport.get_write_buffer_size() > _HIGH_WATER:
            self._client.pause_reading()
            self._waiting = asyncio.ensure_future(self._drain())
        return False, b""

    def feed_eof(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    async def _drain(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.drain()
        self._waiting = None
        if not self._client.is_closing():
            self._client.resume_reading()


def _container(call: Call, pod: Object, subresource: str) -> str:
    """The container meant: named, or the only one there is. Raises a 400."""
    spec = pod.get("spec") or {}
    names = [c["name"] for c in spec.get("containers") or ()]
    others = [c["name"] for c in [*(spec.get("initContainers") or ()), *(spec.get("ephemeralContainers") or ())]]
    wanted = call.query.get("container") or ""
    pod_name = pod["metadata"]["name"]
    if not wanted:
        if len(names) == 1:
            return str(names[0])
        if not names:
            raise bad_request(f"a container name must be specified for pod {pod_name}")
        listed = " ".join(names)
        extra = f" or one of the init containers: [{' '.join(others)}]" if others else ""
        raise bad_request(f"a container name must be specified for pod {pod_name}, choose one of: [{listed}]{extra}")
    if wanted not in names and wanted not in others:
        raise bad_request(f"container {wanted} is not valid for pod {pod_name}")
    return wanted


def _check_log_options(call: Call) -> None:
    causes = []
    for option, least in (("tailLines", 0), ("limitBytes", 1), ("sinceSeconds", 1)):
        text = call.query.get(option)
        if not text:
            continue
        try:
            number = int(text)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
        if number < least:
            message = f"Invalid value: {number}: must be greater than {'or equal to 0' if least == 0 else '0'}"
            causes.append(Cause("FieldValueInvalid", message, option))
    if call.query.get("sinceSeconds") and call.query.get("sinceTime"):
        message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(Cause("FieldValueForbidden", message, ""))
    if causes:
        raise invalid(GroupResource("", "PodLogOptions"), call.info.name, causes)


def _path(call: Call, namespace: str, container: str) -> str:
    """The kubelet's path and query for the request."""
    pod, name = call.info.name, call.info.subresource
    if name == "log":
        options = {key: call.query[key] for key in _LOG_OPTIONS if call.query.get(key)}
        return _with_query(f"/containerLogs/{namespace}/{pod}/{container}", list(options.items()))
    if name == "portforward":
        ports = [("port", port) for port in _all(call.query, "ports")]
        return _with_query(f"/portForward/{namespace}/{pod}", ports)
    switches = [
        ({"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}[key], "1")
        for key in _STREAM_OPTIONS
        if call.query.get(key) in ("1", "true", "True", "t", "T", "TRUE")
    ]
    command = [("command", word) for word in _all(call.query, "command")]
    return _with_query(f"/{name}/{namespace}/{pod}/{container}", [*switches, *command])


def _all(query: Mapping[str, str], name: str) -> list[str]:
    getall: Any = getattr(query, "getall", None)
    return list(getall(name, [])) if getall else []


def _with_query(path: str, pairs: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _head(call: Call, host: str, port: int, path: str) -> bytes:
    lines = [f"{call.http.method} {path} HTTP/1.1", f"Host: {host}:{port}"]
    for name, value in call.headers.items():
        if name.lower() not in _HOP_HEADERS and name.lower() != "authorization":
            lines.append(f"{name}: {value}")
    lines += ["Connection: Upgrade", f"Upgrade: {call.headers.get('Upgrade', '')}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _parse_head(raw: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = raw.decode("latin-1").split("\r\n")
    headers = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    try:
        return int(first.split(" ")[1]), headers
    except (IndexError, ValueError):
        raise internal("the kubelet answered with something that is no HTTP") from None


def _refused(status: int, text: str) -> StatusError:
    reasons = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 500: "InternalError"}
    return StatusError(status, reasons.get(status, "InternalError"), text or f"the kubelet answered {status}")
