"""DELETE requests, on one object and on many: from the request to the answer."""

from __future__ import annotations

import asyncio

from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.bodies import read_options
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.deleting import Deleter
from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.list_options import parse as parse_list
from kaito.embedded.apiserver.listing import Page, Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.selecting import selection
from kaito.embedded.apiserver.store import ObjectKey
from kaito.embedded.apiserver.write_options import delete_options

_TURN = 0.005
"""Seconds that the deletions of a collection may take before other requests get a turn."""


class Removing:
    """Answers delete and deletecollection."""

    def __init__(self, reader: Reader, deleter: Deleter) -> None:
        self._reader = reader
        self._deleter = deleter

    async def delete(self, call: Call, resource: Resource, namespace: str, name: str) -> web.StreamResponse:
        form = choose(call.accept)
        options = delete_options(call.query, await read_options(call))
        deleted = await self._deleter.delete(call, resource, ObjectKey(namespace, name), options)
        # Only the old way to ask for dependents to go first is told that it is not done yet.
        status = 202 if options.orphan_dependents is False and not deleted.gone else 200
        if deleted.gone and not self._deleter.returns_objects(resource):
            body = self._deleter.success(resource, deleted)
            return await send(call, body, status=status, form=form)
        return await self._reader.show(call, resource, deleted.entry, status=status, form=form)

    async def delete_collection(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        """Answers with the objects as they were before."""
        form = choose(call.accept)
        listed = parse_list(call.query, watch=False)
        wanted = selection(resource, namespace, listed)
        body = await read_options(call)
        self._deleter.warn(call, resource, delete_options(call.query, body))
        page = await self._reader.page(resource, listed, wanted)
        loop = asyncio.get_running_loop()
        turn_ends = loop.time() + _TURN
        for entry in page.entries:
            if loop.time() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = loop.time() + _TURN
            try:
                await self._deleter.delete(call, resource, entry.key, delete_options(call.query, body))
            except StatusError as problem:
                if problem.code != 404:
                    raise
        return await self._reader.show_list(call, resource, Page(page.entries, page.metadata), form=form)
