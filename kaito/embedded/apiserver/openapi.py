"""OpenAPI: the v3 index, documents of built-in groups as recorded and of custom resources as defined, and v2."""

from __future__ import annotations

import asyncio
import hashlib

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import page_not_found
from kaito.embedded.apiserver.openapi_custom import custom_document
from kaito.embedded.apiserver.resources import Registry
from kaito.embedded.apiserver.schemas import documents, swagger


class OpenApi:
    """Answers /openapi/v2, /openapi/v3 and what is below that."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made = -1
        self._custom: dict[str, bytes] = {}
        self._index: bytes = b""

    async def answer(self, call: Call, path: str) -> web.StreamResponse:
        if path == "/openapi/v3":
            self._refresh()
            return web.Response(text=self._index.decode(), headers=call.answer_headers())
        if path == "/openapi/v2":
            if any(name in call.headers.get("Accept", "") for name in swagger.PROTOBUF_TYPES):
                body = await asyncio.to_thread(swagger.openapi_v2_protobuf)
                headers = {**call.answer_headers(), "Content-Type": swagger.PROTOBUF_TYPES[1]}
                return web.Response(body=body, headers=headers)
            return await send(call, await asyncio.to_thread(swagger.openapi_v2))
        prefix = "/openapi/v3/"
        if not path.startswith(prefix):
            raise page_not_found()
        self._refresh()
        name = path.removeprefix(prefix)
        if name in self._custom:
            return await send(call, self._custom[name])
        if name not in documents.openapi_v3_index():
            return web.Response(status=404, headers=call.answer_headers())
        return await send(call, await asyncio.to_thread(documents.openapi_v3, name))

    def _refresh(self) -> None:
        if self._made == self._registry.changes:
            return
        custom: dict[str, bytes] = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                resources = [r for r in self._registry.of(group, version) if r.custom]
                if resources:
                    custom[f"apis/{group}/{version}"] = orjson.dumps(custom_document(resources))
        self._custom = custom
        hashes = dict(documents.openapi_v3_index())
        for name, document in custom.items():
            hashes[name] = hashlib.sha512(document).hexdigest().upper()
        paths = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"} for name, digest in sorted(hashes.items())
        }
        self._index = orjson.dumps({"paths": paths})
        self._made = self._registry.changes
