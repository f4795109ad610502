"""From a kind as a manifest writes it to the resource that serves it."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.kube.discovery import resource_of
from kaito.kube.errors import NotFound
from kaito.kube.resources import WORKSPACES

FOUND: dict[str, Any] = {
    "resources": [
        {"name": "foos/status", "kind": "Foo", "namespaced": True},
        {"name": "foos", "kind": "Foo", "namespaced": True},
    ]
}


class Answering:
    """A client of a server that serves one version of one group."""

    async def request(self, method: str, path: str) -> dict[str, Any]:
        if path == "/apis/example.com/v1":
            return FOUND
        raise NotFound("404 page not found", status=404, reason="NotFound")


async def test_a_known_kind_is_not_asked_about_and_another_one_is_found() -> None:
    client: Any = Answering()
    assert await resource_of(client, WORKSPACES.api_version, "Workspace") is WORKSPACES
    assert (await resource_of(client, "example.com/v1", "Foo")).plural == "foos"


@pytest.mark.parametrize("api_version", ["example.com/v1", "example.com/v2", "nope/v1", "v7"])
async def test_a_kind_that_is_not_served_is_named_with_its_version(api_version: str) -> None:
    client: Any = Answering()
    with pytest.raises(NotFound, match=f'no matches for kind "Bar" in version "{api_version}"'):
        await resource_of(client, api_version, "Bar")
