"""Which resources are served: the built-in kinds and what CustomResourceDefinitions add, by path and by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kaito.embedded.apiserver.errors import GroupResource
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.schemas import decoding
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey
from kaito.embedded.apiserver.strategies import Strategy

Convert = Callable[[Object], Object]


@dataclass(frozen=True)
class Conversion:
    """How a version differs from the stored one; both ways leave their argument alone."""

    to_storage: Convert
    from_storage: Convert


@dataclass(frozen=True)
class ScalePaths:
    """Where a custom resource keeps its replicas (JSON paths with a leading dot); `selector` may be ""."""

    spec_replicas: str
    status_replicas: str
    selector: str = ""


@dataclass(eq=False)
class Resource:
    """One resource in one version. Stored objects carry neither apiVersion nor kind: these come from here."""

    kind: Kind
    strategy: Strategy
    collection: str
    """Name of the store's collection, shared by all versions."""
    subresources: frozenset[str]
    conversion: Conversion | None = None
    custom: bool = False
    scale: ScalePaths | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """Selectable fields of a custom resource: name to JSON path."""
    deprecation: str = ""
    """What every request to a deprecated version of a custom resource is warned of."""
    go_type: str = ""
    """What the real server calls the type in errors, where it is not the usual name."""

    def __post_init__(self) -> None:
        self.group = self.kind.group
        self.version = self.kind.version
        self.plural = self.kind.plural
        self.namespaced = self.kind.namespaced
        self.api_version = f"{self.group}/{self.version}" if self.group else self.version
        self.group_resource = GroupResource(self.group, self.plural)
        # There is one registry of events, and its name for them is that of the core group.
        events = (self.group, self.kind.kind) == ("events.k8s.io", "Event")
        self.group_kind = GroupResource("" if events else self.group, self.kind.kind)
        order = ("apiVersion", "kind") if self.custom else ("kind", "apiVersion")
        types = {"kind": self.kind.kind, "apiVersion": self.api_version}
        self._types = {name: types[name] for name in order}
        self._prefix = orjson.dumps(self._types)[:-1] + b","

    @property
    def path(self) -> str:
        """`/api/v1` or `/apis/group/version`."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    @property
    def printed(self) -> bool:
        """Whether the kind has a printer of its own (custom resources share one)."""
        return self.custom or [column.name for column in self.kind.columns] != ["Name", "Created At"]

    def content(self, entry: Entry) -> Object:
        """The entry's object in this version, with its type; shares its parts with the store: do not change it."""
        return {**self._types, **self._converted(entry)}

    def empty(self, metadata: Object) -> Entry:
        """An object with this metadata and nothing else but what is always written; it is not in the store."""
        content: Object = {"metadata": metadata}
        if not self.custom:
            content = decoding.decode(content, self.api_version, self.kind.kind).object
        entry = Entry(ObjectKey("", ""), 0, content, orjson.dumps(content))
        entry.others[self.api_version] = entry.encoded
        entry.others[f"{self.api_version} object"] = content
        return entry

    def copy(self, entry: Entry) -> Object:
        """As `content`, but the caller's own."""
        found: Object = orjson.loads(self.encode(entry))
        return found

    def encode(self, entry: Entry) -> bytes:
        """The entry as JSON in this version, with its type."""
        return self._prefix + self.bare(entry)[1:]

    def bare(self, entry: Entry) -> bytes:
        """The entry as JSON in this version, without its type, as the items of built-in lists are."""
        if self.conversion is None:
            return entry.encoded
        cached = entry.others.get(self.api_version)
        if cached is None:
            cached = entry.others[self.api_version] = orjson.dumps(self._converted(entry))
        encoded: bytes = cached
        return encoded

    def _converted(self, entry: Entry) -> Object:
        if self.conversion is None:
            return entry.object
        name = f"{self.api_version} object"
        found: Object | None = entry.others.get(name)
        if found is None:
            found = entry.others[name] = self.conversion.from_storage(entry.object)
        return found

    def item(self, entry: Entry) -> bytes:
        """The entry as an item of a list: custom resources carry their type there, built-in ones do not."""
        return self.encode(entry) if self.custom else self.bare(entry)

    def stored(self, obj: Object) -> Object:
        """What goes into the store for an object of this version."""
        bare = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
        return self.conversion.to_storage(bare) if self.conversion else bare


class Registry:
    """All served resources. `changes` counts, so that what is derived (discovery, OpenAPI) knows when to be remade."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self.changes = 0
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serves a resource, in place of one that was there under the same group, version and plural."""
        self._resources[resource.group, resource.version, resource.plural] = resource
        self.changes += 1

    def remove(self, group: str, plural: str) -> None:
        """Stops serving every version of a resource."""
        for key in [key for key in self._resources if key[0] == group and key[2] == plural]:
            del self._resources[key]
        self.changes += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._resources.get((group, version, plural))

    def get(self, group: str, plural: str) -> Resource | None:
        """Any one version of a resource, the preferred one if there are several."""
        return next((r for key, r in self._resources.items() if key[0] == group and key[2] == plural), None)

    def all(self) -> list[Resource]:
        return list(self._resources.values())

    def of(self, group: str, version: str) -> list[Resource]:
        """What a group serves in a version, by plural."""
        found = [r for r in self._resources.values() if r.group == group and r.version == version]
        return sorted(found, key=lambda resource: resource.plural)

    def groups(self) -> dict[str, list[str]]:
        """Groups in the order of registration, each with its versions, the preferred one first."""
        found: dict[str, list[str]] = {}
        for group, version, _plural in self._resources:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return found

    def is_custom(self, group: str) -> bool:
        return any(r.custom for r in self._resources.values() if r.group == group)


def read_path(obj: Any, dotted: str) -> Any:
    """The value at a plain dotted path (".spec.replicas" or "spec.replicas"), None where there is none."""
    found = obj
    for part in dotted.strip(".").split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def as_text(value: Any) -> str:
    """A field's value as a field selector compares it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
