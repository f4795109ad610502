"""CustomResourceDefinitions at work: serving what they define, their conditions, and the end of their objects."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable
from typing import Any

import orjson

from kaito.embedded.apiserver.custom_strategy import CustomStrategy, CustomVersion
from kaito.embedded.apiserver.discovery import CUSTOM_VERBS, version_priority
from kaito.embedded.apiserver.kinds.model import Kind, Subresource
from kaito.embedded.apiserver.resources import Conversion, Registry, Resource, ScalePaths
from kaito.embedded.apiserver.store import Change, Collection, Entry, Event, Object, ObjectKey, Store
from kaito.embedded.apiserver.structural import resource as structural
from kaito.embedded.apiserver.structural.columns import PrinterColumns
from kaito.kube.clock import Clock
from kaito.kube.objects import format_time

DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_log = logging.getLogger(__name__)


class Definitions:
    """Keeps the registry in step with the stored definitions."""

    def __init__(self, store: Store, registry: Registry, clock: Clock, ended: Callable[[str], None]) -> None:
        """`ended(collection)` is called when a resource is no longer served (its watches end)."""
        self._store = store
        self._registry = registry
        self._clock = clock
        self._ended = ended
        self._dying: dict[str, Callable[[], None]] = {}
        self._due: set[str] = set()
        self._stop: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Serves what is stored and follows changes. Needs a running loop."""
        definitions = self._store.collection(DEFINITIONS)
        for entry in definitions.entries():
            self._due.add(entry.key.name)
        self._work()
        self._stop = definitions.subscribe(self._changed)

    def stop(self) -> None:
        self._stop()
        for stop in self._dying.values():
            stop()

    def _changed(self, event: Event) -> None:
        name = event.entry.key.name
        if event.type == "DELETED":
            spec = event.entry.object["spec"]
            self._withdraw(spec["group"], spec["names"]["plural"])
            return
        before = event.previous.object if event.previous is not None else None
        if before is not None and before["spec"] == event.entry.object["spec"] and not _dies(event.entry.object):
            return
        self._later(name)

    def _later(self, name: str) -> None:
        # Not now: a commit inside a commit would put events out of order.
        if not self._due:
            asyncio.get_running_loop().call_soon(self._work)
        self._due.add(name)

    def _work(self) -> None:
        names, self._due = self._due, set()
        for name in sorted(names):
            entry = next((e for e in self._store.collection(DEFINITIONS).entries() if e.key.name == name), None)
            if entry is None:
                continue
            try:
                self._serve(entry)
            except (ValueError, TypeError, KeyError, AttributeError, StopIteration) as problem:
                # Validation lets no such definition in; one from an older store must not stop the others.
                _log.warning("definition %s cannot be served: %s", name, problem)
            if _dies(entry.object):
                self._empty(entry)

    def _serve(self, entry: Entry) -> None:
        """Accepts the names, unless another definition has them, and serves every served version."""
        definition = entry.object
        spec = definition["spec"]
        conflicts = self._conflicts(definition)
        now = format_time(self._clock.now())
        new = copy.deepcopy(definition)
        if conflicts:
            set_condition(new, "NamesAccepted", conflicts[0], conflicts[1], now, "False")
            if not _is_established(new):
                set_condition(new, "Established", "NotAccepted", "not all names are accepted", now, "False")
        else:
            new["status"]["acceptedNames"] = spec["names"]
            set_condition(new, "NamesAccepted", "NoConflicts", "no conflicts found", now)
            if not _is_established(new):
                set_condition(new, "Established", "InitialNamesAccepted", "the initial names have been accepted", now)
        stored = new["status"].get("storedVersions") or []
        storage = next(v["name"] for v in spec["versions"] if v.get("storage"))
        new["status"]["storedVersions"] = [*stored, storage] if storage not in stored else stored
        if _is_established(new):
            self._register(new)
        if new != definition:
            self._write_status(entry, new, now)

    def _write_status(self, entry: Entry, new: Object, now: str) -> None:
        """Stores what this server itself found out about a definition, under its own name as the field manager."""
        resource = self._registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        if resource is not None:
            live = self._current(entry).object
            resource.strategy.track(new, live, manager="kube-apiserver", time=now, subresource="status")
        self._store.commit([Change(DEFINITIONS, entry.key, new)])

    def _conflicts(self, definition: Object) -> tuple[str, str] | None:
        spec = definition["spec"]
        own = spec["names"]
        for other in self._store.collection(DEFINITIONS).entries():
            if other.key.name == definition["metadata"]["name"] or other.object["spec"]["group"] != spec["group"]:
                continue
            taken = other.object.get("status", {}).get("acceptedNames") or {}
            plurals = {taken.get("plural"), taken.get("singular"), *(taken.get("shortNames") or ())}
            kinds = {taken.get("kind"), taken.get("listKind")}
            for field, reason in (("plural", "PluralConflict"), ("singular", "SingularConflict")):
                if own.get(field) in plurals:
                    return reason, f'"{own[field]}" is already in use'
            for short in own.get("shortNames") or ():
                if short in plurals:
                    return "ShortNamesConflict", f'"{short}" is already in use'
            for field, reason in (("kind", "KindConflict"), ("listKind", "ListKindConflict")):
                if own.get(field) in kinds:
                    return reason, f'"{own[field]}" is already in use'
        return None

    def _register(self, definition: Object) -> None:
        spec = definition["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        if self._registry.get(group, plural) is None:
            self._store.collection(f"{group}/{plural}").begin(int(definition["metadata"]["resourceVersion"]))
        self._registry.remove(group, plural)
        versions = sorted(spec["versions"], key=lambda version: version_priority(version["name"]))
        storage = next(v["name"] for v in versions if v.get("storage"))
        for version in versions:
            if version.get("served"):
                try:
                    self._registry.add(custom_resource(spec, version, storage))
                except ValueError as problem:
                    _log.warning("%s.%s %s is not served: %s", plural, group, version["name"], problem)
        self._reread(self._store.collection(f"{group}/{plural}"), next(v for v in versions if v["name"] == storage))

    @staticmethod
    def _reread(collection: Collection, version: dict[str, Any]) -> None:
        """Shows stored objects as the schema of today reads them: pruned, and with its defaults."""
        schema = structural.compile(_schema_of(version))
        for entry in collection.entries():
            obj = orjson.loads(entry.encoded)
            schema.prune(obj)
            collection.replace(entry.key, schema.default(obj))

    def _withdraw(self, group: str, plural: str) -> None:
        self._registry.remove(group, plural)
        self._ended(f"{group}/{plural}")

    def _empty(self, entry: Entry) -> None:
        """Deletes every object of a dying definition; the definition goes when the last of them has gone."""
        spec = entry.object["spec"]
        collection = self._store.collection(f"{spec['group']}/{spec['names']['plural']}")
        now = format_time(self._clock.now())
        changes: list[Change] = []
        for instance in collection.entries():
            if not instance.object["metadata"].get("finalizers"):
                changes.append(Change(collection.name, instance.key, None))
            elif not instance.object["metadata"].get("deletionTimestamp"):
                marked = copy.deepcopy(instance.object)
                marked["metadata"]["deletionTimestamp"] = now
                marked["metadata"]["deletionGracePeriodSeconds"] = 0
                if marked["metadata"].get("generation"):
                    marked["metadata"]["generation"] += 1
                changes.append(Change(collection.name, instance.key, marked))
        self._store.commit(changes)
        name = entry.key.name
        if len(collection):
            if name not in self._dying:
                self._dying[name] = collection.subscribe(lambda _event: self._later(name))
                new = copy.deepcopy(self._current(entry).object)
                message = "CustomResource deletion is in progress"
                set_condition(new, "Terminating", "InstanceDeletionInProgress", message, now)
                self._write_status(entry, new, now)
            return
        self._dying.pop(name, lambda: None)()
        finalizers = [f for f in entry.object["metadata"].get("finalizers") or () if f != CLEANUP]
        if not finalizers:
            self._store.commit([Change(DEFINITIONS, entry.key, None)])
        elif CLEANUP in entry.object["metadata"]["finalizers"]:
            new = copy.deepcopy(self._current(entry).object)
            new["metadata"]["finalizers"] = finalizers
            self._store.commit([Change(DEFINITIONS, entry.key, new)])

    def _current(self, entry: Entry) -> Entry:
        return self._store.collection(DEFINITIONS).get(entry.key) or entry


def is_terminating(store: Store, resource: Resource) -> bool:
    """Whether the definition behind a custom resource is on its way out (nothing new may be made)."""
    entry = store.collection(DEFINITIONS).get(ObjectKey("", f"{resource.plural}.{resource.group}"))
    return entry is not None and _dies(entry.object)


def _dies(definition: Object) -> bool:
    return bool(definition["metadata"].get("deletionTimestamp"))


def _is_established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def set_condition(definition: Object, kind: str, reason: str, message: str, now: str, status: str = "True") -> None:
    """Sets a condition in place; its transition time moves only when the status does."""
    found = definition.setdefault("status", {})
    conditions = [dict(condition) for condition in found.get("conditions") or ()]
    new = {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
    for index, condition in enumerate(conditions):
        if condition["type"] == kind:
            if condition["status"] == status:
                new["lastTransitionTime"] = condition.get("lastTransitionTime") or now
            conditions[index] = new
            break
    else:
        conditions.append(new)
    found["conditions"] = conditions


def _conversion(spec: dict[str, Any], storage: str, own: structural.StructuralSchema) -> Conversion:
    """Conversion without a webhook: what the target version's schema does not know is lost on the way."""
    stored = structural.compile(_schema_of(next(v for v in spec["versions"] if v["name"] == storage)))

    def through(schema: structural.StructuralSchema, obj: Object) -> Object:
        copied: Object = orjson.loads(orjson.dumps(obj))
        schema.prune(copied)
        return schema.default(copied)

    return Conversion(lambda obj: through(stored, obj), lambda obj: through(own, obj))


def _schema_of(version: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def custom_resource(spec: dict[str, Any], version: dict[str, Any], storage: str) -> Resource:
    """One served version of a definition. Raises ValueError for what cannot be served."""
    names = spec["names"]
    group, plural = spec["group"], names["plural"]
    namespaced = spec["scope"] == "Namespaced"
    subresources = version.get("subresources") or {}
    rows = []
    if "status" in subresources:
        rows.append(Subresource("status", "", "", names["kind"], ("get", "patch", "update")))
    if "scale" in subresources:
        rows.append(Subresource("scale", "autoscaling", "v1", "Scale", ("get", "patch", "update")))
    columns = PrinterColumns(version.get("additionalPrinterColumns"))
    kind = Kind(
        group=group,
        version=version["name"],
        plural=plural,
        singular=names.get("singular") or names["kind"].lower(),
        kind=names["kind"],
        list_kind=names.get("listKind") or names["kind"] + "List",
        namespaced=namespaced,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=CUSTOM_VERBS,
        subresources=tuple(row.name for row in rows),
        selectable_fields=("metadata.name", *(("metadata.namespace",) if namespaced else ())),
        columns=columns.columns,
        subresource_table=tuple(rows),
        storage_version_hash=_storage_hash(group, storage, names["kind"]),
    )
    schema = _schema_of(version)
    scale = subresources.get("scale")
    compiled = structural.compile(schema, scale)
    paths = (
        ScalePaths(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", ""))
        if scale
        else None
    )
    custom = CustomVersion(kind, compiled, "status" in subresources, columns, schema)
    fields = {path["jsonPath"].lstrip("."): path["jsonPath"] for path in version.get("selectableFields") or ()}
    return Resource(
        kind=kind,
        strategy=CustomStrategy(custom),
        collection=f"{group}/{plural}",
        subresources=frozenset(kind.subresources),
        conversion=None if version["name"] == storage else _conversion(spec, storage, compiled),
        custom=True,
        scale=paths,
        deprecation=_deprecation(kind, version),
        fields=fields,
    )


def _deprecation(kind: Kind, version: dict[str, Any]) -> str:
    if not version.get("deprecated"):
        return ""
    warning: str = version.get("deprecationWarning") or f"{kind.group}/{kind.version} {kind.kind} is deprecated"
    return warning


def _storage_hash(group: str, version: str, kind: str) -> str:
    """What discovery calls storageVersionHash: base64 of the first 8 bytes of a SHA-256."""
    import base64
    import hashlib

    digest = hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()
