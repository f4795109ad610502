"""create, update and patch: the rules every object goes through on its way into the store.

The order of steps is that of the generic registry of kube-apiserver (decode, managed fields, mutating admission,
prepare, validate, validating admission, store), because clients see it in which error comes first.
"""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from kaito.embedded.apiserver.admission import AdmissionHook, AdmissionRequest, Operation, refusal
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import (
    MODIFIED,
    Cause,
    GroupResource,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    invalid,
    name_generation_failed,
    not_found,
)
from kaito.embedded.apiserver.kind_rules import CREATED_BY_PUT, UPDATED_BLINDLY
from kaito.embedded.apiserver.plugins import Plugins
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Change, Entry, Object, ObjectKey, Store
from kaito.embedded.apiserver.write_options import WriteOptions
from kaito.kube.clock import Clock

_LIMIT_RANGES = GroupResource("", "limitranges")
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no digits that look like them: no bad words
_GENERATED_PREFIX = 58
_GENERATE_TRIES = 8
_PATCH_TRIES = 5
Mutate = Callable[[Entry | None], Object]


@dataclass(frozen=True)
class Written:
    """The outcome of a write: the entry as stored (or as it would be, for a dry run)."""

    entry: Entry
    created: bool


def timestamp(moment: datetime) -> str:
    """RFC 3339 with whole seconds, as metav1.Time is written."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer:
    """Writes objects for clients. Between reading an entry and committing nothing waits, or the work starts over."""

    def __init__(self, store: Store, plugins: Plugins, hook: AdmissionHook | None, clock: Clock) -> None:
        self._store = store
        self._plugins = plugins
        self._hook = hook
        self._clock = clock

    async def create(
        self,
        call: Call,
        resource: Resource,
        namespace: str,
        obj: Object,
        options: WriteOptions,
        *,
        subresource: str = "",
    ) -> Written:
        """Stores a decoded object under its name. Raises StatusError; nothing is written then."""
        now = timestamp(self._clock.now())
        ensure_namespace(obj, namespace)
        metadata = obj["metadata"]
        version = metadata.get("resourceVersion") or ""
        if version.isdigit() and int(version):  # what is no number is not looked at
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        if resource.group_resource == _LIMIT_RANGES and not metadata.get("name") and not metadata.get("generateName"):
            metadata["name"] = str(uuid.uuid4())
        for attempt in range(_GENERATE_TRIES):
            draft = copy.deepcopy(obj) if metadata.get("generateName") and not metadata.get("name") else obj
            generated = self._name(draft)
            key = ObjectKey(namespace, draft["metadata"].get("name", ""))
            draft = await self._draft(call, resource, draft, options, now)
            taken = self._store.collection(resource.collection).get(key)
            if taken is None:
                return Written(self._put(resource, key, draft, dry_run=options.dry_run), created=True)
            if generated and attempt < _GENERATE_TRIES - 1:
                continue
            taken_name = already_exists(resource.group_resource, key.name)
            if metadata.get("generateName"):  # also where it was not asked for: there was a name
                taken_name = name_generation_failed(resource.group_resource, key.name)
            if taken.object["metadata"].get("deletionTimestamp"):
                taken_name.message = f"object is being deleted: {taken_name.message}"
            raise taken_name
        raise AssertionError("unreachable")

    @staticmethod
    def _name(obj: Object) -> bool:
        """Gives a name to an object that only has generateName; tells whether it did."""
        metadata = obj["metadata"]
        prefix = metadata.get("generateName")
        if not prefix or metadata.get("name"):
            return False
        suffix = "".join(random.choice(_SUFFIX) for _ in range(5))
        metadata["name"] = prefix[:_GENERATED_PREFIX] + suffix
        return True

    async def _draft(self, call: Call, resource: Resource, obj: Object, options: WriteOptions, now: str) -> Object:
        """Everything between decoding and storing a new object."""
        metadata = obj["metadata"]
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        metadata["creationTimestamp"] = now
        metadata["uid"] = str(uuid.uuid4())
        strategy = resource.strategy
        strategy.track(obj, None, manager=options.manager, time=now, subresource="")
        self._plugins.on_create(call, resource, obj)
        strategy.prepare_create(obj)
        causes = strategy.validate_create(obj)
        if causes:
            raise invalid(resource.group_kind, metadata.get("name", ""), causes)
        strategy.finish(obj)
        for text in strategy.warnings(obj, None):
            call.warn(text)
        self._plugins.before_store(resource, obj, None, dry_run=options.dry_run)
        try:
            await self._ask(call, "CREATE", resource, obj, None, options.dry_run)
        except BaseException:
            self._plugins.not_stored(resource, obj, None)
            raise
        return obj

    async def update(
        self,
        call: Call,
        resource: Resource,
        key: ObjectKey,
        mutate: Mutate,
        options: WriteOptions,
        *,
        subresource: str = "",
        creates: bool = False,
        track: bool = True,
        expect_uid: str = "",
    ) -> Written:
        """Replaces an object by what `mutate` makes of it; started over when somebody else was faster.

        `mutate` gets the live entry (None where there is none and `creates` allows that) and returns a complete object
        with apiVersion and kind. `track` False: mutate has set managedFields itself (server-side apply).
        """
        for _ in range(_PATCH_TRIES):
            live = self._store.collection(resource.collection).get(key)
            if live is None:
                if not creates:
                    raise not_found(resource.group_resource, key.name)
                obj = mutate(None)
                if not subresource:
                    return await self._create_by_update(call, resource, key, obj, options, track=track)
                raise not_found(resource.group_resource, key.name)
            new, old = mutate(live), resource.content(live)
            if expect_uid and expect_uid != live.object["metadata"]["uid"]:
                raise uid_conflict(resource, key, expect_uid, live.object["metadata"]["uid"])
            self._check_version(resource, key, new, live)
            now = timestamp(self._clock.now())
            keep_identity(new, old)
            if track:
                resource.strategy.track(new, old, manager=options.manager, time=now, subresource=subresource)
            self._plugins.on_update(call, resource, new, old, subresource)
            resource.strategy.prepare_update(new, old, subresource)
            self._validate_update(call, resource, new, old, subresource)
            self._plugins.before_store(resource, new, old, dry_run=options.dry_run)
            try:
                await self._ask(call, "UPDATE", resource, new, old, options.dry_run, subresource)
            except BaseException:
                self._plugins.not_stored(resource, new, old)
                raise
            if self._store.collection(resource.collection).get(key) is not live:
                self._plugins.not_stored(resource, new, old)
                continue
            return Written(self._replace(resource, key, new, live, dry_run=options.dry_run), created=False)
        raise conflict(resource.group_resource, key.name, MODIFIED)

    def rewrite(self, resource: Resource, key: ObjectKey, mutate: Mutate, *, dry_run: bool = False) -> Entry:
        """A write of the server itself: neither prepared, nor validated, nor recorded in managedFields."""
        live = self._store.collection(resource.collection).get(key)
        if live is None:
            raise not_found(resource.group_resource, key.name)
        return self._replace(resource, key, mutate(live), live, dry_run=dry_run)

    async def _create_by_update(
        self, call: Call, resource: Resource, key: ObjectKey, obj: Object, options: WriteOptions, *, track: bool
    ) -> Written:
        """PUT (for kinds that allow it) or apply of an object that is not there."""
        managed = obj["metadata"].get("managedFields")
        obj["metadata"].pop("resourceVersion", None)
        ensure_namespace(obj, key.namespace)
        now = timestamp(self._clock.now())
        draft = await self._draft(call, resource, obj, options, now)
        if not track:
            draft["metadata"].pop("managedFields", None)
            if managed is not None:
                draft["metadata"]["managedFields"] = managed
        if self._store.collection(resource.collection).get(key) is not None:
            raise already_exists(resource.group_resource, key.name)
        return Written(self._put(resource, key, draft, dry_run=options.dry_run), created=True)

    def _check_version(self, resource: Resource, key: ObjectKey, new: Object, live: Entry) -> None:
        """Optimistic concurrency: the version in the object, where there is one, must be the live one."""
        version = new["metadata"].get("resourceVersion") or ""
        current = live.object["metadata"]["resourceVersion"]
        if version in ("", "0"):
            if not allows_blind_update(resource):
                cause = Cause("FieldValueInvalid", "Invalid value: 0: must be specified for an update", _VERSION_FIELD)
                raise invalid(resource.group_resource, key.name, [cause])
            new["metadata"]["resourceVersion"] = current
        elif not version.isdigit():
            raise StatusError(500, "", f'strconv.ParseUint: parsing "{version}": invalid syntax')
        elif version != current:
            raise conflict(resource.group_resource, key.name, MODIFIED)

    @staticmethod
    def _validate_update(call: Call, resource: Resource, new: Object, old: Object, subresource: str) -> None:
        causes = resource.strategy.validate_update(new, old, subresource)
        if causes:
            raise invalid(resource.group_kind, old["metadata"]["name"], causes)
        resource.strategy.finish(new)
        for text in resource.strategy.warnings(new, old):
            call.warn(text)

    async def _ask(
        self,
        call: Call,
        operation: Operation,
        resource: Resource,
        obj: Object | None,
        old: Object | None,
        dry_run: bool,
        subresource: str = "",
    ) -> None:
        if self._hook is None:
            return
        metadata = (obj or old or {})["metadata"]
        decision = await self._hook(
            AdmissionRequest(
                operation=operation,
                group=resource.group,
                version=resource.version,
                resource=resource.plural,
                subresource=subresource,
                namespace=metadata.get("namespace", ""),
                name=metadata.get("name", ""),
                object=obj,
                old_object=old,
                user=call.user,
                dry_run=dry_run,
            )
        )
        for text in decision.warnings:
            call.warn(text)
        if not decision.allowed:
            raise refusal(decision)

    async def ask_delete(self, call: Call, resource: Resource, entry: Entry, *, dry_run: bool) -> None:
        """The hook's say on a deletion. Raises what it refuses with."""
        if self._hook is not None:
            await self._ask(call, "DELETE", resource, None, resource.content(entry), dry_run)

    def _put(self, resource: Resource, key: ObjectKey, obj: Object, *, dry_run: bool) -> Entry:
        stored = resource.stored(obj)
        if dry_run:
            self._plugins.not_stored(resource, obj, None)
            return Entry(key, 0, stored, orjson.dumps(stored))
        try:
            event = self._store.commit([Change(resource.collection, key, stored)])[0]
        except BaseException:
            self._plugins.not_stored(resource, obj, None)
            raise
        return event.entry

    def _replace(self, resource: Resource, key: ObjectKey, new: Object, live: Entry, *, dry_run: bool) -> Entry:
        """Stores the new state, unless nothing changed; deletes an object whose last finalizer went."""
        stored = resource.stored(new)
        if not dry_run and goes_now(resource, stored, live.object):
            # As in the real registry the last state is answered but never written: watchers see only the deletion.
            self._store.commit([Change(resource.collection, key, None)])
            self._plugins.deleted(resource, stored)
            self._plugins.deleted(resource, live.object)
            return Entry(key, live.revision, stored, orjson.dumps(stored))
        if same_but_for_times(stored, live.object):
            return live
        if dry_run:
            return Entry(key, live.revision, stored, orjson.dumps(stored))
        entry = self._store.commit([Change(resource.collection, key, stored)])[0].entry
        self._plugins.stored(resource, stored, live.object)
        return entry


