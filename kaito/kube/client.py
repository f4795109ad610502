"""A thin dynamic client: Kubernetes verbs over aiohttp, objects as plain dicts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

import aiohttp
import orjson

from kaito.kube import errors
from kaito.kube.access import Access, from_kubeconfig
from kaito.kube.resources import PODS, Resource

PatchKind = Literal["merge", "json", "strategic", "apply"]
FieldValidation = Literal["Strict", "Warn", "Ignore"]
Propagation = Literal["Background", "Foreground", "Orphan"]

_PATCH_TYPES: Mapping[PatchKind, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
PAGE_SIZE = 500
"""Objects asked for at a time when listing, as kubectl does."""
REQUEST_SECONDS = 60.0
"""How long one request (not a watch or a followed log) may take."""


class ObjectList(NamedTuple):
    """A whole collection, and the resource version a watch can go on from."""

    items: list[dict[str, Any]]
    resource_version: str


class WatchEvent(NamedTuple):
    """One change; `type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: dict[str, Any]


class KubeClient(Protocol):
    """The verbs that controllers use: what `Client` and the shipped `FakeClient` have in common."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]: ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
    ) -> ObjectList: ...

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], *, namespace: str | None = None, dry_run: bool = False
    ) -> dict[str, Any]: ...

    async def create_subresource(
        self, resource: Resource, name: str, subresource: str, obj: Mapping[str, Any], namespace: str | None = None
    ) -> dict[str, Any]: ...

    async def update(
        self, resource: Resource, obj: Mapping[str, Any], *, subresource: str | None = None
    ) -> dict[str, Any]: ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        kind: PatchKind = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
        field_validation: FieldValidation | None = None,
    ) -> dict[str, Any]: ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> dict[str, Any]: ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int | None = None,
    ) -> AsyncIterator[WatchEvent]: ...

    async def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]: ...

    def logs(
        self,
        name: str,
        namespace: str,
        container: str | None = None,
        *,
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
    ) -> AsyncIterator[bytes]: ...


class Client:
    """A client of one API server; use it as an async context manager.

    Every method raises the errors of `kaito.kube.errors` (`Unreachable` when no answer came). It never retries: the
    work queue, the informer or the caller knows whether to.
    """

    def __init__(self, access: Access, *, user_agent: str = "kaito-testbed", field_manager: str | None = None) -> None:
        self.access = access
        self._user_agent = user_agent
        self._field_manager = field_manager
        self._session: aiohttp.ClientSession | None = None
        self._authorization = access.authorization

    @classmethod
    async def from_kubeconfig(
        cls, path: Path | str | None = None, *, context: str | None = None, user_agent: str = "kaito-testbed"
    ) -> Client:
        """A client for a kubeconfig; ValueError when it cannot be used."""
        return cls(await from_kubeconfig(path, context=context), user_agent=user_agent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client can be used again afterwards."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.access.ssl_context or True, limit=0),
                headers={"User-Agent": self._user_agent, "Accept": "application/json"},
                auto_decompress=True,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            )
        return self._session

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float | None = REQUEST_SECONDS,
    ) -> aiohttp.ClientResponse:
        """Send a request and return its answer with a 2xx status, unread; raise the right error otherwise."""
        if self.access.refresh is not None:
            self._authorization = await self.access.refresh()
        headers = {"Authorization": self._authorization} if self._authorization else {}
        data: bytes | None = None
        if body is not None:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            headers["Content-Type"] = content_type
        try:
            answer = await self._open_session().request(
                method,
                self.access.server.rstrip("/") + path,
                params={key: value for key, value in (params or {}).items() if value is not None},
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=10),
            )
            if answer.status >= 400:
                async with answer:
                    raise _error_of(answer, await answer.read())
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise errors.Unreachable(f"{method} {self.access.server}{path}: {error or type(error).__name__}") from error
        return answer

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = await self._send(method, path, **options)
        try:
            async with answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.Unreachable(f"{method} {self.access.server}{path}: {error or type(error).__name__}") from error
        try:
            return dict(orjson.loads(content))
        except (orjson.JSONDecodeError, TypeError, ValueError):
            return {"text": content.decode(errors="replace")}

    async def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        """Any request that answers with JSON; other text comes back as `{"text": …}`."""
        return await self._call(method, path, params=params, body=body)

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object; NotFound when it is not there."""
        return await self._call("GET", resource.path(namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
    ) -> ObjectList:
        """The whole collection, page after page, each item with its apiVersion and kind."""
        params = _selectors(label_selector, field_selector) | {"limit": str(PAGE_SIZE)}
        if resource_version is not None:
            params["resourceVersion"] = resource_version
        items: list[dict[str, Any]] = []
        while True:
            page = await self._call("GET", resource.path(namespace), params=params)
            for item in page.get("items") or ():
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
                items.append(item)
            token = page["metadata"].get("continue")
            if not token:
                return ObjectList(items, page["metadata"].get("resourceVersion", ""))
            params = {**params, "continue": token}
            params.pop("resourceVersion", None)

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], *, namespace: str | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        """Create an object in `namespace`, or in the one its metadata names."""
        namespace = namespace or obj["metadata"].get("namespace")
        params = {"dryRun": "All"} if dry_run else {}
        return await self._call("POST", resource.path(namespace), params=self._managed(params), body=obj)

    async def create_subresource(
        self, resource: Resource, name: str, subresource: str, obj: Mapping[str, Any], namespace: str | None = None
    ) -> dict[str, Any]:
        """POST to a subresource such as `binding`, `eviction` or `token`."""
        return await self._call("POST", resource.path(namespace, name, subresource), body=obj)

    async def update(
        self, resource: Resource, obj: Mapping[str, Any], *, subresource: str | None = None
    ) -> dict[str, Any]:
        """Replace an object; Conflict when its resourceVersion is no longer the current one."""
        metadata = obj["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self._call("PUT", path, params=self._managed({}), body=obj)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        kind: PatchKind = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
        field_validation: FieldValidation | None = None,
    ) -> dict[str, Any]:
        """Patch an object; `kind="apply"` is server-side apply and needs a field manager."""
        params = {"force": "true"} if force else {}
        if field_validation:
            params["fieldValidation"] = field_validation
        if field_manager:
            params["fieldManager"] = field_manager
        return await self._call(
            "PATCH",
            resource.path(namespace, name, subresource),
            params=self._managed(params),
            body=patch,
            content_type=_PATCH_TYPES[kind],
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> dict[str, Any]:
        """Delete an object, under preconditions when `uid` or `resource_version` is given (Conflict otherwise)."""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation:
            options["propagationPolicy"] = propagation
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        preconditions = {
            key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value is not None
        }
        if preconditions:
            options["preconditions"] = preconditions
        return await self._call("DELETE", resource.path(namespace, name), body=options)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int | None = None,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`, bookmarks included, until the server ends the stream.

        Raises Gone when that version is too old, Unreachable when the connection breaks.
        """
        params = _selectors(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
        }
        if timeout_seconds is not None:
            params["timeoutSeconds"] = str(timeout_seconds)
        answer = await self._send("GET", resource.path(namespace), params=params, timeout=None)
        async with answer:
            async for line in _lines(answer):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise errors.from_status(event["object"], status=500)
                yield WatchEvent(event["type"], event["object"])

    async def logs(
        self,
        name: str,
        namespace: str,
        container: str | None = None,
        *,
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
    ) -> AsyncIterator[bytes]:
        """A container's log in chunks as they come; with `follow` until the container ends."""
        params: dict[str, str] = {}
        if container:
            params["container"] = container
        if follow:
            params["follow"] = "true"
        if previous:
            params["previous"] = "true"
        if tail is not None:
            params["tailLines"] = str(tail)
        path = PODS.path(namespace, name, "log")
        answer = await self._send("GET", path, params=params, timeout=None if follow else REQUEST_SECONDS)
        async with answer:
            try:
                async for chunk in answer.content.iter_any():
                    yield chunk
            except (aiohttp.ClientError, TimeoutError) as error:
                raise errors.Unreachable(f"GET {path}: {error}") from error

    def _managed(self, params: dict[str, str]) -> dict[str, str]:
        if self._field_manager:
            params.setdefault("fieldManager", self._field_manager)
        return params


def _selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    pairs = (("labelSelector", label_selector), ("fieldSelector", field_selector))
    return {key: value for key, value in pairs if value}


def _error_of(answer: aiohttp.ClientResponse, content: bytes) -> errors.ApiError:
    retry_after = answer.headers.get("Retry-After")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    return errors.from_status(
        body if isinstance(body, dict) else None,
        status=answer.status,
        text=content.decode(errors="replace"),
        retry_after=float(retry_after) if retry_after and retry_after.isdigit() else None,
    )


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a watch; objects may be far longer than aiohttp's own line limit."""
    pending = bytearray()
    try:
        async for chunk in answer.content.iter_any():
            pending += chunk
            *complete, rest = pending.split(b"\n")
            if complete:
                for line in complete:
                    if line:
                        yield bytes(line)
                pending = bytearray(rest)
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise errors.Unreachable(f"watch {answer.url.path} broke off: {error or type(error).__name__}") from error
