"""pods/proxy, services/proxy and nodes/proxy: an HTTP request handed on to what runs in the cluster."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from kaito.embedded.addresses import socket_address
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import GroupResource, StatusError, bad_request, not_found
from kaito.embedded.apiserver.kubelet_proxy import KubeletProxy
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Object, ObjectKey, Store

_KEPT_BACK = frozenset(
    (
        "connection",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
        "te",
        "trailer",
        "host",
        "authorization",
        "content-length",
    )
)
_SECONDS = 60.0


class Connecting:
    """Proxies to pods directly, to services through a ready endpoint, to nodes through their kubelet."""

    def __init__(self, store: Store, kubelets: KubeletProxy) -> None:
        self._store = store
        self._kubelets = kubelets
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        scheme, name, port = _parse(call.info.name)
        if resource.plural == "nodes":
            host, number = self._kubelets.address(name, resource.group_resource)
            return await self._forward(call, f"https://{host}:{number}")
        if resource.plural == "pods":
            host, number = self._pod(namespace, name, port)
        else:
            host, number = self._service(namespace, name, port)
        return await self._forward(call, f"{scheme or 'http'}://{socket_address(host)}:{number}")

    def _pod(self, namespace: str, name: str, port: str) -> tuple[str, int]:
        entry = self._store.collection("/pods").get(ObjectKey(namespace, name))
        if entry is None:
            raise not_found(GroupResource("", "pods"), name)
        address = (entry.object.get("status") or {}).get("podIP", "")
        if not address:
            raise bad_request("address not allowed")
        ports = [p for c in entry.object["spec"].get("containers") or () for p in c.get("ports") or ()]
        if not port and ports:
            return address, int(ports[0]["containerPort"])
        named = next((p["containerPort"] for p in ports if p.get("name") == port and port), None)
        if named is not None:
            return address, int(named)
        if port and not port.isdigit():
            raise bad_request(f'invalid pod request "{name}:{port}"')
        return address, int(port or 80)

    def _service(self, namespace: str, name: str, port: str) -> tuple[str, int]:
        entry = self._store.collection("/services").get(ObjectKey(namespace, name))
        if entry is None:
            raise not_found(GroupResource("", "services"), name)
        wanted = _service_port(entry.object, port)
        if wanted is None:
            raise _unavailable(f'no service port "{port}" found for service "{name}"')
        for piece in self._store.collection("discovery.k8s.io/endpointslices").entries(namespace):
            labels = piece.object["metadata"].get("labels") or {}
            if labels.get("kubernetes.io/service-name") != name:
                continue
            for found in piece.object.get("ports") or ():
                if (found.get("name") or "") != (wanted.get("name") or ""):
                    continue
                for endpoint in piece.object.get("endpoints") or ():
                    if (endpoint.get("conditions") or {}).get("ready") is not False:
                        return endpoint["addresses"][0], int(found["port"])
        raise _unavailable(f'no endpoints available for service "{_called(name, port)}"')

    async def _forward(self, call: Call, base: str) -> web.StreamResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        request = call.http
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _KEPT_BACK}
        url = f"{base}/{call.info.rest}{query}"
        try:
            async with self._session.request(
                request.method,
                url,
                data=await call.read_body() or None,
                headers=headers,
                ssl=self._kubelets.tls() if base.startswith("https") else False,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_SECONDS),
            ) as upstream:
                kept = {name: value for name, value in upstream.headers.items() if name.lower() not in _KEPT_BACK}
                response = web.StreamResponse(status=upstream.status, headers=kept)
                response.enable_chunked_encoding()
                await response.prepare(request)
                async for piece in upstream.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise _unavailable(f"error trying to reach service: {problem}") from None


def _called(name: str, port: str) -> str:
    return f"{name}:{port}" if port else name


def _parse(name: str) -> tuple[str, str, str]:
    """`name`, `name:port` or `scheme:name:port`."""
    parts = name.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0], parts[1], parts[2]
    raise bad_request(f'invalid service request "{name}"')


def _service_port(service: Object, wanted: str) -> dict[str, object] | None:
    ports: list[dict[str, object]] = (service.get("spec") or {}).get("ports") or []
    if not wanted and len(ports) == 1:
        return ports[0]
    return next((p for p in ports if p.get("name", "") == wanted or str(p.get("port")) == wanted), None)


def _unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message, {})
