"""Where everything of a pod lies on disk, and the one way to join a path that somebody else wrote."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


class PathEscapes(ValueError):
    """A path that would leave the folder it belongs to."""


def confined(root: Path, path: str) -> Path:
    """``path`` beneath ``root``, absolute or relative alike; `PathEscapes` when it climbs out by ``..``.

    Symlinks are not followed here: see `resolved_beneath`.
    """
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "//", ".")]
    if ".." in parts:
        raise PathEscapes(f"path {path!r} must not contain '..'")
    if "\0" in path:
        raise PathEscapes(f"path {path!r} contains a NUL character")
    return root.joinpath(*parts)


def resolved_beneath(root: Path, path: str) -> Path:
    """As `confined`, and the place that symlinks lead to is beneath ``root`` too."""
    joined = confined(root, path)
    base = root.resolve()
    target = joined.resolve()
    if target != base and base not in target.parents:
        raise PathEscapes(f"path {path!r} leads out of its volume")
    return joined


def remove_tree(path: Path) -> None:
    """Remove a folder with all below it; symlinks are removed, never followed. Nothing when it is not there."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class ContainerLayout:
    """Folders of one run of one container."""

    folder: Path

    @property
    def root(self) -> Path:
        """What the container sees as ``/``."""
        return self.folder / "root"

    @property
    def programs(self) -> Path:
        """Programs of its image that are scripts of the image table."""
        return self.folder / "programs"

    @property
    def log(self) -> Path:
        """Its log."""
        return self.folder / "output.log"


@dataclass(frozen=True)
class PodLayout:
    """Folders of one pod."""

    folder: Path

    def volume(self, name: str) -> Path:
        """The folder of a volume that lives and dies with the pod."""
        return self.folder / "volumes" / name

    def container(self, name: str, run: int) -> ContainerLayout:
        """The folders of the ``run``-th run of a container, counted from 0."""
        return ContainerLayout(self.folder / "containers" / name / str(run))

    def forget_runs_before(self, name: str, run: int) -> None:
        """Remove older runs than ``run``; the one before the current is kept for ``logs --previous``."""
        parent = self.folder / "containers" / name
        if not parent.is_dir():
            return
        for entry in parent.iterdir():
            if entry.name.isdigit() and int(entry.name) < run:
                remove_tree(entry)

    def remove_volumes(self) -> None:
        """Remove what only running containers need: volumes and root folders. Logs stay."""
        remove_tree(self.folder / "volumes")
        for root in self.folder.glob("containers/*/*/root"):
            remove_tree(root)

    def remove(self) -> None:
        """Remove all of it."""
        remove_tree(self.folder)


@dataclass(frozen=True)
class KubeletLayout:
    """The kubelet's folder."""

    root: Path

    @property
    def pods(self) -> Path:
        """The parent of all pods' folders, which are named by uid."""
        return self.root / "pods"

    def pod(self, uid: str) -> PodLayout:
        """The folders of a pod."""
        return PodLayout(confined(self.pods, uid))
