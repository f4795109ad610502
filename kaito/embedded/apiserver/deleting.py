"""delete and deletecollection: grace, finalizers, propagation, preconditions (generic registry's Store.Delete)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.definitions import CLEANUP, set_condition
from kaito.embedded.apiserver.errors import MODIFIED, GroupResource, conflict, forbidden, not_found
from kaito.embedded.apiserver.kind_rules import IMMORTAL_NAMESPACES, NOT_COLLECTED, ORPHANS_BY_DEFAULT, RETURNS_DELETED
from kaito.embedded.apiserver.plugins import Plugins
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Change, Entry, Object, ObjectKey, Store
from kaito.embedded.apiserver.write_options import DeleteOptions
from kaito.embedded.apiserver.writing import Writer, timestamp
from kaito.kube.clock import Clock

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_TRIES = 5
_JOBS = GroupResource("batch", "jobs")
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


@dataclass(frozen=True)
class Deleted:
    """The outcome: the object's last or present state, and whether it is gone already."""

    entry: Entry
    gone: bool


class Deleter:
    """Deletes objects for clients."""

    def __init__(self, store: Store, writer: Writer, plugins: Plugins, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._plugins = plugins
        self._clock = clock

    async def delete(self, call: Call, resource: Resource, key: ObjectKey, options: DeleteOptions) -> Deleted:
        """Raises 404, 409 for preconditions, and what admission refuses with."""
        collection = self._store.collection(resource.collection)
        if _is_namespace(resource) and key.name in IMMORTAL_NAMESPACES:
            raise forbidden(resource.group_resource, key.name, "this namespace may not be deleted")
        self.warn(call, resource, options)
        for _ in range(_TRIES):
            live = collection.get(key)
            if live is None:
                raise not_found(resource.group_resource, key.name)
            check_preconditions(resource, live, options)
            await self._writer.ask_delete(call, resource, live, dry_run=options.dry_run)
            if collection.get(key) is live:
                return self._delete(resource, live, options)
        raise conflict(resource.group_resource, key.name, MODIFIED)

    @staticmethod
    def warn(call: Call, resource: Resource, options: DeleteOptions) -> None:
        """Tells who deletes jobs, however many, and names no policy, what becomes of their pods."""
        if resource.group_resource == _JOBS and options.orphan_dependents is None and options.propagation is None:
            call.warn(_JOB_WARNING)

    @staticmethod
    def returns_objects(resource: Resource) -> bool:
        """Whether a deletion of this kind is answered with the object even when it is gone."""
        return resource.group_resource in RETURNS_DELETED and not resource.custom

    @staticmethod
    def success(resource: Resource, deleted: Deleted) -> bytes:
        """The Status that other deletions are answered with."""
        details: dict[str, Any] = {"name": deleted.entry.key.name}
        if resource.group:
            details["group"] = resource.group
        details |= {"kind": resource.plural, "uid": deleted.entry.object["metadata"]["uid"]}
        return orjson.dumps(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _delete(self, resource: Resource, live: Entry, options: DeleteOptions) -> Deleted:
        now = self._clock.now()
        if not live.object["metadata"].get("deletionTimestamp"):
            if resource.plural == "customresourcedefinitions":
                return self._delete_definition(resource, live, options, now)
            if _is_namespace(resource):
                return self._delete_namespace(resource, live, options, now)
        elif _is_namespace(resource) and (live.object.get("spec") or {}).get("finalizers"):
            return Deleted(live, gone=False)
        new = orjson.loads(live.encoded)
        metadata = new["metadata"]
        graceful = False
        if resource.plural == "pods" and not resource.group:
            graceful, pending = _be_graceful(new, options, now)
            if pending:
                return Deleted(live, gone=False)
        finalizers = _collector_finalizers(metadata.get("finalizers") or [], options, resource)
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        if not graceful and finalizers:
            _mark_deleting(metadata, now)
        held = bool(finalizers) or (graceful and bool(options.grace))
        return self._store_deletion(resource, live, new, held=held, dry_run=options.dry_run)

    def _delete_namespace(self, resource: Resource, live: Entry, options: DeleteOptions, now: datetime) -> Deleted:
        """The first deletion of a namespace only makes it Terminating; a controller empties it and deletes it again."""
        new = orjson.loads(live.encoded)
        metadata = new["metadata"]
        metadata["deletionTimestamp"] = timestamp(now)
        new.setdefault("status", {})["phase"] = "Terminating"
        before = metadata.get("finalizers") or []
        orphan, foreground = ORPHAN in before, FOREGROUND in before
        if options.orphan_dependents is not None:
            orphan, foreground = options.orphan_dependents, not options.orphan_dependents
        elif options.propagation is not None:
            orphan, foreground = options.propagation == "Orphan", options.propagation == "Foreground"
        finalizers = _with(before, orphan=orphan, foreground=foreground)
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        return self._store_deletion(resource, live, new, held=True, dry_run=options.dry_run)

    def _delete_definition(self, resource: Resource, live: Entry, options: DeleteOptions, now: datetime) -> Deleted:
        """A definition stays, Terminating, until its objects are gone; definitions.py sees to that."""
        new = orjson.loads(live.encoded)
        metadata = new["metadata"]
        metadata["deletionTimestamp"] = timestamp(now)
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), CLEANUP]
        message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        set_condition(new, "Terminating", "InstanceDeletionPending", message, timestamp(now))
        return self._store_deletion(resource, live, new, held=True, dry_run=options.dry_run)

    def _store_deletion(self, resource: Resource, live: Entry, new: Object, *, held: bool, dry_run: bool) -> Deleted:
        """Commits the deletion marks and, unless something holds the object, its end."""
        changes = [] if new == live.object else [Change(resource.collection, live.key, new)]
        if not held:
            changes.append(Change(resource.collection, live.key, None))
        if dry_run:
            return Deleted(Entry(live.key, live.revision, new, orjson.dumps(new)), gone=not held)
        events = self._store.commit(changes)
        if not held:
            self._plugins.deleted(resource, live.object)
        return Deleted(events[0].entry if events else live, gone=not held)


