"""From a call to the handler that answers it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from kaito.embedded.apiserver import health, paths
from kaito.embedded.apiserver.authorizing import Authorizer, attributes_of
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.discovery import Discovery
from kaito.embedded.apiserver.errors import (
    GroupResource,
    bad_request,
    method_not_allowed,
    method_not_supported,
    no_such_path,
    not_found,
    page_not_found,
)
from kaito.embedded.apiserver.health import CHECKS, Health
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.metrics import Metrics
from kaito.embedded.apiserver.negotiating import JSON, MEDIA_TYPES, STREAM_TYPES, ensure_produced
from kaito.embedded.apiserver.openapi import OpenApi
from kaito.embedded.apiserver.patch_requests import check_media_type
from kaito.embedded.apiserver.removing import Removing
from kaito.embedded.apiserver.resources import Registry, Resource
from kaito.embedded.apiserver.reviews import REVIEWS, Reviews
from kaito.embedded.apiserver.routing import RequestInfo
from kaito.embedded.apiserver.subresources import Subresources
from kaito.embedded.apiserver.tokens import ISSUER, TokenIssuer
from kaito.embedded.apiserver.watching import Watcher
from kaito.embedded.apiserver.writes import Writes

_BINDINGS = GroupResource("", "bindings")
"""A resource that is only ever asked to do something."""
_VIEWS = frozenset(("status", "approval", "ephemeralcontainers", "resize"))
"""Subresources that read as their whole object and write part of it."""
_CONNECTIONS = frozenset(("attach", "exec", "portforward", "proxy"))
"""Subresources that answer whatever is behind them."""
_DEPRECATED = {
    GroupResource("", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
    GroupResource("", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


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
        removing: Removing,
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
        self._removing = removing
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
        """Paths that name no resource. Most take any method."""
        path = call.info.path
        first, _, below = path.removeprefix("/").partition("/")
        if path.startswith("//"):
            raise page_not_found()
        if first in ("api", "apis"):
            return await self._discovery.answer(call)
        if first in CHECKS and path != f"/{first}/":
            return self._health.answer(call, first, below)
        if first == "version" and call.info.verb != "get":
            raise method_not_allowed()
        if path in ("/openapi/v2", "/openapi/v3") and call.info.verb not in ("get", "head"):
            raise method_not_allowed()
        if path in ("/version", "/version/"):
            ensure_produced(call.accept, (JSON,))
            return await health.version(call)
        if path.startswith("/openapi"):
            return await self._openapi.answer(call, path.rstrip("/"))
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
            raise self._no_resource(info)
        if resource.custom:
            if resource.deprecation:
                call.warn(resource.deprecation)
            _check_custom(call, resource)
        else:
            _check_builtin(call, resource)
        # The namespace in the path of a Namespace is its own name.
        namespace = info.namespace if resource.namespaced else ""
        if info.subresource or resource.group_resource == _BINDINGS:
            return await self._subresource(call, resource, namespace)
        if resource.plural in REVIEWS and not resource.custom:
            return await self._reviews.answer(call, resource, namespace)
        return await self._object(call, resource, namespace)

    async def _object(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        info = call.info
        match info.verb:
            case "get":
                return await self._reader.get(call, resource, namespace, info.name)
            case "list":
                return await self._reader.list(call, resource, namespace)
            case "watch":
                return await self._watcher.watch(call, resource, namespace, info.name if info.tail else "")
            case "create":
                return await self._writes.create(call, resource, namespace)
            case "update":
                return await self._writes.update(call, resource, namespace, info.name, "")
            case "patch":
                return await self._writes.patch(call, resource, namespace, info.name, "")
            case "delete":
                return await self._removing.delete(call, resource, namespace, info.name)
            case "deletecollection":
                return await self._removing.delete_collection(call, resource, namespace)
        raise method_not_supported(resource.group_resource, info.verb)

    async def _subresource(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        info = call.info
        name = info.subresource
        if name not in _VIEWS:
            return await self._subresources.answer(call, resource, namespace)
        if info.verb == "get":
            return await self._reader.get(call, resource, namespace, info.name)
        if info.verb == "update":
            return await self._writes.update(call, resource, namespace, info.name, name)
        return await self._writes.patch(call, resource, namespace, info.name, name)

    def _no_resource(self, info: RequestInfo) -> Exception:
        versions = self._registry.groups().get(info.group)
        if versions is not None and not self._registry.is_custom(info.group):
            return no_such_path()
        return page_not_found()


def _check_custom(call: Call, resource: Resource) -> None:
    """What the handler of custom resources refuses before it looks at anything else (apiextensions' crdHandler)."""
    info = call.info
    if bool(info.namespace) is not resource.namespaced and (info.namespace or info.verb not in ("list", "watch")):
        raise page_not_found()
    if info.verb == "patch" and info.subresource in ("", *resource.subresources):
        check_media_type(call, resource)
    if not info.name and info.verb in ("update", "patch"):
        raise bad_request("name must be provided")
    if not info.subresource:
        return
    if info.subresource not in resource.subresources:
        raise not_found(resource.group_resource, info.name)
    if info.verb not in ("get", "update", "patch"):
        raise method_not_supported(resource.group_resource, info.verb)


def _check_builtin(call: Call, resource: Resource) -> None:
    """What the router refuses (go-restful): paths, then methods, then types of content, in and out."""
    known = paths.methods(call.info, resource)
    if not known or call.info.verb == "proxy":
        raise no_such_path()
    method = call.http.method
    if method not in known:
        raise method_not_allowed()
    if method == "PATCH" and call.info.subresource != "proxy":
        check_media_type(call, resource)
    if call.info.subresource == "log":
        ensure_produced(call.accept, ("text/plain", *MEDIA_TYPES))
    elif call.info.subresource not in _CONNECTIONS:
        listed = call.info.verb in ("list", "watch")
        ensure_produced(call.accept, (*MEDIA_TYPES, *STREAM_TYPES) if listed else MEDIA_TYPES)
    if resource.group_resource in _DEPRECATED:
        call.warn(_DEPRECATED[resource.group_resource])
