"""Objects in memory, backed by the database: the one place where a resourceVersion is given.

The resourceVersion is the commit sequence of the whole cluster, as in etcd. Everything here is synchronous: between
reading an entry and committing a change nothing else runs, so a check followed by a commit is atomic.
Entries and events are never changed after they were made; their dicts must be treated as frozen.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import orjson

from kaito.embedded.apiserver.database import MEMORY, Database, Row, StoreError

Object = dict[str, Any]
EventType = Literal["ADDED", "MODIFIED", "DELETED"]

_LOG_LENGTH = 10_000  # events kept for resuming a watch, per collection
_DICTS_KEPT = 2_000  # entries whose dict is kept beside the JSON


class ObjectKey(NamedTuple):
    """Namespace ("" for cluster-scoped objects) and name."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        """The key as etcd orders it: "-" sorts before "/", so namespace "a-b" comes before "a"."""
        return f"{self.namespace}/{self.name}"


class Entry:
    """One version of one object. Never changes.

    What stays in memory is its JSON; the dict is made when somebody asks and kept for a while. Ten thousand objects as
    dicts are half a million containers, and each full run of Python's garbage collector over them would stop the server
    for a third of a second.
    """

    __slots__ = ("_object", "_others", "encoded", "key", "labels", "revision")
    _recent: ClassVar[deque[Entry]] = deque()

    def __init__(self, key: ObjectKey, revision: int, content: Object, encoded: bytes) -> None:
        """`encoded` is the JSON of `content`: the object in the storage version, without apiVersion and kind."""
        self.key = key
        self.revision = revision
        self.encoded = encoded
        self.labels: Mapping[str, str] = content["metadata"].get("labels") or {}
        self._others: dict[str, Any] | None = None
        self._object: Object | None = content
        self._keep()

    @property
    def object(self) -> Object:
        """The object as a dict; treat it as frozen."""
        found = self._object
        if found is None:
            found = self._object = orjson.loads(self.encoded)
            self._keep()
        return found

    @property
    def others(self) -> dict[str, Any]:
        """What was derived from this entry and is worth keeping (other API versions), by a name its owner chose."""
        if self._others is None:
            self._others = {}
        return self._others

    def _keep(self) -> None:
        recent = Entry._recent
        recent.append(self)
        if len(recent) > _DICTS_KEPT:
            recent.popleft()._object = None


@dataclass(frozen=True, slots=True)
class Event:
    """A committed change; `entry` is the new state (for DELETED the last one, with the revision of the deletion)."""

    type: EventType
    revision: int
    entry: Entry
    previous: Entry | None
    frames: dict[str, bytes] = field(default_factory=dict)
    """Encoded watch frames, shared by all watchers, by a name their owner chose."""


Listener = Callable[[Event], None]


class Change(NamedTuple):
    """A write to come: `object` None deletes. The store sets metadata.resourceVersion in `object` itself."""

    collection: str
    key: ObjectKey
    object: Object | None


class Compacted(Exception):
    """The log does not reach back that far; `oldest` is the first revision from which a watch can start."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"oldest revision is {oldest}")
        self.oldest = oldest


