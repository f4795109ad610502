"""`kaito snapshot`: saving and restoring an embedded cluster's objects."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from kaito.cli.exit_codes import EXIT_FAILED, EXIT_USAGE
from kaito.cli.interrupts import clean_up_on_interrupt
from kaito.cluster.base import ClusterError
from kaito.cluster.daemon import name_option
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import hold


def save_command(folder: Path, name: str) -> int:
    """Write the cluster's objects into `folder`."""
    from kaito.embedded.apiserver.snapshot import save
    from kaito.embedded.apiserver.store import Store

    def work(cluster: ClusterFolder) -> str:
        if cluster.tier == "envtest":
            raise ClusterError(f"cluster {name} was made with --cluster envtest; only embedded clusters can be saved")
        if cluster.tier is None:
            raise ClusterError(f"there is no cluster {name} to save")
        with tempfile.TemporaryDirectory() as copies:
            copied = Path(copies) / cluster.database.name
            _copy(cluster.database, copied)
            store = Store.open(str(copied))
            try:
                count = save(store, folder)
            finally:
                store.close()
        return f"{count} objects saved in {folder}"

    return _report(work, name)


def restore_command(folder: Path, name: str) -> int:
    """Make `folder` the state of a cluster that has none."""
    from kaito.embedded.apiserver.snapshot import restore
    from kaito.embedded.apiserver.store import Store

    def work(cluster: ClusterFolder) -> str:
        if cluster.tier is not None:
            raise ClusterError(
                f"cluster {name} has a state already; delete it with: kaito down{name_option(name)} --purge"
            )
        with tempfile.TemporaryDirectory() as aside:
            # Restored aside first: a folder that turns out to be no snapshot must not leave half a cluster behind.
            restored = Path(aside) / cluster.database.name
            store = Store.open(str(restored))
            try:
                count = restore(store, folder)
            finally:
                store.close()
            with hold(cluster):
                arriving = cluster.database.with_suffix(".new")
                _copy(restored, arriving)
                os.replace(arriving, cluster.database)
        return f"{count} objects restored; start the cluster with: kaito up{name_option(name)}"

    return _report(work, name)


def _report(work: Callable[[ClusterFolder], str], name: str) -> int:
    """Do the work on the named cluster's folder; print what it says, or why it failed, and return the exit code."""
    from kaito.embedded.apiserver.database import StoreError
    from kaito.embedded.apiserver.snapshot import SnapshotError

    try:
        cluster = ClusterFolder.named(name)
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    clean_up_on_interrupt()
    try:
        print(work(cluster))
    except (ClusterError, SnapshotError, StoreError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
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
