"""Which handler answers a subresource that is more than a view of its object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import method_not_allowed
from kaito.embedded.apiserver.resources import Resource

Handler = Callable[[Call, Resource, str], Awaitable[web.StreamResponse]]


class Subresources:
    """A table of handlers by (plural, subresource); "*" stands for every resource."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {}

    def add(self, plural: str, subresource: str, handler: Handler) -> None:
        self._handlers[plural, subresource] = handler

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        """Raises a 405 for subresources nobody answers."""
        name = call.info.subresource
        handler = self._handlers.get((resource.plural, name)) or self._handlers.get(("*", name))
        if handler is None:
            raise method_not_allowed()
        return await handler(call, resource, namespace)
