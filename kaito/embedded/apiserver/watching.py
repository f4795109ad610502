"""watch: the stream of changes, from a revision on, through selectors, as JSON lines."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import StatusError, internal, too_large_version, too_old
from kaito.embedded.apiserver.list_options import parse, version_of_one
from kaito.embedded.apiserver.listing import included, partial
from kaito.embedded.apiserver.negotiating import Format, choose, choose_stream
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.routing import is_true
from kaito.embedded.apiserver.selecting import Selection, selection
from kaito.embedded.apiserver.store import Compacted, Entry, Event, Store
from kaito.embedded.apiserver.tables import TableWriter
from kaito.kube.clock import Clock

_BACKLOG = 20_000  # events a client may lag behind before its watch is ended
_BOOKMARK_EVERY = 60.0  # seconds
_LAST_BOOKMARK = 2.0  # seconds before the end
_SHORTEST, _LONGEST = 1800, 3600  # seconds a watch lasts that names no timeout
_FRAMES_A_TURN = 500
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class _Inbox:
    """Events for one watch, put in by commits and taken out by its handler."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.wake = asyncio.Event()
        self.overflown = False

    def put(self, event: Event) -> None:
        if len(self.events) >= _BACKLOG:
            self.overflown = True
        else:
            self.events.append(event)
        self.wake.set()


