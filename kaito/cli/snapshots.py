"""`kaito snapshot`: saving and restoring an embedded cluster's objects."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

from kaito.cli.exit_codes import EXIT_FAILED
from kaito.cluster.base import ClusterError
from kaito.cluster.daemon import hold
from kaito.cluster.folders import ClusterFolder


def save_command(folder: Path, name: str) -> int:
    """Write the cluster's objects into `folder`."""
    from kaito.embedded.apiserver.database import StoreError
    from kaito.embedded.apiserver.snapshot import SnapshotError, save
    from kaito.embedded.apiserver.store import Store

    try:
        cluster = ClusterFolder.named(name)
        if not cluster.database.exists():
            print(f"there is no embedded cluster {name!r} to save", file=sys.stderr)
            return EXIT_FAILED
        with tempfile.TemporaryDirectory() as copies:
            store = Store.open(str(_copy(cluster.database, Path(copies))))
            try:
                count = save(store, folder)
            finally:
                store.close()
    except (SnapshotError, StoreError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(f"{count} objects saved in {folder}")
    return 0


def restore_command(folder: Path, name: str) -> int:
    """Make `folder` the state of a cluster that has none."""
    from kaito.embedded.apiserver.database import StoreError
    from kaito.embedded.apiserver.snapshot import SnapshotError, restore
    from kaito.embedded.apiserver.store import Store

    try:
        cluster = ClusterFolder.named(name)
        if cluster.database.exists():
            print(f"cluster {name} has a state already; delete it with: kaito down --purge", file=sys.stderr)
            return EXIT_FAILED
        with hold(cluster):
            store = Store.open(str(cluster.database))
            try:
                count = restore(store, folder)
            finally:
                store.close()
    except (ClusterError, SnapshotError, StoreError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(f"{count} objects restored; start the cluster with: kaito up{'' if name == 'default' else f' --name {name}'}")
    return 0


def _copy(database: Path, folder: Path) -> Path:
    """A consistent copy of a store that a running cluster may be writing to."""
    target = folder / database.name
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    return target
