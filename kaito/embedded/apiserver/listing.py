"""get and list: reading the store for clients."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver import continuing, tables
from kaito.embedded.apiserver.answering import send, send_pieces
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import StatusError, bad_request, not_found, too_large_version, too_old
from kaito.embedded.apiserver.list_options import ListOptions, parse, version_of_list, version_of_one
from kaito.embedded.apiserver.negotiating import Format, choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.routing import is_true
from kaito.embedded.apiserver.selecting import Selection, selection
from kaito.embedded.apiserver.store import Compacted, Entry, ObjectKey, Store
from kaito.kube.clock import Clock

_MATCHES_A_TURN = 500
_ENCODED_A_TURN = 1000


@dataclass(frozen=True)
class Page:
    """Part of a list: `metadata` is the list's ListMeta."""

    entries: list[Entry]
    metadata: dict[str, Any]


class Reader:
    """Answers reads. Objects are sent from the bytes that the store keeps; nothing is encoded again."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def entry(self, resource: Resource, namespace: str, name: str) -> Entry:
        """Raises 404."""
        entry = self._store.collection(resource.collection).get(ObjectKey(namespace, name))
        if entry is None:
            raise not_found(resource.group_resource, name)
        return entry

    async def get(self, call: Call, resource: Resource, namespace: str, name: str) -> web.StreamResponse:
        form = choose(call.accept)
        if is_true(call.query.get("export")):
            raise bad_request("the export parameter, deprecated since v1.14, is no longer supported")
        asked = call.query.get("resourceVersion") or ""
        # Events are not cached in the real server, and refused from elsewhere.
        wanted = version_of_list(asked) if resource.plural == "events" else version_of_one(asked)
        if wanted > self._store.revision:
            raise too_large_version(wanted, self._store.revision)
        return await self.show(call, resource, self.entry(resource, namespace, name), form=form)

    async def show(
        self, call: Call, resource: Resource, entry: Entry, *, status: int = 200, form: Format | None = None
    ) -> web.StreamResponse:
        """Answers with one object in the format asked for."""
        form = form or choose(call.accept)
        if form.shape == "table":
            version = entry.object["metadata"].get("resourceVersion")  # a dry run has none
            metadata = {"resourceVersion": version} if version else {}
            body = await tables.render(
                resource,
                [entry],
                metadata,
                version=form.version,
                include=included(call),
                now=self._clock.now(),
            )
        elif form.shape == "partial":
            if form.listed:
                raise _no_list(resource)
            body = partial(entry, form.version)
        else:
            body = resource.encode(entry)
        return await send(call, body, status=status, form=form)

    async def list(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        options = parse(call.query, watch=False)
        form = choose(call.accept)
        page = await self.page(resource, options, selection(resource, namespace, options))
        return await self.show_list(call, resource, page, form=form)

    async def show_list(
        self, call: Call, resource: Resource, page: Page, *, form: Format | None = None
    ) -> web.StreamResponse:
        """Answers with a list in the format asked for."""
        form = form or choose(call.accept)
        if form.shape == "table":
            body = await tables.render(
                resource,
                page.entries,
                page.metadata,
                version=form.version,
                include=included(call),
                now=self._clock.now(),
            )
            return await send(call, body, form=form)
        head: dict[str, Any]
        if form.shape == "partial":
            if not form.listed:
                raise _a_list(resource)
            head = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{form.version}"}
            items = await _each(page.entries, lambda entry: partial(entry, form.version))
        else:
            head = {"kind": resource.kind.list_kind, "apiVersion": resource.api_version}
            items = await _each(page.entries, resource.item)
        metadata = {"continue": "", **page.metadata} if resource.custom and form.shape == "object" else page.metadata
        head["metadata"] = metadata
        # Go's nil slice: the list of partial objects is only made when there is one.
        listed = b"null" if not items and form.shape == "partial" else b"[" + b",".join(items) + b"]"
        pieces = [orjson.dumps(head)[:-1], b',"items":', listed, b"}"]
        return await send_pieces(call, pieces, form=form)

    async def page(self, resource: Resource, options: ListOptions, wanted: Selection) -> Page:
        """The entries asked for. Raises 400, 410 and 504 as the real server does."""
        collection = self._store.collection(resource.collection)
        revision = self._store.revision
        namespace = wanted.namespace or None
        # One object by name is looked up, not listed: pages mean nothing then.
        single = wanted.name is not None and not options.continue_token and bool(namespace or not resource.namespaced)
        start = ""
        if options.continue_token:
            position = continuing.decode(options.continue_token)
            if options.resource_version not in ("", "0"):
                raise bad_request("specifying resource version is not allowed when using continue")
            start = f"{wanted.namespace}/{position.start}" if wanted.namespace else position.start
            if not resource.namespaced:
                start = "/" + position.start
            if position.revision == continuing.INCONSISTENT:
                entries = collection.entries(namespace)
            else:
                revision = position.revision
                try:
                    entries = collection.entries_at(revision, namespace)
                except Compacted:
                    raise continuing.expired(position) from None
        else:
            asked = version_of_list(options.resource_version)
            if asked > revision:
                raise too_large_version(asked, revision)
            exact = options.match == "Exact" or (options.limit and not options.match and not single)
            if exact and asked:
                revision = asked
                try:
                    entries = collection.entries_at(revision, namespace)
                except Compacted as problem:
                    raise too_old(revision, problem.oldest) from None
            else:
                entries = collection.entries(namespace)
        limit = 0 if options.resource_version == "0" or single else options.limit
        skipped = bisect.bisect_left([entry.key.path for entry in entries], start) if start else 0
        found, rest = await _take(entries[skipped:] if skipped else entries, wanted, limit)
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if rest:
            last = found[-1].key
            place = last.name if wanted.namespace or not resource.namespaced else last.path
            metadata["continue"] = continuing.encode(continuing.Position(revision, f"/{place}\x00"))
            if not wanted.filters:
                metadata["remainingItemCount"] = rest
        return Page(found, metadata)


_PACKAGES = {"": "core", "events.k8s.io": "core", "internal.apiserver.k8s.io": "apiserverinternal"}


def _go_type(resource: Resource, *, many: bool) -> str:
    """The Go type behind a resource, as some errors show it."""
    if resource.go_type:
        return resource.go_type
    if resource.custom:
        return "*unstructured.UnstructuredList" if many else "*unstructured.Unstructured"
    package = _PACKAGES.get(resource.group) or resource.group.partition(".")[0]
    return f"*{package}.{resource.kind.list_kind if many else resource.kind.kind}"


def _a_list(resource: Resource) -> StatusError:
    shown = _go_type(resource, many=True)
    return StatusError(
        406, "NotAcceptable", f"you requested PartialObjectMetadata, but the requested object is a list ({shown})"
    )


def _no_list(resource: Resource) -> StatusError:
    if resource.custom:
        return StatusError(500, "", "content is not a list")
    shown = _go_type(resource, many=False)
    return StatusError(
        406,
        "NotAcceptable",
        f"you requested PartialObjectMetadataList, but the requested object is not a list ({shown})",
    )


async def _each(entries: list[Entry], encode: Callable[[Entry], bytes]) -> list[bytes]:
    """Every entry encoded; the loop gets a turn now and then."""
    items: list[bytes] = []
    for start in range(0, len(entries), _ENCODED_A_TURN):
        if start:
            await asyncio.sleep(0)
        items += [encode(entry) for entry in entries[start : start + _ENCODED_A_TURN]]
    return items


async def _take(entries: list[Entry], wanted: Selection, limit: int) -> tuple[list[Entry], int]:
    """The entries that match, at most `limit` of them, and how many follow, matching or not."""
    if not wanted.filters:
        if limit and len(entries) > limit:
            return entries[:limit], len(entries) - limit
        return entries, 0
    pinned = wanted.name
    found: list[Entry] = []
    for index, entry in enumerate(entries):
        if index % _MATCHES_A_TURN == _MATCHES_A_TURN - 1:
            await asyncio.sleep(0)
        if (pinned is None or entry.key.name == pinned) and wanted.matches(entry):
            found.append(entry)
            if len(found) == limit:
                return found, len(entries) - index - 1
    return found, 0


def partial(entry: Entry, version: str) -> bytes:
    """The entry as PartialObjectMetadata."""
    head = orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"})[:-1]
    return head + b',"metadata":' + orjson.dumps(tables.shown_metadata(entry)) + b"}"


def included(call: Call) -> str:
    """What of each object a Table shows (`includeObject`). Raises a 400."""
    include = call.query.get("includeObject") or "Metadata"
    if include not in tables.INCLUDE:
        why = f"includeObject: Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise bad_request(f"Unable to convert to Table as requested: {why}")
    return include
