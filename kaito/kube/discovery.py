"""From a kind as people and manifests write it to the resource that serves it."""

from __future__ import annotations

import contextlib

from kaito.kube import resources
from kaito.kube.client import KubeClient
from kaito.kube.errors import NotFound
from kaito.kube.resources import Resource

_KNOWN = tuple(value for value in vars(resources).values() if isinstance(value, Resource))


async def resource_of(client: KubeClient, api_version: str, kind: str) -> Resource:
    """The resource of a manifest's apiVersion and kind; NotFound when the server does not serve it."""
    for known in _KNOWN:
        if (known.api_version, known.kind) == (api_version, kind):
            return known
    group, _, version = api_version.rpartition("/")
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    with contextlib.suppress(NotFound):  # Nor does it serve the version.
        for entry in (await client.request("GET", path)).get("resources") or ():
            if entry["kind"] == kind and "/" not in entry["name"]:
                return Resource(group, version, entry["name"], kind, bool(entry["namespaced"]))
    raise NotFound(f'no matches for kind "{kind}" in version "{api_version}"', status=404, reason="NotFound")


def resource_named(word: str) -> Resource:
    """The known resource that a word such as `workspace` or `pods` means; ValueError when there is none."""
    wanted = word.lower().partition(".")[0]
    for known in _KNOWN:
        if wanted in (known.plural, known.kind.lower()):
            return known
    names = ", ".join(sorted(known.kind.lower() for known in _KNOWN))
    raise ValueError(f"{word!r} is not a kind that can be named here; known are {names}")