class _Encoder:
    """Turns events into frames for one watch: selector transitions, and the format asked for."""

    def __init__(self, resource: Resource, wanted: Selection, form: Format, include: str, clock: Clock) -> None:
        self._resource = resource
        self._wanted = wanted
        self._form = form
        self._clock = clock
        self._table = TableWriter(resource, form.version, include) if form.shape == "table" else None
        self._columns = True
        self._shared = form.shape == "object"

    def event(self, event: Event) -> bytes | None:
        """The frame for a change, None where the selectors hide it."""
        wanted = self._wanted
        if event.type == "DELETED":
            before = event.previous
            return self.frame("DELETED", event) if before is not None and wanted.matches(before) else None
        is_in = wanted.matches(event.entry)
        was_in = event.previous is not None and wanted.matches(event.previous)
        if is_in:
            return self.frame("MODIFIED" if was_in else "ADDED", event)
        if was_in and event.previous is not None:
            return self.document("DELETED", _left(event.previous, event.revision))
        return None

    def frame(self, kind: str, event: Event) -> bytes:
        if not self._shared:
            return self.document(kind, event.entry)
        key = f"{self._resource.api_version} {kind}"
        frame = event.frames.get(key)
        if frame is None:
            frame = event.frames[key] = self.document(kind, event.entry)
        return frame

    def document(self, kind: str, entry: Entry) -> bytes:
        if self._table is not None:
            metadata = {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
            row = self._table.row(entry, self._clock.now())
            body = self._table.frame([row], metadata, columns=self._columns)
            self._columns = False
        elif self._form.shape == "partial":
            body = partial(entry, self._form.version)
        else:
            body = self._resource.encode(entry)
        return self.wrap(kind, body)

    def wrap(self, kind: str, body: bytes) -> bytes:
        return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"

    def bookmark(self, revision: int, *, initial: bool = False) -> bytes:
        """The end of the present state (`initial`) or how far the watch has come, on an object that is empty else."""
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        return self.document("BOOKMARK", self._resource.empty(metadata))

    def error(self, problem: StatusError) -> bytes:
        return self.wrap("ERROR", orjson.dumps(problem.status()))


def _left(previous: Entry, revision: int) -> Entry:
    """The last state an object had inside the selector, with the revision at which it left."""
    metadata = {**previous.object["metadata"], "resourceVersion": str(revision)}
    content = {**previous.object, "metadata": metadata}
    return Entry(previous.key, revision, content, orjson.dumps(content))


class Watcher:
    """Serves watches until they time out, the client goes, the resource is no longer served, or the server stops."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open: dict[asyncio.Event, str] = {}
        self._ended: set[asyncio.Event] = set()

    def end_all(self, collection: str | None = None) -> None:
        """Ends every watch, or those on one collection (its resource is gone)."""
        for wake, name in self._open.items():
            if collection is None or name == collection:
                self._ended.add(wake)
                wake.set()

    async def watch(self, call: Call, resource: Resource, namespace: str, name: str = "") -> web.StreamResponse:
        """`name` watches a single object. Raises what is wrong with the options; a 410 is the stream's only event."""
        options = parse(call.query, watch=is_true(call.query.get("watch")))
        choose(call.accept)
        wanted = selection(resource, namespace, options, name=name)
        revision = version_of_one(options.resource_version)
        form = choose_stream(call.accept)
        encoder = _Encoder(resource, wanted, form, included(call) if form.shape == "table" else "", self._clock)
        collection = self._store.collection(resource.collection)
        inbox = _Inbox()
        seconds = options.timeout_seconds or random.randint(_SHORTEST, _LONGEST)
        frames: list[bytes]
        problem: StatusError | None = None
        initial: list[Entry] = []
        send_initial = options.send_initial_events
        if send_initial and revision > self._store.revision:
            raise too_large_version(revision, self._store.revision)
        backlog: list[Event] = []
        if send_initial or (send_initial is None and options.resource_version in ("", "0")):
            initial = [entry for entry in collection.entries(namespace or None) if wanted.matches(entry)]
        elif revision:
            try:
                backlog = collection.since(revision)
            except Compacted as compacted:
                problem = too_old(revision, compacted.oldest)
        seen = max(revision, self._store.revision if initial or send_initial else 0)
        started_at = self._store.revision
        stop = collection.subscribe(inbox.put)
        self._open[inbox.wake] = resource.collection
        try:
            response = web.StreamResponse(headers=call.answer_headers())
            response.headers["Content-Type"] = form.content_type
            response.enable_chunked_encoding()
            await response.prepare(call.http)
            if form.listed:  # no event is a list: the real server sends none
                await response.write_eof()
                return response
            if problem is not None:
                await response.write(encoder.error(problem))
                await response.write_eof()
                return response
            for start in range(0, len(initial), _FRAMES_A_TURN):
                part = initial[start : start + _FRAMES_A_TURN]
                await response.write(b"".join(encoder.document("ADDED", entry) for entry in part))
                await asyncio.sleep(0)
            if send_initial and options.bookmarks:
                await response.write(encoder.bookmark(started_at, initial=True))
            frames = _frames(encoder, backlog, seen)
            if frames:
                await response.write(b"".join(frames))
            await self._follow(response, encoder, inbox, seconds, seen, bookmarks=options.bookmarks)
            await response.write_eof()
            return response
        finally:
            stop()
            self._open.pop(inbox.wake, None)
            self._ended.discard(inbox.wake)

    async def _follow(
        self,
        response: web.StreamResponse,
        encoder: _Encoder,
        inbox: _Inbox,
        seconds: float,
        seen: int,
        *,
        bookmarks: bool,
    ) -> None:
        """Writes what comes in until the time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        next_bookmark = _next_bookmark(loop.time(), end)
        wake = inbox.wake
        while True:
            now = loop.time()
            if now >= end or wake in self._ended:
                return
            if inbox.overflown:
                await response.write(encoder.error(internal("the watch fell too far behind")))
                return
            if bookmarks and now >= next_bookmark:
                await response.write(encoder.bookmark(self._store.revision))
                next_bookmark = _next_bookmark(now, end)
            if not inbox.events:
                timer = loop.call_at(min(end, next_bookmark) if bookmarks else end, wake.set)
                try:
                    await wake.wait()
                finally:
                    timer.cancel()
                wake.clear()
            events = list(inbox.events)
            inbox.events.clear()
            frames = _frames(encoder, events, seen)
            if frames:
                await response.write(b"".join(frames))


def _next_bookmark(now: float, end: float) -> float:
    """Every minute, and once two seconds before the end, so that a client resumes from a fresh place."""
    last = end - _LAST_BOOKMARK
    return min(now + _BOOKMARK_EVERY, last) if last > now else float("inf")


def _frames(encoder: _Encoder, events: Iterable[Event], seen: int) -> list[bytes]:
    encoded = (encoder.event(event) for event in events if event.revision > seen)
    return [frame for frame in encoded if frame is not None]
