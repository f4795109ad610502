"""Ownership after create, update and patch: the writer owns what it added or changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaito.embedded.apiserver.patching.comparing import compare
from kaito.embedded.apiserver.patching.field_sets import FieldSet, without_below
from kaito.embedded.apiserver.patching.managed_fields import (
    SERVER_OWNED,
    Entries,
    Entry,
    Manager,
    cap,
    read,
    strip,
    without_managed_fields,
    write,
)
from kaito.embedded.apiserver.patching.shapes import Shape
from kaito.embedded.apiserver.schemas.decoding import zero
from kaito.embedded.apiserver.schemas.types import type_for

Json = dict[str, Any]


def track(
    shape: Shape,
    old: Json | None,
    new: Json,
    manager: Manager,
    *,
    now: str,
    ignored: FieldSet = frozenset(),
    reset: bool = False,
) -> Json:
    """Sets `new`'s managedFields for a write that is no apply; returns `new`.

    `old` is the stored object, None on create; `now` an RFC 3339 time; `ignored` what the endpoint resets
    (managed_fields.reset_fields). A write that changes nothing leaves the entries and their times as they are.
    `reset`: the request cleared the entries (asks_reset); one with entries of its own replaces the stored ones,
    subresources apart. An object that has lost all entries is not tracked any more until somebody applies it.
    """
    if reset:
        return write(new, {})
    entries = read(old) if manager.subresource else read(new) or read(old)
    if old is not None and not entries:
        return write(new, {})
    live = without_managed_fields(old) if old is not None else blank(new)
    updated = update(shape, live, without_managed_fields(new), entries, manager, now=now, ignored=ignored)
    return write(new, cap(strip(updated)))


def asks_reset(obj: Json) -> bool:
    """Whether a request's object, before it is decoded, clears the managed fields: `[]` or `[{}]`."""
    return (obj.get("metadata") or {}).get("managedFields") in ([], [{}])


def blank(obj: Json) -> Json:
    """What a create is compared with: the kind's empty object."""
    known = type_for(obj.get("apiVersion", ""), obj.get("kind", ""))
    empty: Json = {} if known is None else zero(known)
    return {**empty, "apiVersion": obj.get("apiVersion", ""), "kind": obj.get("kind", "")}


def update(
    shape: Shape, live: Json, new: Json, entries: Entries, manager: Manager, *, now: str, ignored: FieldSet
) -> Entries:
    """The entries after `live` became `new` by this manager's hand."""
    comparison = compare(shape, live, new)
    taken = without_below(frozenset(comparison.added | comparison.modified), ignored)
    removed = without_below(frozenset(comparison.removed), ignored)
    out: Entries = {}
    for key, entry in entries.items():
        fields = entry.fields - taken - removed
        if fields:
            out[key] = replace(entry, fields=fields)
    if taken - SERVER_OWNED:
        own = out.get(manager.key)
        out[manager.key] = Entry(manager, taken | (own.fields if own else frozenset()), now)
    return out
