"""Server-side apply (sigs.k8s.io/structured-merge-diff/merge)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.patching.checking import type_error
from kaito.embedded.apiserver.patching.comparing import compare, merge, remove_paths
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.field_sets import FieldSet, Path, field_set, printed, with_parents, without_below
from kaito.embedded.apiserver.patching.managed_fields import (
    UPDATE,
    Entries,
    Entry,
    Manager,
    read,
    strip,
    without_managed_fields,
    write,
)
from kaito.embedded.apiserver.patching.shapes import Shape
from kaito.embedded.apiserver.patching.tracking import blank, update

Json = dict[str, Any]
BEFORE_APPLY: Final = "before-first-apply"


class ApplyConflict(PatchError):
    """Fields are owned by others and differ. Status 409; `causes` hold one FieldManagerConflict per field."""

    def __init__(self, message: str, causes: list[Cause]) -> None:
        super().__init__(message, status=409, reason="Conflict")
        self.causes = causes


@dataclass(frozen=True, slots=True)
class Applied:
    """The object to store, managedFields set, and whether it differs from the stored one at all."""

    object: Json
    changed: bool


def apply(
    shape: Shape,
    live: Json | None,
    config: Json,
    manager: Manager,
    *,
    now: str,
    force: bool = False,
    ignored: FieldSet = frozenset(),
) -> Applied:
    """Applies a configuration. `live` is the stored object, None to create; arguments stay as they are.

    Raises PatchError: 400 when the configuration has managedFields, 500 when it does not fit the type, ApplyConflict
    when another manager owns a field that would change and `force` is not set.
    """
    if (config.get("metadata") or {}).get("managedFields"):
        raise PatchError("metadata.managedFields must be nil")
    config = without_managed_fields(config)
    if error := type_error(shape, config):
        raise PatchError(f"failed to create typed patch object ({_named(config)}): {error}", status=500, reason="")
    base = without_managed_fields(live) if live is not None else blank(config)
    entries = read(live)
    if live is not None and not entries:
        # Whoever wrote the object before it was tracked owns all of it.
        before = Manager(BEFORE_APPLY, UPDATE, manager.api_version, manager.subresource)
        entries = strip(update(shape, blank(config), base, {}, before, now=now, ignored=ignored))
    last = entries.get(manager.key)
    merged = merge(shape, base, config)
    claimed = without_below(field_set(shape, config), ignored)
    entries[manager.key] = Entry(manager, claimed, last.time if last else "")
    merged = _prune(shape, merged, entries, last)
    comparison = compare(shape, base, merged)
    touched = without_below(frozenset(comparison.added | comparison.modified), ignored)
    removed = without_below(frozenset(comparison.removed), ignored)
    conflicts = {
        key: entry.fields & touched for key, entry in entries.items() if key != manager.key and entry.fields & touched
    }
    if conflicts and not force:
        raise _conflict(entries, conflicts)
    kept: Entries = {}
    for key, entry in entries.items():
        fields = entry.fields if key == manager.key else entry.fields - conflicts.get(key, frozenset()) - removed
        if fields or key == manager.key:
            kept[key] = replace(entry, fields=fields)
    kept = strip(kept)
    # What this endpoint ignores counts here.
    changed_object = live is None or bool(comparison.added or comparison.modified or comparison.removed)
    own = kept.get(manager.key)
    if own is not None and changed_object:
        kept[manager.key] = replace(own, time=now)
    stored = write({**merged, "metadata": dict(merged.get("metadata") or {})}, kept)
    changed = live is None or changed_object or kept != strip(read(live))
    return Applied(stored, changed)


def _prune(shape: Shape, merged: Json, entries: Entries, last: Entry | None) -> Json:
    """Removes what this manager owned before, no longer claims, and nobody else owns.

    In the real server's three steps (merge.Updater.prune), each of which looks at what the one before has left: an
    empty list has no paths, so a map that is left with nothing else goes too, whoever owns the map.
    """
    if last is None or not last.fields:
        return merged
    owned_before = with_parents(shape, last.fields)
    present = with_parents(shape, field_set(shape, merged))
    owned: set[Path] = set()
    for entry in entries.values():
        owned |= with_parents(shape, entry.fields)

    def missing(pruned: Json) -> FieldSet:
        return present - with_parents(shape, field_set(shape, pruned))

    without_own = remove_paths(shape, merged, owned_before)
    with_owned: Json = remove_paths(shape, merged, missing(without_own) - owned)
    if with_owned is merged:
        return merged
    return dict(remove_paths(shape, merged, missing(with_owned) & owned_before))


def _conflict(entries: Entries, conflicts: dict[tuple[str, str, str, str], FieldSet]) -> ApplyConflict:
    found = [
        (_described(entries[key]), printed(path))
        for key in sorted(conflicts)
        for path in sorted(conflicts[key], key=_members_first)
    ]
    causes = [Cause(path, f"conflict with {who}", "FieldManagerConflict") for who, path in found]
    if len(found) == 1:
        return ApplyConflict(f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}", causes)
    groups: dict[str, list[str]] = {}
    for who, path in found:
        groups.setdefault(who, []).append(path)
    parts = [f"conflicts with {who}:\n" + "\n".join(f"- {p}" for p in paths) for who, paths in sorted(groups.items())]
    return ApplyConflict(f"Apply failed with {len(found)} conflicts: " + "\n".join(parts), causes)


def _members_first(path: Path) -> list[tuple[int, str]]:
    """The order of a set: at each level what is owned itself, then what is owned below."""
    last = len(path) - 1
    return [(int(depth < last), key) for depth, key in enumerate(path)]


def _described(entry: Entry) -> str:
    manager = entry.manager
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return f"{text} using {manager.api_version}" if manager.operation == UPDATE else text


def _named(config: Json) -> str:
    metadata, api_version = config.get("metadata") or {}, config.get("apiVersion", "")
    group, _, version = api_version.rpartition("/")
    namespace, own = (text if isinstance(text := metadata.get(key), str) else "" for key in ("namespace", "name"))
    name = f"{namespace}/{own}"
    return f"{name}; {group}/{version}, Kind={config.get('kind', '')}"
