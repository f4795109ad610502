"""Volumes in the root folder of a container: symlinks where a container runtime would bind."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kaito.embedded.kubelet.layout import PathEscapes, confined, resolved_beneath
from kaito.embedded.kubelet.variables import BadConfiguration, expand


@dataclass(frozen=True)
class Mount:
    """One place in a container's tree."""

    path: str
    """As the container's spec writes it, absolute and normalised."""
    link: Path
    """Where that is on this machine."""


@dataclass(frozen=True)
class ContainerTree:
    """The root folder of a container with its mounts, and how paths of the container map into it."""

    root: Path
    mounts: tuple[Mount, ...] = ()

    def locate(self, path: str) -> Path | None:
        """Where an absolute path of the container is on this machine.

        That is beneath the root for everything under a mount, and for what is there or could be made there: its parent
        folder exists in the container's own tree. None for other paths; they are the machine's own.
        """
        normalized = os.path.normpath(path)
        if not normalized.startswith("/") or normalized.startswith(str(self.root)):
            return None
        inside = confined(self.root, normalized)
        if any(_is_beneath(normalized, mount.path) for mount in self.mounts) or os.path.lexists(inside):
            return inside
        if inside.parent != self.root and inside.parent.is_dir():
            return inside
        return None

    def rewrite(self, text: str) -> str:
        """``text`` with every mount path in it replaced by where it really is.

        A path counts where it begins a word (a quote, ``=``, ``:`` or blank before it) and ends at a ``/`` or a word's
        end, so that ``/mnt/data`` is found in ``cd /mnt/data/x`` and not in ``/other/mnt/data`` or ``/mnt/database``.
        """
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: str(self.root) + match[0], text)

    @property
    def _pattern(self) -> re.Pattern[str] | None:
        paths = sorted((mount.path for mount in self.mounts), key=len, reverse=True)
        if not paths:
            return None
        return re.compile(rf"(?<![\w/.)}}~-])(?:{'|'.join(re.escape(path) for path in paths)})(?![\w.-])")


def _is_beneath(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def build_tree(
    root: Path,
    container: Mapping[str, Any],
    folders: Mapping[str, Path],
    variables: Mapping[str, str],
    *,
    files: Sequence[str] = (),
) -> ContainerTree:
    """Make the root folder of a container: its mounts, a ``/tmp`` and a home of its own, and empty ``files``.

    Raises `BadConfiguration` for a mount that cannot be made. Read-only mounts are not enforced: that takes rights
    that the kubelet does without (``docs/embedded.md``).
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "root", "dev"):
        (root / name).mkdir(exist_ok=True)
    mounts: list[Mount] = []
    wanted = sorted(container.get("volumeMounts") or (), key=lambda mount: len(PurePosixPath(mount["mountPath"]).parts))
    for mount in wanted:
        path = os.path.normpath("/" + mount["mountPath"].lstrip("/"))
        target = _target(mount, folders, variables)
        if path == "/":
            raise BadConfiguration("a volume cannot be mounted on the root folder of a container")
        try:
            link = confined(root, path)
        except PathEscapes as error:
            raise BadConfiguration(str(error)) from error
        _link(link, target)
        mounts.append(Mount(path, link))
    for name in files:
        file = confined(root, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        mounts.append(Mount(os.path.normpath(name), file))
    return ContainerTree(root, tuple(mounts))


def _target(mount: Mapping[str, Any], folders: Mapping[str, Path], variables: Mapping[str, str]) -> Path:
    name = mount["name"]
    if name not in folders:
        raise BadConfiguration(f'volumeMount "{name}" names no volume of the pod')
    folder = folders[name]
    sub = mount.get("subPath") or expand(mount.get("subPathExpr") or "", variables)
    if not sub:
        return folder
    try:
        target = resolved_beneath(folder, sub)
    except PathEscapes as error:
        raise BadConfiguration(f'failed to prepare subPath for volumeMount "{name}": {error}') from error
    if not target.exists():
        target.mkdir(parents=True, exist_ok=True)
    return target


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        if os.readlink(link) == str(target):
            return
        if not link.exists():
            # Left in a lasting volume by a pod that is gone.
            link.unlink()
            link.symlink_to(target)
            return
        raise BadConfiguration(
            f"mount path {link.name} inside another volume already shows a different volume; the process kubelet "
            "cannot show two containers different volumes there"
        )
    if link.is_dir():
        try:
            link.rmdir()
        except OSError as error:
            raise BadConfiguration(f"mount path inside another volume is not an empty folder: {link.name}") from error
    elif link.exists():
        link.unlink()
    link.symlink_to(target)