_VERSION_FIELD = "metadata.resourceVersion"


def ensure_namespace(obj: Object, namespace: str) -> None:
    """The object's namespace is the URL's. Raises a 400."""
    metadata = obj.setdefault("metadata", {})
    own = metadata.get("namespace", "")
    if own == namespace:
        return
    if own and namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)


def undeterminable(name: str) -> str:
    """What a request whose object has no name is told; `name` is the URL's."""
    return f"the name of the object ({name} based on URL) was undeterminable: name must be provided"


def ensure_name(obj: Object, name: str) -> None:
    """The object's name is the URL's. Raises a 400."""
    own = obj.setdefault("metadata", {}).get("name", "")
    if not own:
        raise bad_request(undeterminable(name))
    if own != name:
        raise bad_request(f"the name of the object ({own}) does not match the name on the URL ({name})")


def allows_blind_update(resource: Resource) -> bool:
    """Whether a PUT without resourceVersion overwrites (strategy.AllowUnconditionalUpdate)."""
    return not resource.custom and resource.group_resource in UPDATED_BLINDLY


def allows_create_by_put(resource: Resource) -> bool:
    """Whether a PUT to a free name creates (strategy.AllowCreateOnUpdate)."""
    return not resource.custom and resource.group_resource in CREATED_BY_PUT