def _is_namespace(resource: Resource) -> bool:
    return resource.plural == "namespaces" and not resource.group


def check_preconditions(resource: Resource, live: Entry, options: DeleteOptions) -> None:
    """Raises a 409 where the object is not the one that was meant."""
    metadata = live.object["metadata"]
    own_words = _is_namespace(resource) or resource.plural == "customresourcedefinitions"
    for name, wanted, actual, hint in (
        ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "modified"),
    ):
        if wanted is None or wanted == actual:
            continue
        if own_words:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {actual}"
            raise conflict(resource.group_resource, live.key.name, why)
        why = (
            f"the {name} in the precondition ({wanted}) does not match the {name} in record ({actual}). "
            f"The object might have been {hint}"
        )
        raise conflict(resource.group_kind, live.key.name, why)


def _be_graceful(pod: Object, options: DeleteOptions, now: datetime) -> tuple[bool, bool]:
    """Marks a pod for graceful deletion. Returns (marked, nothing to do but wait); sets `options.grace`."""
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        current = metadata.get("deletionGracePeriodSeconds")
        if not current:  # what a deletion that broke off has left
            return False, False
        if options.grace is None or options.grace >= current:
            return False, True
        marked = datetime.strptime(metadata["deletionTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        metadata["deletionTimestamp"] = timestamp(marked - timedelta(seconds=current - options.grace))
        metadata["deletionGracePeriodSeconds"] = options.grace
        return True, False
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    period = options.grace if options.grace is not None else spec.get("terminationGracePeriodSeconds") or 0
    if not spec.get("nodeName") or status.get("phase") in ("Failed", "Succeeded"):
        period = 0
    options.grace = 1 if period < 0 else period
    metadata["deletionTimestamp"] = timestamp(now + timedelta(seconds=options.grace))
    metadata["deletionGracePeriodSeconds"] = options.grace
    _raise_generation(metadata)
    return True, False


def _mark_deleting(metadata: dict[str, Any], now: datetime) -> None:
    if not metadata.get("deletionTimestamp"):
        _raise_generation(metadata)
        metadata["deletionTimestamp"] = timestamp(now)
    metadata["deletionGracePeriodSeconds"] = 0


def _raise_generation(metadata: dict[str, Any]) -> None:
    if metadata.get("generation", 0) > 0:
        metadata["generation"] += 1


def _collector_finalizers(finalizers: list[str], options: DeleteOptions, resource: Resource) -> list[str]:
    """The finalizers after the garbage collector's two were put right (deletionFinalizersForGarbageCollection)."""
    orphan = foreground = False
    if resource.group_resource in NOT_COLLECTED:
        pass
    elif options.orphan_dependents is not None:
        orphan = options.orphan_dependents
    elif options.propagation is not None:
        orphan, foreground = options.propagation == "Orphan", options.propagation == "Foreground"
    elif told := [name for name in finalizers if name in (ORPHAN, FOREGROUND)]:
        orphan, foreground = told[0] == ORPHAN, told[0] == FOREGROUND
    else:
        orphan = resource.group_resource in ORPHANS_BY_DEFAULT and not resource.custom
    return _with(finalizers, orphan=orphan, foreground=foreground)


def _with(finalizers: list[str], *, orphan: bool, foreground: bool) -> list[str]:
    """The finalizers with the garbage collector's two as they are wanted; as they were where nothing changes."""
    kept = [name for name in finalizers if name not in (ORPHAN, FOREGROUND)]
    wanted = [*kept, *([ORPHAN] if orphan else []), *([FOREGROUND] if foreground else [])]
    return finalizers if set(wanted) == set(finalizers) else wanted
