"""Local storage that a pod may use, and what is too much."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kaito.embedded.kubelet.pods.records import ContainerRecord
from kaito.kube.quantities import parse_quantity


def exceeded(
    pod: Mapping[str, Any], folders: Mapping[str, Path], records: Sequence[ContainerRecord]
) -> tuple[bool, str | None]:
    """Whether the pod has any limit on local storage, and the eviction message when one is exceeded.

    Source of the messages: pkg/kubelet/eviction/eviction_manager.go.
    """
    limited = False
    for volume in pod["spec"].get("volumes") or ():
        limit = (volume.get("emptyDir") or {}).get("sizeLimit")
        if limit is None or parse_quantity(limit) == 0 or volume["name"] not in folders:
            continue
        limited = True
        if tree_size(folders[volume["name"]]) > parse_quantity(limit):
            return True, f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
    for record in records:
        limit = ((record.spec.get("resources") or {}).get("limits") or {}).get("ephemeral-storage")
        if limit is None:
            continue
        limited = True
        if record.run is not None and tree_size(record.run.layout.folder) > parse_quantity(limit):
            return True, f'Container {record.name} exceeded its local ephemeral storage limit "{limit}". '
    return limited, None


def tree_size(folder: Path) -> int:
    """Bytes that the files below a folder take; symlinks are not followed."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total
