"""One aiohttp request, made into a Call."""

from __future__ import annotations

from aiohttp import web

from kaito.embedded.apiserver import routing
from kaito.embedded.apiserver.bodies import LIMIT
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import bad_request, too_large_body
from kaito.embedded.apiserver.identity import ANONYMOUS


def call_of(request: web.BaseRequest) -> Call:
    """The call behind a request; its user is set later."""
    query = request.rel_url.query
    # The raw path, decoded once: names may hold characters that yarl would normalise away.
    info = routing.read(request.method, request.rel_url.path, query)

    async def read_body() -> bytes:
        return await _read(request)

    return Call(info, ANONYMOUS, query, request.headers, read_body, request)


async def _read(request: web.BaseRequest) -> bytes:
    """The whole body. Raises a 413 beyond three mebibytes, as the real server limits it."""
    if not request.body_exists:
        return b""
    if request.content_length is not None and request.content_length > LIMIT:
        raise too_large_body(LIMIT)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.content.iter_any():
            size += len(part)
            if size > LIMIT:
                raise too_large_body(LIMIT)
            parts.append(part)
    except (web.HTTPException, ValueError) as problem:
        raise bad_request(f"the body could not be read: {problem}") from None
    return b"".join(parts)
