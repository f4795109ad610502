"""Answers: bytes out in the chosen format, in pieces where they are large."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import yaml
from aiohttp import web

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import PlainError, StatusError
from kaito.embedded.apiserver.negotiating import Format, of_errors

_PIECE = 256 * 1024  # bytes written before the loop gets a turn
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def encode(obj: Any) -> bytes:
    return orjson.dumps(obj)


def to_yaml(document: bytes) -> bytes:
    """A JSON document as YAML, keys sorted as the real server writes them."""
    text: str = yaml.dump(orjson.loads(document), Dumper=_DUMPER, default_flow_style=False, allow_unicode=True)
    return text.encode()


async def send(call: Call, body: bytes, *, status: int = 200, form: Format | None = None) -> web.StreamResponse:
    """Answers with a JSON document, turned into what the client asked for."""
    return await send_pieces(call, [body], status=status, form=form)


async def send_pieces(
    call: Call, pieces: Iterable[bytes], *, status: int = 200, form: Format | None = None
) -> web.StreamResponse:
    """Answers with the concatenation of `pieces`; large answers go out bit by bit so that others get their turn."""
    form = form or Format()
    body = b"".join(pieces)
    if form.yaml:
        body = to_yaml(body) if len(body) < _PIECE else await asyncio.to_thread(to_yaml, body)
    elif call.pretty and len(body) < _PIECE:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    headers = call.answer_headers()
    headers["Content-Type"] = form.content_type
    if len(body) <= _PIECE:
        return web.Response(body=body, status=status, headers=headers)
    headers["Content-Length"] = str(len(body))
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(call.http)
    for start in range(0, len(body), _PIECE):
        await response.write(body[start : start + _PIECE])
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def status_response(error: StatusError, call: Call) -> web.Response:
    """A failure as a Status object, in the format that the client asked for where that can be."""
    form = of_errors(call.accept)
    headers = call.answer_headers()
    headers.update(error.headers)
    headers["Content-Type"] = form.content_type
    body = orjson.dumps(error.status(), option=orjson.OPT_INDENT_2 if call.pretty else 0)
    return web.Response(body=to_yaml(body) if form.yaml else body, status=error.code, headers=headers)


def plain_response(error: PlainError) -> web.Response:
    return text_response(error.text, error.code)


def text_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    all_headers = {"Cache-Control": "no-cache, private", "Content-Type": "text/plain; charset=utf-8"}
    all_headers["X-Content-Type-Options"] = "nosniff"
    all_headers.update(headers or {})
    return web.Response(body=text.encode(), status=status, headers=all_headers)
