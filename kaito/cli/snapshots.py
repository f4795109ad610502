"""`kaito snapshot`: saving and restoring an embedded cluster's objects."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from pathlib import Path

from kaito.cli.exit_codes import EXIT_FAILED
from kaito.cli.interrupts import clean_up_on_interrupt
from kaito.cluster.base import ClusterError
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import hold


def save_command(folder: Path, name: str) -> int:
    """Write the cluster's objects into `folder`."""
    from kaito.embedded.apiserver.database import StoreError
    from kaito.embedded.apiserver.snapshot import SnapshotError, save
    from kaito.embedded.apiserver.store import Store

    clean_up_on_interrupt()
    try:
        cluster = ClusterFolder.named(name)
        if not cluster.database.exists():
            print(f"there is no embedded cluster {name!r} to save", file=sys.stderr)
            return EXIT_FAILED
        with tempfile.TemporaryDirectory() as copies:
            copied = Path(copies) / cluster.database.name
            _copy(cluster.database, copied)
            store = Store.open(str(copied))
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

    clean_up_on_interrupt()
    try:
        cluster = ClusterFolder.named(name)
        if cluster.database.exists():
            print(f"cluster {name} has a state already; delete it with: kaito down --purge", file=sys.stderr)
            return EXIT_FAILED
        with tempfile.TemporaryDirectory() as work:
            # Restored aside first: a folder that turns out to be no snapshot must not leave half a cluster behind.
            restored = Path(work) / cluster.database.name
            store = Store.open(str(restored))
            try:
                count = restore(store, folder)
            finally:
                store.close()
            with hold(cluster):
                arriving = cluster.database.with_suffix(".new")
                _copy(restored, arriving)
                os.replace(arriving, cluster.database)
    except (ClusterError, SnapshotError, StoreError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(f"{count} objects restored; start the cluster with: kaito up{'' if name == 'default' else f' --name {name}'}")
    return 0


def _copy(database: Path, target: Path) -> None:
    """A consistent copy of a store that a running cluster may be writing to."""
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
