"""An in-memory stand-in for `Client`: Kubernetes' object rules without a server, with armed errors and recorded calls.

It keeps what reconcilers depend on: unique names, uids, resource versions and conflicts, generations, status
isolation, finalizers and deletion timestamps, owner-reference garbage collection (background), label and simple field
selectors, and watches. It validates and defaults nothing.
"""

from __future__ import annotations

import asyncio
import builtins
import copy
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kaito.kube.client import FieldValidation, ObjectList, PatchKind, Propagation, WatchEvent
from kaito.kube.clock import Clock, VirtualClock
from kaito.kube.errors import AlreadyExists, ApiError, Conflict, Gone, Invalid, NotFound
from kaito.kube.merge_patch import merge_patch
from kaito.kube.objects import format_time, matches_labels
from kaito.kube.resources import EVENTS, PODS, Resource

WRITES = frozenset({"create", "update", "patch", "delete"})


class Call(NamedTuple):
    """One call as it arrived; `name` is empty for list and watch."""

    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str = ""
    body: Any = None


class FakeClient:
    """See the module; `calls` holds every call, `fail` arms errors."""

    def __init__(
        self, *objects: Mapping[str, Any], clock: Clock | None = None, garbage_collection: bool = True
    ) -> None:
        self.clock: Clock = clock or VirtualClock()
        self.calls: list[Call] = []
        self.log_text: dict[tuple[str, str], str] = {}
        """What `logs` gives, by (namespace, pod name)."""
        self._objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._resources: dict[str, Resource] = {}
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)
        self._version = 0
        self._history: list[tuple[int, str, str, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        self._garbage_collection = garbage_collection
        self._failures: list[tuple[Callable[[Call], bool], ApiError, int]] = []
        self.before_call: Callable[[Call], None] | None = None
        """Called with every call before it takes effect; may raise, as a crash test does."""
        for obj in objects:
            self.seed(obj)

    # ---- for tests

    def fail(self, error: ApiError, *, verb: str = "", resource: str = "", name: str = "", times: int = 1) -> None:
        """Make the next `times` calls that match raise `error`."""

        def matches(call: Call) -> bool:
            return verb in ("", call.verb) and resource in ("", call.resource) and name in ("", call.name)

        self._failures.append((matches, error, times))

    def seed(self, obj: Mapping[str, Any], resource: Resource | None = None) -> dict[str, Any]:
        """Put an object in without a recorded call; its resource is guessed from apiVersion and kind."""
        resource = resource or guess_resource(obj)
        return self._store(resource, self._complete(resource, copy.deepcopy(dict(obj))), "ADDED")

    def objects(self, resource: Resource) -> builtins.list[dict[str, Any]]:
        """Deep copies of all objects of a resource, without a recorded call."""
        return [copy.deepcopy(obj) for (plural, _, _), obj in self._objects.items() if plural == resource.qualified]

    def find(self, resource: Resource, name: str, namespace: str = "") -> dict[str, Any] | None:
        """A deep copy of one object, or None, without a recorded call."""
        return copy.deepcopy(self._objects.get((resource.qualified, namespace, name)))

    def writes(self, *, events: bool = False) -> Counter[str]:
        """How many writing calls there were, by `verb resource[/subresource]`; Events are left out by default."""
        counted: Counter[str] = Counter()
        for call in self.calls:
            if call.verb in WRITES and (events or call.resource != EVENTS.plural):
                counted[f"{call.verb} {call.resource}" + (f"/{call.subresource}" if call.subresource else "")] += 1
        return counted

    # ---- KubeClient

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]:
        self._begin(Call("get", resource.plural, namespace or "", name))
        return copy.deepcopy(self._existing(resource, name, namespace))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
    ) -> ObjectList:
        self._begin(Call("list", resource.plural, namespace or "", ""))
        items = [
            copy.deepcopy(obj)
            for (plural, space, _), obj in self._objects.items()
            if plural == resource.qualified
            and namespace in (None, "", space)
            and _selected(obj, label_selector, field_selector)
        ]
        return ObjectList(items, str(self._version))

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], *, namespace: str | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        new = copy.deepcopy(dict(obj))
        metadata = new.setdefault("metadata", {})
        if namespace:
            metadata.setdefault("namespace", namespace)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{next(self._uids):05d}"
        name = metadata.get("name", "")
        self._begin(Call("create", resource.plural, metadata.get("namespace") or "", name, body=copy.deepcopy(new)))
        if not name:
            raise Invalid(f"{resource.kind} needs a name", status=422, reason="Invalid")
        if self._key(resource, name, metadata.get("namespace")) in self._objects:
            message = f'{resource.qualified} "{name}" already exists'
            raise AlreadyExists(message, status=409, reason="AlreadyExists")
        new = self._complete(resource, new)
        return copy.deepcopy(new if dry_run else self._store(resource, new, "ADDED"))

    async def create_subresource(
        self, resource: Resource, name: str, subresource: str, obj: Mapping[str, Any], namespace: str | None = None
    ) -> dict[str, Any]:
        self._begin(Call("create", resource.plural, namespace or "", name, subresource, copy.deepcopy(dict(obj))))
        live = copy.deepcopy(self._existing(resource, name, namespace))
        if resource == PODS and subresource == "binding":
            if live["spec"].get("nodeName"):
                raise Conflict(f'pod "{name}" is already assigned to a node', status=409, reason="Conflict")
            live["spec"]["nodeName"] = obj["target"]["name"]
            conditions = live.setdefault("status", {}).setdefault("conditions", [])
            conditions.append({"type": "PodScheduled", "status": "True"})
            self._store(resource, live, "MODIFIED")
        elif resource == PODS and subresource == "eviction":
            self._delete(resource, live)
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    async def update(
        self, resource: Resource, obj: Mapping[str, Any], *, subresource: str | None = None
    ) -> dict[str, Any]:
        new = copy.deepcopy(dict(obj))
        metadata = new["metadata"]
        namespace = metadata.get("namespace")
        self._begin(
            Call("update", resource.plural, namespace or "", metadata["name"], subresource or "", copy.deepcopy(new))
        )
        live = self._existing(resource, metadata["name"], namespace)
        sent = metadata.get("resourceVersion")
        if sent and sent != live["metadata"]["resourceVersion"]:
            raise Conflict(
                f'Operation cannot be fulfilled on {resource.qualified} "{metadata["name"]}": the object has been '
                "modified; please apply your changes to the latest version and try again",
                status=409,
                reason="Conflict",
            )
        return self._replace(resource, live, new, subresource)

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
        self._begin(Call("patch", resource.plural, namespace or "", name, subresource or "", copy.deepcopy(patch)))
        if kind == "apply" and self._key(resource, name, namespace) not in self._objects:
            return copy.deepcopy(self._store(resource, self._complete(resource, copy.deepcopy(dict(patch))), "ADDED"))
        live = self._existing(resource, name, namespace)
        if kind == "json":
            import jsonpatch

            new = dict(jsonpatch.apply_patch(copy.deepcopy(live), patch))
        else:
            merged = copy.deepcopy(patch)
            if kind == "strategic" and (conditions := (patch.get("status") or {}).get("conditions")):
                known = (live.get("status") or {}).get("conditions") or ()
                merged["status"]["conditions"] = _merged_conditions(known, conditions)
            new = merge_patch(copy.deepcopy(live), merged)
        wanted = (patch.get("metadata") or {}) if isinstance(patch, Mapping) else {}
        for field in ("uid", "resourceVersion"):
            if wanted.get(field) and wanted[field] != live["metadata"][field]:
                message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {field} does not match'
                raise Conflict(message, status=409, reason="Conflict")
        return self._replace(resource, live, new, subresource)

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
        self._begin(Call("delete", resource.plural, namespace or "", name))
        live = self._existing(resource, name, namespace)
        for field, wanted in (("uid", uid), ("resourceVersion", resource_version)):
            if wanted is not None and live["metadata"][field] != wanted:
                message = f"Precondition failed: {field} in precondition: {wanted}, {field} in object meta: "
                raise Conflict(message + live["metadata"][field], status=409, reason="Conflict")
        self._delete(resource, copy.deepcopy(live))
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

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
        self._begin(Call("watch", resource.plural, namespace or "", ""))
        position = 0
        after = int(resource_version)
        if after > self._version:
            raise Gone("too old resource version", status=410, reason="Expired")
        while True:
            while position < len(self._history):
                version, kind, plural, obj = self._history[position]
                position += 1
                if version <= after or plural != resource.qualified:
                    continue
                if namespace and obj["metadata"].get("namespace") != namespace:
                    continue
                if _selected(obj, label_selector, field_selector):
                    yield WatchEvent(kind, copy.deepcopy(obj))
            if position >= len(self._history):
                await self._changed.wait()

    async def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        self._begin(Call(method.lower(), path, "", "", body=body))
        raise NotFound("the server could not find the requested resource", status=404, reason="NotFound")

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
        self._begin(Call("get", "pods", namespace, name, "log"))
        lines = self.log_text.get((namespace, name), "").splitlines(keepends=True)
        yield "".join(lines[-tail:] if tail else lines).encode()

    # ---- object rules

    def _begin(self, call: Call) -> None:
        self.calls.append(call)
        if self.before_call is not None:
            self.before_call(call)
        for index, (matches, error, times) in enumerate(self._failures):
            if matches(call):
                if times > 1:
                    self._failures[index] = (matches, error, times - 1)
                else:
                    del self._failures[index]
                raise error

    @staticmethod
    def _key(resource: Resource, name: str, namespace: str | None) -> tuple[str, str, str]:
        return (resource.qualified, (namespace or "") if resource.namespaced else "", name)

    def _existing(self, resource: Resource, name: str, namespace: str | None) -> dict[str, Any]:
        obj = self._objects.get(self._key(resource, name, namespace))
        if obj is None:
            raise NotFound(f'{resource.qualified} "{name}" not found', status=404, reason="NotFound")
        return obj

    def _complete(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
        metadata = obj["metadata"]
        if not resource.namespaced:
            metadata.pop("namespace", None)
        metadata.setdefault("uid", f"uid-{next(self._uids)}")
        metadata.setdefault("generation", 1)
        metadata.setdefault("creationTimestamp", format_time(self.clock.now()))
        return obj

    def _replace(
        self, resource: Resource, live: dict[str, Any], new: dict[str, Any], subresource: str | None
    ) -> dict[str, Any]:
        """Store `new` over `live` under the isolation of status and the rules for generation and finalizers."""
        if subresource == "status":
            new = {**copy.deepcopy(live), "status": new.get("status")}
        elif "status" in live:
            new["status"] = copy.deepcopy(live["status"])
        else:
            new.pop("status", None)
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "generation", "resourceVersion"):
            if field in live["metadata"]:
                new["metadata"][field] = live["metadata"][field]
        if new == live:
            return copy.deepcopy(live)
        ignored = ("metadata", "status")
        if any(new.get(field) != live.get(field) for field in (new.keys() | live.keys()) if field not in ignored):
            new["metadata"]["generation"] = live["metadata"]["generation"] + 1
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            self._remove(resource, new)
            return copy.deepcopy(new)
        return copy.deepcopy(self._store(resource, new, "MODIFIED"))

    def _delete(self, resource: Resource, obj: dict[str, Any]) -> None:
        if obj["metadata"].get("finalizers"):
            if not obj["metadata"].get("deletionTimestamp"):
                obj["metadata"]["deletionTimestamp"] = format_time(self.clock.now())
                obj["metadata"]["generation"] += 1
                self._store(resource, obj, "MODIFIED")
            return
        self._remove(resource, obj)

    def _store(self, resource: Resource, obj: dict[str, Any], kind: str) -> dict[str, Any]:
        self._resources[resource.qualified] = resource
        metadata = obj["metadata"]
        self._publish(resource, obj, kind)
        self._objects[self._key(resource, metadata["name"], metadata.get("namespace"))] = obj
        return obj

    def _remove(self, resource: Resource, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        self._objects.pop(self._key(resource, metadata["name"], metadata.get("namespace")), None)
        self._publish(resource, obj, "DELETED")
        if not self._garbage_collection:
            return
        for (plural, _, _), child in list(self._objects.items()):
            owners = child["metadata"].get("ownerReferences") or ()
            if owners and all(owner["uid"] == metadata["uid"] for owner in owners):
                self._delete(self._resources[plural], copy.deepcopy(child))

    def _publish(self, resource: Resource, obj: dict[str, Any], kind: str) -> None:
        self._version = next(self._versions)
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._history.append((self._version, kind, resource.qualified, copy.deepcopy(obj)))
        self._changed.set()
        self._changed = asyncio.Event()


def guess_resource(obj: Mapping[str, Any]) -> Resource:
    """The known resource for an object's apiVersion and kind; ValueError when there is none."""
    from kaito.kube import resources

    candidates: Iterable[Any] = vars(resources).values()
    group = obj["apiVersion"].rpartition("/")[0]
    for candidate in candidates:
        if isinstance(candidate, Resource) and (candidate.group, candidate.kind) == (group, obj["kind"]):
            return candidate
    raise ValueError(f"no resource is known for {obj['apiVersion']} {obj['kind']}; pass it to seed()")


def _selected(obj: Mapping[str, Any], label_selector: str | None, field_selector: str | None) -> bool:
    if label_selector and not matches_labels(_parse_label_selector(label_selector), obj["metadata"].get("labels")):
        return False
    for term in (field_selector or "").split(","):
        if not term:
            continue
        path, operator, wanted = term.partition("!=") if "!=" in term else term.replace("==", "=").partition("=")
        value: Any = obj
        for part in path.split("."):
            value = (value or {}).get(part) if isinstance(value, Mapping) else None
        if ((value or "") == wanted) == (operator == "!="):
            return False
    return True


def _parse_label_selector(text: str) -> dict[str, Any]:
    expressions: list[dict[str, Any]] = []
    for term in text.split(","):
        if "!=" in term:
            key, _, value = term.partition("!=")
            expressions.append({"key": key, "operator": "NotIn", "values": [value]})
        elif "=" in term:
            key, _, value = term.replace("==", "=").partition("=")
            expressions.append({"key": key, "operator": "In", "values": [value]})
        elif term.startswith("!"):
            expressions.append({"key": term[1:], "operator": "DoesNotExist"})
        else:
            expressions.append({"key": term, "operator": "Exists"})
    return {"matchExpressions": expressions}


def _merged_conditions(known: Iterable[Mapping[str, Any]], patch: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Conditions after a strategic merge patch: by type, null takes a key away."""
    result = {entry["type"]: dict(entry) for entry in known}
    for entry in patch:
        if entry.get("$patch") == "delete":
            result.pop(entry["type"], None)
        else:
            whole = {**result.get(entry["type"], {}), **entry}
            result[entry["type"]] = {key: value for key, value in whole.items() if value is not None}
    return list(result.values())
