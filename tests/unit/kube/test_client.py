"""The client turns answers into objects and errors, and long watches into events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from kaito.kube import errors
from kaito.kube.access import Access
from kaito.kube.client import Client
from kaito.kube.resources import CONFIG_MAPS, NODES, PODS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with Client(Access(server=f"http://127.0.0.1:{port}", authorization="Bearer secret")) as client:
            yield client
    finally:
        await runner.cleanup()


def status(code: int, reason: str, **more: Any) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": f"{reason}!", **more}
    return web.json_response(body, status=code)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (503, "ServiceUnavailable", errors.ServerError),
    ],
)
async def test_a_status_answer_becomes_the_error_it_means(code: int, reason: str, kind: type[errors.ApiError]) -> None:
    async def answer(request: web.Request) -> web.Response:
        return status(code, reason, details={"causes": [{"field": "spec"}]})

    async with served(answer) as client:
        with pytest.raises(kind, match=f"{reason}!") as raised:
            await client.get(PODS, "a", "default")
    assert raised.value.status == code
    assert raised.value.causes == [{"field": "spec"}]


async def test_throttling_carries_the_seconds_to_wait() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"}, text="slow down")

    async with served(answer) as client:
        with pytest.raises(errors.Throttled, match="slow down") as raised:
            await client.get(PODS, "a", "default")
    assert raised.value.retry_after == 7


async def test_a_long_text_answer_is_cut_in_the_error() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=500, text="x" * 10_000)

    async with served(answer) as client:
        with pytest.raises(errors.ServerError) as raised:
            await client.get(NODES, "a")
    assert len(raised.value.message) == errors.MESSAGE_LIMIT


async def test_no_answer_is_unreachable_and_does_not_show_the_token() -> None:
    async with Client(Access(server="http://127.0.0.1:9", authorization="Bearer secret")) as client:
        with pytest.raises(errors.Unreachable) as raised:
            await client.get(NODES, "a")
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(client.access)


async def test_a_list_follows_its_pages_and_names_the_kind_of_each_item() -> None:
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(dict(request.query))
        first = "continue" not in request.query
        metadata = {"resourceVersion": "7", **({"continue": "more"} if first else {})}
        items = [{"metadata": {"name": "one" if first else "two"}}]
        return web.json_response({"metadata": metadata, "items": items})

    async with served(answer) as client:
        found = await client.list(CONFIG_MAPS, "default", label_selector="a=b")
    assert [item["metadata"]["name"] for item in found.items] == ["one", "two"]
    assert {item["kind"] for item in found.items} == {"ConfigMap"}
    assert found.resource_version == "7"
    assert [query["labelSelector"] for query in seen] == ["a=b", "a=b"]


async def test_watch_events_longer_than_any_line_limit_arrive_whole() -> None:
    large = {"metadata": {"name": "a", "resourceVersion": "1"}, "data": {"x": "y" * 300_000}}

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        for _ in range(3):
            line = orjson.dumps({"type": "MODIFIED", "object": large}) + b"\n"
            for start in range(0, len(line), 70_001):
                await stream.write(line[start : start + 70_001])
        return stream

    async with served(answer) as client:
        events = [event async for event in client.watch(CONFIG_MAPS, resource_version="0")]
    assert [event.object for event in events] == [large] * 3


async def test_an_error_event_in_a_watch_is_raised() -> None:
    async def answer(request: web.Request) -> web.Response:
        gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        return web.Response(body=orjson.dumps({"type": "ERROR", "object": gone}) + b"\n")

    async with served(answer) as client:
        with pytest.raises(errors.Gone, match="too old"):
            _ = [event async for event in client.watch(CONFIG_MAPS, resource_version="1")]