class Collection:
    """All objects of one resource ("group/plural"), in key order, with the log of their changes."""

    def __init__(self, name: str, floor: int) -> None:
        self.name = name
        self.floor = floor  # the past is known from this revision on
        self._begun = 0
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []
        self._log: deque[Event] = deque()
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: ObjectKey) -> Entry | None:
        return self._entries.get(key.path)

    def entries(self, namespace: str | None = None) -> list[Entry]:
        """Every entry, or those of a namespace, in key order."""
        order = self._order
        if namespace is not None:
            low = bisect.bisect_left(order, namespace + "/")
            high = bisect.bisect_left(order, namespace + "0")  # the character after "/"
            order = order[low:high]
        entries = self._entries
        return [entries[key] for key in order]

    def entries_at(self, revision: int, namespace: str | None = None) -> list[Entry]:
        """The entries as they were at `revision`. Raises Compacted where the log does not reach back."""
        if revision < self.floor:
            raise Compacted(self.floor)
        if not self._log or self._log[-1].revision <= revision:
            return self.entries(namespace)
        state = dict(self._entries)
        for event in reversed(self._log):
            if event.revision <= revision:
                break
            if event.previous is None:
                state.pop(event.entry.key.path, None)
            else:
                state[event.entry.key.path] = event.previous
        return [state[path] for path in sorted(state) if namespace is None or path.startswith(namespace + "/")]

    def since(self, revision: int) -> list[Event]:
        """The events after `revision`, oldest first. Raises Compacted where the log does not reach back."""
        if revision < max(self.floor, self._begun):
            raise Compacted(max(self.floor, self._begun))
        found: list[Event] = []
        for event in reversed(self._log):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` for each later event, in order, right after its commit; returns how to stop that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def begin(self, revision: int) -> None:
        """Lets no watch start before `revision`: nobody was served these objects then."""
        self._begun = revision

    def load(self, entry: Entry) -> None:
        """Takes in what the database held; no event."""
        self._entries[entry.key.path] = entry
        bisect.insort(self._order, entry.key.path)

    def replace(self, key: ObjectKey, content: Object) -> None:
        """Shows an object otherwise from now on, at the revision that it has; no event, and the database keeps it."""
        entry = Entry(key, self._entries[key.path].revision, content, orjson.dumps(content))
        self._entries[key.path] = entry

    def apply(self, event: Event) -> None:
        """Takes in a committed change and tells the listeners."""
        path = event.entry.key.path
        if event.type == "DELETED":
            del self._entries[path]
            self._order.pop(bisect.bisect_left(self._order, path))
        else:
            if event.type == "ADDED":
                bisect.insort(self._order, path)
            self._entries[path] = event.entry
        if len(self._log) >= _LOG_LENGTH:
            self.floor = self._log.popleft().revision
        self._log.append(event)
        for listener in tuple(self._listeners):
            listener(event)


class Store:
    """The cluster's objects. `Store.open(":memory:")` keeps nothing; any other path is a file (see Database)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collections: dict[str, Collection] = {}
        self.revision = database.revision()
        self._floors = database.last_changes()

    @classmethod
    def open(cls, path: str = MEMORY) -> Store:
        """Opens or creates the store. Raises StoreError with one sentence; a file that is refused is left as it is."""
        store = cls(Database(path))
        try:
            for row in store._database.rows():
                assert row.body is not None
                content = orjson.loads(row.body)
                key = ObjectKey(row.namespace, row.name)
                store.collection(row.collection).load(Entry(key, row.revision, content, row.body))
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as problem:
            store.close()
            raise StoreError(f"{path} is damaged ({problem}): restore a copy of it, or choose another folder") from None
        except StoreError:
            store.close()
            raise
        return store

    def collection(self, name: str) -> Collection:
        """The collection "group/plural", empty when it has never been written to."""
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection(name, self._floors.get(name, self._floors[""]))
        return found

    def collections(self) -> list[Collection]:
        """Every collection that was ever asked for, by name."""
        return [self._collections[name] for name in sorted(self._collections)]

    def commit(self, changes: Iterable[Change]) -> list[Event]:
        """Writes all changes or none; each gets a revision of its own. Listeners are called before it returns.

        Raises StoreError when the database refuses, KeyError when an object to delete is not there.
        """
        revision = self.revision
        rows: list[Row] = []
        events: list[Event] = []
        pending: dict[tuple[str, ObjectKey], Entry | None] = {}
        for change in changes:
            revision += 1
            place = (change.collection, change.key)
            before = pending[place] if place in pending else self.collection(change.collection).get(change.key)
            event = _event(change, revision, before)
            pending[place] = None if event.type == "DELETED" else event.entry
            events.append(event)
            body = None if change.object is None else event.entry.encoded
            rows.append(Row(change.collection, change.key.namespace, change.key.name, revision, body))
        if events:
            self._database.write(rows)
            self.revision = revision
            for row, event in zip(rows, events, strict=True):
                self.collection(row.collection).apply(event)
        return events

    def close(self) -> None:
        self._database.close()


def _event(change: Change, revision: int, before: Entry | None) -> Event:
    content = change.object
    if content is None:
        if before is None:
            raise KeyError(change.key)
        last = before.object
        content = {**last, "metadata": {**last["metadata"], "resourceVersion": str(revision)}}
        kind: EventType = "DELETED"
    else:
        content["metadata"]["resourceVersion"] = str(revision)
        kind = "ADDED" if before is None else "MODIFIED"
    entry = Entry(change.key, revision, content, orjson.dumps(content))
    return Event(kind, revision, entry, before)