def keep_identity(new: Object, old: Object) -> None:
    """What an update never changes, whatever it says (rest.BeforeUpdate)."""
    metadata, before = new["metadata"], old["metadata"]
    metadata["creationTimestamp"] = before.get("creationTimestamp")
    if not metadata.get("uid"):
        metadata["uid"] = before["uid"]
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        if field in before:
            metadata[field] = before[field]
        else:
            metadata.pop(field, None)
    metadata.pop("selfLink", None)


def same_but_for_times(new: Object, old: Object) -> bool:
    """Whether a write would change nothing but the times in managedFields."""
    if new.keys() != old.keys():
        return False
    for key, value in new.items():
        if key != "metadata" and value != old[key]:
            return False
    left, right = new["metadata"], old["metadata"]
    if left == right:
        return True
    names = set(left) | set(right)
    if any(left.get(name) != right.get(name) for name in names if name != "managedFields"):
        return False
    return _timeless(left.get("managedFields")) == _timeless(right.get("managedFields"))


def _timeless(managed: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in managed or ()]


def goes_now(resource: Resource, new: Object, old: Object) -> bool:
    """Whether this update frees a terminating object of the last thing that held it (ShouldDeleteDuringUpdate)."""
    metadata = new["metadata"]
    if metadata.get("finalizers") or not old["metadata"].get("deletionTimestamp"):
        return False
    if resource.kind.kind == "Namespace" and not resource.group:
        return not (new.get("spec") or {}).get("finalizers")
    return not (old["metadata"].get("deletionGracePeriodSeconds") or 0)


_FOLDERS = {
    "endpoints": "services/endpoints",
    "ingresses": "ingress",
    "nodes": "minions",
    "replicationcontrollers": "controllers",
    "services": "services/specs",
}
"""Resources that etcd keeps under another name (SpecialDefaultResourcePrefixes)."""


def uid_conflict(resource: Resource, key: ObjectKey, wanted: str, found: str, *, dry_run: bool = False) -> StatusError:
    """The 409 of a write that means another object of this name; only what is written has its place in the store."""
    root = "" if dry_run else "/registry"
    group = f"{resource.group}/" if resource.custom else ""
    folder = _FOLDERS.get(resource.plural, resource.plural) if not resource.custom else resource.plural
    place = f"{root}/{group}{folder}/{key.namespace}{'/' if key.namespace else ''}{key.name}"
    return conflict(
        resource.group_resource,
        key.name,
        f"StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
    )
