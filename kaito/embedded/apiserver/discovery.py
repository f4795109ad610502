"""Discovery: which groups, versions and resources there are, in the old form and the aggregated one."""

from __future__ import annotations

import re
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import method_not_allowed, no_such_path, page_not_found
from kaito.embedded.apiserver.negotiating import Format, choose, clauses, ensure_produced
from kaito.embedded.apiserver.resources import Registry, Resource

CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


class Discovery:
    """Answers /api, /apis and what is below them down to a group version."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made = -1
        self._documents: dict[str, bytes] = {}

    def _document(self, key: str) -> bytes | None:
        if self._made != self._registry.changes:
            self._documents = self._make()
            self._made = self._registry.changes
        return self._documents.get(key)

    async def answer(self, call: Call) -> web.StreamResponse:
        """Answers a discovery path. Raises a 404 for what is not served, in plain text where no group answers for it.

        `/apis` and what it lists take any method (kube-aggregator); the core group and built-in versions go through
        the router, which takes GET alone.
        """
        parts = call.info.path.strip("/").split("/")
        path = "/" + "/".join(parts)
        document = self._document(path)
        group = parts[1] if parts[0] == "apis" and len(parts) > 1 else ""
        built_in = parts[0] == "api" or (group in self._registry.groups() and not self._registry.is_custom(group))
        if document is None:
            raise no_such_path() if built_in else page_not_found()
        if built_in and (parts[0] == "api" or len(parts) > 2):
            if call.info.verb != "get":
                raise method_not_allowed()
            ensure_produced(call.accept)
        if path in ("/api", "/apis") and call.info.path != "/apis/":
            for clause in clauses(call.accept):
                version = clause.parameter("v")
                if clause.parameter("as") == "APIGroupDiscoveryList" and version in ("v2", "v2beta1"):
                    if clause.parameter("g") != "apidiscovery.k8s.io" or clause.media_type != "application/json":
                        continue
                    return await self._aggregated(call, path, version)
                if clause.media_type in ("application/json", "*/*", "application/*"):
                    break
        if path == "/api":
            address = {"clientCIDR": "0.0.0.0/0", "serverAddress": call.http.host}
            document = document.replace(b"[]}", b"[" + orjson.dumps(address) + b"]}")
        return await send(call, document, form=choose(call.accept, ("object",)))

    async def _aggregated(self, call: Call, path: str, version: str) -> web.StreamResponse:
        document = self._document(f"{path} aggregated")
        assert document is not None
        if version != "v2":
            document = document.replace(b"apidiscovery.k8s.io/v2", b"apidiscovery.k8s.io/v2beta1", 1)
        response = await send(call, document, form=Format())
        response.headers["Content-Type"] = (
            f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        )
        response.headers["Vary"] = "Accept"
        return response

    def _make(self) -> dict[str, bytes]:
        groups = self._registry.groups()
        documents: dict[str, Any] = {
            "/api": {
                "kind": "APIVersions",
                "versions": groups.get("", []),
                "serverAddressByClientCIDRs": [],  # filled in for each call
            },
            "/apis": {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(name, versions) for name, versions in groups.items() if name],
            },
        }
        aggregated: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for name, versions in groups.items():
            if name:
                documents[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}
            listed = []
            for version in versions:
                resources = self._registry.of(name, version)
                path = f"/apis/{name}/{version}" if name else f"/api/{version}"
                documents[path] = _resource_list(name, version, resources)
                entry = {"version": version, "resources": [_aggregate(resource) for resource in resources]}
                listed.append({**entry, "freshness": "Current"})
            aggregated[bool(name)].append({"metadata": {"name": name} if name else {}, "versions": listed})
        for path, items in (("/api", aggregated[False]), ("/apis", aggregated[True])):
            head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
            documents[f"{path} aggregated"] = {**head, "items": items}
        return {path: orjson.dumps(document) for path, document in documents.items()}


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resource_list(group: str, version: str, resources: list[Resource]) -> dict[str, Any]:
    listed: list[dict[str, Any]] = []
    custom = bool(resources) and resources[0].custom
    for resource in resources:
        kind = resource.kind
        entry: dict[str, Any] = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(CUSTOM_VERBS if resource.custom else kind.verbs),
        }
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        if kind.storage_version_hash:
            entry["storageVersionHash"] = kind.storage_version_hash
        listed.append(entry)
        for sub in kind.subresource_table:
            below: dict[str, Any] = {
                "name": f"{kind.plural}/{sub.name}",
                "singularName": "",
                "namespaced": kind.namespaced,
            }
            if sub.version:
                below |= {"group": sub.group, "version": sub.version} if sub.group else {"version": sub.version}
            listed.append({**below, "kind": sub.kind, "verbs": list(sub.verbs)})
    head: dict[str, Any] = {"kind": "APIResourceList"}
    if group or custom:
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": listed}


def _aggregate(resource: Resource) -> dict[str, Any]:
    kind = resource.kind
    own = {"group": kind.group, "version": kind.version} if resource.custom else {"group": "", "version": ""}
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {**own, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(CUSTOM_VERBS if resource.custom else kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresource_table:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {
                    "group": sub.group or own["group"],
                    "version": sub.version or own["version"],
                    "kind": sub.kind,
                },
                "verbs": list(sub.verbs),
            }
            for sub in kind.subresource_table
        ]
    return entry


_KUBE_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as Kubernetes prefers them: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > others by name."""
    match = _KUBE_VERSION.fullmatch(version)
    if match is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), version)
