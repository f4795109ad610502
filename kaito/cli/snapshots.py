"""`kaito snapshot`: saving and restoring an embedded cluster's objects."""

from __future__ import annotations

import sys
from pathlib import Path

from kaito.cli.main import EXIT_FAILED, EXIT_USAGE
from kaito.cluster.base import ClusterError
from kaito.cluster.daemon import hold
from kaito.cluster.folders import ClusterFolder


def save_command(folder: Path, name: str) -> int:
    """Write the cluster's objects into `folder`."""
    from kaito.embedded.apiserver.snapshot import save
    from kaito.embedded.apiserver.store import Store

    try:
        cluster = ClusterFolder.named(name)
        if not cluster.database.exists():
            print(f"there is no embedded cluster {name!r} to save", file=sys.stderr)
            return EXIT_FAILED
        if folder.exists() and any(folder.iterdir()):
            print(f"{folder} is not empty; name a new folder", file=sys.stderr)
            return EXIT_USAGE
        count = save(Store.open_readonly(cluster.database), folder)
    except (ClusterError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(f"{count} objects saved in {folder}")
    return 0


def restore_command(folder: Path, name: str) -> int:
    """Make `folder` the state of a cluster that has none."""
    from kaito.embedded.apiserver.snapshot import restore
    from kaito.embedded.apiserver.store import Store

    try:
        cluster = ClusterFolder.named(name)
        if cluster.database.exists():
            print(f"cluster {name} has a state already; delete it with: kaito down --purge", file=sys.stderr)
            return EXIT_FAILED
        with hold(cluster):
            store = Store.open(cluster.database)
            try:
                count = restore(store, folder)
            finally:
                store.close()
    except (ClusterError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(f"{count} objects restored; start the cluster with: kaito up{'' if name == 'default' else f' --name {name}'}")
    return 0
