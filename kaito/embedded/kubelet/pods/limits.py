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
    limits = {r.name: text for r in records if (text := (r.resources.get("limits") or {}).get("ephemeral-storage"))}
    if not limits:
        return limited, None
    used = {r.name: tree_size(r.run.layout.folder) for r in records if r.run is not None}
    for volume in pod["spec"].get("volumes") or ():
        source = volume.get("emptyDir")
        if source is not None and source.get("medium") != "Memory" and volume["name"] in folders:
            used[f"volume {volume['name']}"] = tree_size(folders[volume["name"]])
    total = sum(parse_quantity(text) for text in limits.values())
    if sum(used.values()) > total:
        shown = next(iter(limits.values())) if len(limits) == 1 else _binary(int(total))
        return True, f"Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "
    for name, text in limits.items():
        if used.get(name, 0) > parse_quantity(text):
            return True, f'Container {name} exceeded its local ephemeral storage limit "{text}". '
    return True, None


def _binary(amount: int) -> str:
    """An amount of bytes as a quantity with the largest binary suffix that leaves a whole number."""
    for power, suffix in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if amount % 1024**power == 0:
            return f"{amount // 1024**power}{suffix}"
    return str(amount)


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
