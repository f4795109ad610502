"""Every kind of object the server has: built-in kinds by discovery, custom ones from their CRDs as they come and go."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.kube import resources as known
from kaito.kube.client import KubeClient
from kaito.kube.errors import NotFound
from kaito.kube.objects import condition_is
from kaito.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource

_ALL_VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})


class Kind(NamedTuple):
    """A resource and what can be done with it."""

    resource: Resource
    verbs: frozenset[str]


class Kinds:
    """The kinds of one cluster.

    Real discovery lags behind new CRDs by up to 30 seconds; here a CRD counts from the moment it is established.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._client = cluster.client
        self.definitions = cluster.cache(CUSTOM_RESOURCE_DEFINITIONS)
        self._built_in: dict[tuple[str, str], Kind] | None = None
        self._lock = asyncio.Lock()

    async def all(self) -> list[Kind]:
        """Every kind, each in its preferred version."""
        return [*(await self._discovered()).values(), *self._custom().values()]

    async def find(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an owner reference's apiVersion and kind, in its preferred version; None if unknown."""
        group = api_version.rpartition("/")[0]
        found = self._custom().get((group, kind)) or (await self._discovered()).get((group, kind))
        return found.resource if found else None

    def _custom(self) -> dict[tuple[str, str], Kind]:
        return {
            (kind.resource.group, kind.resource.kind): kind
            for definition in self.definitions.informer.list()
            if (kind := kind_of(definition)) is not None
        }

    async def _discovered(self) -> dict[tuple[str, str], Kind]:
        async with self._lock:
            if self._built_in is None:
                custom = {(d["spec"]["group"], d["spec"]["names"]["kind"]) for d in self.definitions.informer.list()}
                found = await discover(self._client)
                self._built_in = {
                    key: kind for kind in found if (key := (kind.resource.group, kind.resource.kind)) not in custom
                }
            return self._built_in


def kind_of(definition: Object) -> Kind | None:
    """The kind a CRD defines in its newest served version; None until it is established."""
    spec = definition["spec"]
    served = [version["name"] for version in spec["versions"] if version.get("served")]
    if not served or not condition_is(definition, "Established"):
        return None
    stored = next((v["name"] for v in spec["versions"] if v.get("storage")), served[0])
    version = stored if stored in served else served[0]
    names = spec["names"]
    namespaced = spec.get("scope", "Namespaced") == "Namespaced"
    return Kind(Resource(spec["group"], version, names["plural"], names["kind"], namespaced), _ALL_VERBS)


async def discover(client: KubeClient) -> list[Kind]:
    """The kinds a server lists under /api and /apis, each group in its preferred version.

    A server without discovery (the in-memory fake) has the kinds this project knows by name.
    """
    try:
        core = await client.request("GET", "/api/v1")
    except NotFound:
        return [Kind(each, _ALL_VERBS) for each in vars(known).values() if isinstance(each, Resource)]
    kinds = _kinds_in(core)
    groups = (await client.request("GET", "/apis")).get("groups") or ()
    versions = [version["groupVersion"] for group in groups for version in group["versions"]]
    preferred = {group["preferredVersion"]["groupVersion"] for group in groups}
    lists = await asyncio.gather(*(client.request("GET", f"/apis/{version}") for version in versions))
    seen = set()
    # Preferred versions first: an older one counts only for kinds that the preferred one lacks.
    for _, answer in sorted(zip(versions, lists, strict=True), key=lambda pair: pair[0] not in preferred):
        for kind in _kinds_in(answer):
            identity = (kind.resource.group, kind.resource.kind)
            if identity not in seen:
                seen.add(identity)
                kinds.append(kind)
    return kinds


def _kinds_in(answer: dict[str, Any]) -> list[Kind]:
    group, _, version = answer["groupVersion"].rpartition("/")
    return [
        Kind(
            Resource(
                each.get("group") or group,
                each.get("version") or version,
                each["name"],
                each["kind"],
                each["namespaced"],
            ),
            frozenset(each["verbs"]),
        )
        for each in answer.get("resources") or ()
        if "/" not in each["name"]
    ]
