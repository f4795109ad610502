"""Who owns an object's replicas, seen through its Scale (k8s.io/apimachinery managedfields.ScaleHandler)."""

from __future__ import annotations

from dataclasses import replace

from kaito.embedded.apiserver.patching.managed_fields import Entries, Entry, Manager, read, write
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Object

_SCALE_VERSION = "autoscaling/v1"
_IN_SCALE = frozenset({("f:spec", "f:replicas")})


def to_scale(resource: Resource, parent: Object, scale: Object, dotted: str) -> None:
    """Sets the Scale's managedFields: whoever owns the object's replicas (at the path `dotted`) owns the Scale's."""
    path = _path(dotted)
    entries: Entries = {}
    for entry in read(parent).values():
        if _is_known(resource, entry) and path in entry.fields:
            manager = replace(entry.manager, api_version=_SCALE_VERSION)
            entries[manager.key] = Entry(manager, _IN_SCALE, entry.time)
    write(scale, entries)


def to_parent(resource: Resource, parent: Object, scale: Object, dotted: str) -> None:
    """Takes the Scale's managedFields over into those of the object.

    A manager that kept the replicas keeps its entry whole. (The real server does not find updates again under the
    Scale's version: it splits their entries into two of one name, of which the next write loses either.)
    """
    path = _path(dotted)
    of_scale = {_name(entry.manager): entry for entry in read(scale).values() if entry.fields}
    entries: Entries = {}
    for key, entry in read(parent).items():
        if not _is_known(resource, entry):
            continue
        kept = entry.fields
        if path in kept and of_scale.pop(_name(entry.manager), None) is None:
            kept = kept - {path}
        if kept:
            entries[key] = replace(entry, fields=kept)
    for entry in of_scale.values():
        manager = replace(entry.manager, api_version=resource.api_version)
        entries[manager.key] = Entry(manager, frozenset({path}), entry.time)
    write(parent, entries)


def _name(manager: Manager) -> tuple[str, str, str]:
    return (manager.name, manager.operation, manager.subresource)


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(f"f:{part}" for part in dotted.strip(".").split("."))


def _is_known(resource: Resource, entry: Entry) -> bool:
    return entry.manager.api_version.rpartition("/")[0] == resource.group
