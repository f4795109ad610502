"""A plain HTTP/1.1 client over one kept connection: measured servers share the cores with whoever measures them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from kaito.kube.access import Access


class Connection:
    """One connection to an API server; an async context manager. One request at a time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._host = urlsplit(access.server)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        authorization = f"Authorization: {access.authorization}\r\n" if access.authorization else ""
        self._common = f"Host: {self._host.netloc}\r\n{authorization}Accept: application/json\r\n"

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._host.hostname, self._host.port, ssl=self._access.ssl_context, limit=2**20
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    async def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", *, expected: int = 300
    ) -> bytes:
        """Send a request and read the whole answer; RuntimeError when its status is not below `expected`."""
        status, headers = await self._send(method, path, body, content_type)
        if "chunked" in headers.get("transfer-encoding", ""):
            content = b"".join([chunk async for chunk in self._chunks()])
        else:
            content = await self._reader.readexactly(int(headers.get("content-length", 0)))
        if status >= expected:
            raise RuntimeError(f"{method} {path} answered {status}: {content[:256].decode(errors='replace')}")
        return content

    async def watch(self, path: str) -> AsyncGenerator[dict[str, Any]]:
        """The events of a watch, as they come."""
        status, _ = await self._send("GET", path, None, "application/json")
        if status != 200:
            raise RuntimeError(f"watch {path} answered {status}")
        rest = b""
        async for chunk in self._chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield orjson.loads(line)

    async def _send(self, method: str, path: str, body: Any, content_type: str) -> tuple[int, dict[str, str]]:
        content = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        described = f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n" if content else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._common}{described}\r\n".encode() + content)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(head[0].split(" ", 2)[1]), headers

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            size = int(await self._reader.readline(), 16)
            chunk = await self._reader.readexactly(size + 2)
            if not size:
                return
            yield chunk[:-2]
