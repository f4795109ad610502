"""A running API server in memory and a small HTTP client for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, ServiceAccountKey
from tests.unit.apiserver.real_server import real_server

AUTHORITY = Authority.create()
ACCOUNT_KEY = ServiceAccountKey.create()
WIDGETS = "/apis/test.dev/v1/namespaces/default/widgets"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def widget_definition(**version: Any) -> dict[str, Any]:
    """A definition of test.dev Widgets; `version` overrides parts of its one version."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"color": {"type": "string"}, "size": {"type": "integer", "default": 3}},
            },
            "status": {"type": "object", "properties": {"phase": {"type": "string"}, "size": {"type": "integer"}}},
        },
    }
    one = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
        "selectableFields": [{"jsonPath": ".spec.color"}],
        "schema": {"openAPIV3Schema": schema},
        **version,
    }
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    return {
        "metadata": {"name": "widgets.test.dev"},
        "spec": {"group": "test.dev", "scope": "Namespaced", "names": names, "versions": [one]},
    }


def widget(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "test.dev/v1",
        "kind": "Widget",
        "metadata": {"name": name, **metadata},
        "spec": {"color": "red"},
    }


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class Api:
    """Requests as one user."""

    def __init__(self, server: ApiServer, url: str, token: str) -> None:
        self.server = server
        self.url = url
        self.token = token
        self.context = ssl.create_default_context(cadata=AUTHORITY.ca_pem.decode())
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.context))

    def as_token(self, token: str) -> Api:
        other = Api.__new__(Api)
        other.__dict__.update(self.__dict__, token=token)
        return other

    async def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> Answer:
        sent = {"User-Agent": "tests/1"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            sent["Content-Type"] = content_type
            data = orjson.dumps(body) if isinstance(body, (dict, list)) else body
        async with self.session.request(method, self.url + path, data=data, headers=sent) as response:
            raw = await response.read()
            try:
                document = orjson.loads(raw)
            except orjson.JSONDecodeError:
                document = raw.decode()
            return Answer(response.status, document, response.headers)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("POST", path, body, **headers)

    async def put(self, path: str, body: Any) -> Answer:
        return await self.call("PUT", path, body)

    async def patch(self, path: str, body: Any, content_type: str = MERGE) -> Answer:
        return await self.call("PATCH", path, body, content_type)

    async def delete(self, path: str, body: Any = None) -> Answer:
        return await self.call("DELETE", path, body)

    async def events(self, path: str, count: int, seconds: float = 5.0, **headers: str) -> list[dict[str, Any]]:
        """The first `count` events of a watch (fewer when it ends before)."""
        found: list[dict[str, Any]] = []
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        async with asyncio.timeout(seconds), self.session.get(self.url + path, headers=sent) as response:
            assert response.status == 200, await response.text()
            while len(found) < count and (line := await response.content.readline()):
                found.append(orjson.loads(line))
        return found

    async def define_widgets(self, **version: Any) -> None:
        answer = await self.post(DEFINITIONS, widget_definition(**version))
        assert answer.status == 201, answer.body
        for _ in range(100):
            if (await self.get(WIDGETS)).status == 200:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("widgets are not served")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async for started in serving():
        yield started


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a real kube-apiserver that takes the token `real`; skips where there are no binaries of one."""
    async with real_server(tmp_path, ACCOUNT_KEY.key) as url:
        yield url


async def serving(store: Store | None = None, **arguments: Any) -> AsyncIterator[Api]:
    """One API server, its admin's client, and a clean end of both."""
    store = store or Store.open()
    arguments.setdefault("settings", ApiServerSettings(service_account_admission=False))
    server = ApiServer(store=store, authority=AUTHORITY, service_account_key=ACCOUNT_KEY, **arguments)
    server.tokens.add("admin-token", "admin", ("system:masters",))
    url = await server.start()
    client = Api(server, url, "admin-token")
    try:
        yield client
    finally:
        await client.session.close()
        await server.stop()
        store.close()
