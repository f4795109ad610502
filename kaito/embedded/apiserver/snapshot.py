"""A cluster as a directory of YAML, one file an object: `save` and `restore`.

Layout: `<group or "core">/<plural>/<name>.yaml` for cluster-scoped objects, with `<namespace>/` before the name
otherwise. Everything is kept as it is stored, uids and status included, so that a restored cluster goes on where the
saved one was; only resourceVersions are given anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import yaml

from kaito.embedded.apiserver.bodies import load_yaml
from kaito.embedded.apiserver.builtin_resources import builtin_resources
from kaito.embedded.apiserver.definitions import DEFINITIONS
from kaito.embedded.apiserver.store import Change, Object, ObjectKey, Store

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_COMMITTED_TOGETHER = 500
_SKIPPED = frozenset(("/events", "coordination.k8s.io/leases"))
"""What is stale the moment it is read back."""


class SnapshotError(Exception):
    """The folder cannot be read or written as a snapshot; one sentence, naming the file."""


def save(store: Store, folder: Path) -> int:
    """Writes every object; returns how many. Raises SnapshotError for a folder that is not empty."""
    if folder.exists() and any(folder.iterdir()):
        raise SnapshotError(f"{folder} is not empty: name a new folder for the snapshot")
    kinds = _kinds(store)
    count = 0
    for collection in store.collections():
        if collection.name in _SKIPPED:
            continue
        for entry in collection.entries():
            api_version, kind = kinds.get(collection.name, ("", ""))
            document = orjson.loads(orjson.dumps({"apiVersion": api_version, "kind": kind, **entry.object}))
            document["metadata"].pop("resourceVersion", None)
            path = folder / _path(collection.name, entry.key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))
            count += 1
    return count


def restore(store: Store, folder: Path) -> int:
    """Reads a snapshot into a store that holds nothing yet; returns how many objects. Nothing is written on errors.

    Raises SnapshotError for a folder that is no snapshot and for a store that is in use.
    """
    if any(len(collection) for collection in store.collections()):
        raise SnapshotError("the cluster is not empty: restore into a new one")
    if not folder.is_dir():
        raise SnapshotError(f"{folder} is no folder with a snapshot")
    changes = [_change(folder, path) for path in sorted(folder.rglob("*.yaml"))]
    if not changes:
        raise SnapshotError(f"{folder} holds no snapshot: there is not one .yaml file in it")
    # Definitions first: their objects make sense only after them.
    changes.sort(key=lambda change: change.collection != DEFINITIONS)
    for start in range(0, len(changes), _COMMITTED_TOGETHER):
        store.commit(changes[start : start + _COMMITTED_TOGETHER])
    return len(changes)


def _kinds(store: Store) -> dict[str, tuple[str, str]]:
    """The apiVersion and kind of each collection's objects."""
    found: dict[str, tuple[str, str]] = {}
    for resource in builtin_resources():
        if resource.conversion is None:
            found.setdefault(resource.collection, (resource.api_version, resource.kind.kind))
    for entry in store.collection(DEFINITIONS).entries():
        spec = entry.object["spec"]
        version = next(v["name"] for v in spec["versions"] if v.get("storage"))
        found[f"{spec['group']}/{spec['names']['plural']}"] = (f"{spec['group']}/{version}", spec["names"]["kind"])
    return found


def _path(collection: str, key: ObjectKey) -> Path:
    group, _, plural = collection.rpartition("/")
    # Names of RBAC objects may hold colons, which some file systems do not take.
    name = quote(key.name, safe="") + ".yaml"
    folder = Path(group or "core") / plural
    return folder / key.namespace / name if key.namespace else folder / name


def _change(root: Path, path: Path) -> Change:
    parts = path.relative_to(root).parts
    try:
        document: Object = load_yaml(path.read_bytes())
        metadata = document["metadata"]
        key = ObjectKey(metadata.get("namespace", ""), metadata["name"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise SnapshotError(f"{path} cannot be read as an object ({problem})") from None
    group = "" if parts[0] == "core" else parts[0]
    if len(parts) < 3 or not isinstance(document, dict) or _path(f"{group}/{parts[1]}", key) != Path(*parts):
        raise SnapshotError(f"{path} is not where its name and namespace belong")
    bare = {name: value for name, value in document.items() if name not in ("apiVersion", "kind")}
    return Change(f"{group}/{parts[1]}", key, bare)
