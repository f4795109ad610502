"""From a call to the handler that answers it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from kaito.embedded.apiserver import health
from kaito.embedded.apiserver.authorizing import Authorizer, attributes_of
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.discovery import Discovery
from kaito.embedded.apiserver.errors import StatusError, method_not_allowed, not_found, page_not_found
from kaito.embedded.apiserver.health import CHECKS, Health
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.metrics import Metrics
from kaito.embedded.apiserver.openapi import OpenApi
from kaito.embedded.apiserver.resources import Registry, Resource
from kaito.embedded.apiserver.reviews import REVIEWS, Reviews
from kaito.embedded.apiserver.subresources import Subresources
from kaito.embedded.apiserver.tokens import ISSUER, TokenIssuer
from kaito.embedded.apiserver.watching import Watcher
from kaito.embedded.apiserver.writes import Writes

_READS = frozenset(("get", "list", "watch"))
_VIEWS = frozenset(("status", "approval", "ephemeralcontainers", "resize"))
"""Subresources that read as their whole object and write part of it."""


class Dispatcher:
    """Authorizes a call and hands it on. Raises StatusError and PlainError."""

    def __init__(
        self,
        *,
        registry: Registry,
        authorizer: Authorizer,
        reader: Reader,
        watcher: Watcher,
        writes: Writes,
        subresources: Subresources,
        reviews: Reviews,
        discovery: Discovery,
        openapi: OpenApi,
        health: Health,
        metrics: Metrics,
        issuer: TokenIssuer,
    ) -> None:
        self._registry = registry
        self._authorizer = authorizer
        self._reader = reader
        self._watcher = watcher
        self._writes = writes
        self._subresources = subresources
        self._reviews = reviews
        self._discovery = discovery
        self._openapi = openapi
        self._health = health
        self._metrics = metrics
        self._issuer = issuer

    async def answer(self, call: Call) -> web.StreamResponse:
        self._authorizer.check(call.user, attributes_of(call.info))
        if not call.info.resource:
            return await self._plain(call)
        return await self._resource(call)

    async def _plain(self, call: Call) -> web.StreamResponse:
        """Paths that name no resource."""
        path = "/" + call.info.path.strip("/")
        parts = path.strip("/").split("/")
        if call.info.verb not in ("get", "head"):
            if parts[0] in ("api", "apis") or path in ("/version", "/openapi/v2", "/openapi/v3"):
                raise method_not_allowed()
            if parts[0] not in CHECKS:
                raise page_not_found()
        if parts[0] in ("api", "apis"):
            return await self._discovery.answer(call)
        if parts[0] in CHECKS:
            return self._health.answer(call, parts[0], "/".join(parts[1:]))
        if path == "/version":
            return await health.version(call)
        if path.startswith("/openapi"):
            return await self._openapi.answer(call, path)
        if path == "/metrics":
            return self._metrics.answer()
        if path == "/":
            return await health.paths(call, self._registry)
        if path == "/.well-known/openid-configuration":
            return await self._openid(call)
        if path == "/openid/v1/jwks":
            return web.json_response(self._issuer.jwks(), content_type="application/jwk-set+json")
        raise page_not_found()

    @staticmethod
    async def _openid(call: Call) -> web.StreamResponse:
        document: Mapping[str, object] = {
            "issuer": ISSUER,
            "jwks_uri": f"https://{call.http.host}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return web.json_response(document)

    async def _resource(self, call: Call) -> web.StreamResponse:
        info = call.info
        resource = self._registry.find(info.group, info.version, info.resource)
        if resource is None:
            raise self._no_resource(call)
        # A path with a namespace for what has none (or a bad one without for what needs one) leads nowhere.
        namespace = info.namespace
        if resource.kind.kind == "Namespace" and not resource.group:
            namespace = ""
        elif namespace and not resource.namespaced:
            raise self._no_path(resource, info.name)
        if info.subresource:
            return await self._subresource(call, resource, namespace)
        if resource.plural in REVIEWS and not resource.custom:
            if call.info.verb != "create":
                raise method_not_allowed()
            return await self._reviews.answer(call, resource, namespace)
        return await self._object(call, resource, namespace)

    async def _object(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        info, verb = call.info, call.info.verb
        named = len([part for part in info.path.split("/") if part]) > _collection_depth(call, resource, namespace)
        if verb not in resource.kind.verbs or (resource.namespaced and not namespace and verb not in ("list", "watch")):
            raise method_not_allowed()
        if verb == "get" and info.name and "watch" in call.query and info.path and _wants_watch(call):
            return await self._watcher.watch(call, resource, namespace, info.name)
        match verb:
            case "get":
                return await self._reader.get(call, resource, namespace, info.name)
            case "list":
                return await self._reader.list(call, resource, namespace)
            case "watch":
                return await self._watcher.watch(call, resource, namespace, info.name if named else "")
            case "create":
                if info.name and not resource.custom:
                    raise method_not_allowed()
                return await self._writes.create(call, resource, namespace)
            case "update" if info.name:
                return await self._writes.update(call, resource, namespace, info.name, "")
            case "patch" if info.name:
                return await self._writes.patch(call, resource, namespace, info.name, "")
            case "delete":
                return await self._writes.delete(call, resource, namespace, info.name)
            case "deletecollection":
                return await self._writes.delete_collection(call, resource, namespace)
        raise method_not_allowed()

    async def _subresource(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        info = call.info
        name = info.subresource
        if name not in resource.subresources:
            raise self._no_path(resource, info.name)
        verbs = next((sub.verbs for sub in resource.kind.subresource_table if sub.name == name), ())
        if info.verb not in verbs:
            raise method_not_allowed()
        if name not in _VIEWS:
            return await self._subresources.answer(call, resource, namespace)
        if info.verb == "get":
            return await self._reader.get(call, resource, namespace, info.name)
        if info.verb == "update":
            return await self._writes.update(call, resource, namespace, info.name, name)
        return await self._writes.patch(call, resource, namespace, info.name, name)

    def _no_resource(self, call: Call) -> Exception:
        group = call.info.group
        if group in self._registry.groups() and not self._registry.is_custom(group):
            return _no_such_resource()
        return page_not_found()

    def _no_path(self, resource: Resource, name: str) -> Exception:
        return not_found(resource.group_resource, name) if resource.custom else _no_such_resource()


def _wants_watch(call: Call) -> bool:
    from kaito.embedded.apiserver.routing import is_true

    return is_true(call.query.get("watch"))


def _collection_depth(call: Call, resource: Resource, namespace: str) -> int:
    """How many parts the path of a whole collection has, to tell a selected name from one in the path."""
    depth = 4 if resource.group else 3
    if namespace and resource.namespaced:
        depth += 2
    return depth + (1 if "/watch/" in call.info.path else 0)


def _no_such_resource() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})
