"""Folders whose content the API gives (ConfigMap, Secret, tokens, downward API): files computed, then swapped in whole.

The layout is the kubelet's: ``..data`` is a symlink to a folder with a time in its name, and every visible entry is a
symlink through ``..data``, so that a reader sees either all of the old content or all of the new.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from kaito.embedded.kubelet.layout import remove_tree


class BadPayload(ValueError):
    """A file name that may not be projected."""


@dataclass(frozen=True)
class ProjectedFile:
    """Content and permissions of one file."""

    content: bytes
    mode: int = 0o644


Payload = Mapping[str, ProjectedFile]
"""Relative path -> file."""


def check_path(path: str) -> str:
    """``path`` when it may name a projected file; `BadPayload`. Source: the kubelet's validatePath."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise BadPayload(f"path {path!r} of a projected file must be relative and must not contain or start with '..'")
    return path


def selected(
    values: Mapping[str, bytes],
    items: Iterable[Mapping[str, object]] | None,
    default_mode: int,
    *,
    what: str,
    optional: bool = False,
) -> dict[str, ProjectedFile]:
    """Files for the keys of a ConfigMap or Secret: all of them, or the ``items`` with their paths and modes.

    Raises `BadPayload` for a key that is not there, unless ``optional``. ``what`` names the object in the message.
    """
    if items is None:
        return {check_path(key): ProjectedFile(value, default_mode) for key, value in values.items()}
    files: dict[str, ProjectedFile] = {}
    for item in items:
        key, path, mode = str(item["key"]), str(item["path"]), item.get("mode")
        if key not in values:
            if optional:
                continue
            raise BadPayload(f"{what} references non-existent key: {key}")
        files[check_path(path)] = ProjectedFile(values[key], mode if isinstance(mode, int) else default_mode)
    return files


def write_payload(folder: Path, payload: Payload, *, now: datetime) -> bool:
    """Make ``folder`` show exactly ``payload``; False when it already did."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "..data"
    if data.is_symlink() and _current(data) == {path: (file.content, file.mode) for path, file in payload.items()}:
        return False
    version = folder / f"..{now.strftime('%Y_%m_%d_%H_%M_%S')}.{secrets.randbelow(10**10)}"
    for path, file in payload.items():
        target = version / check_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    version.mkdir(exist_ok=True)
    previous = folder / os.readlink(data) if data.is_symlink() else None
    swap = folder / "..data_tmp"
    swap.unlink(missing_ok=True)
    swap.symlink_to(version.name)
    os.replace(swap, data)
    visible = {PurePosixPath(path).parts[0] for path in payload}
    for name in visible:
        link = folder / name
        if not link.is_symlink():
            remove_tree(link)
            link.symlink_to(f"..data/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in visible and _is_ours(entry):
            entry.unlink()
    if previous is not None and previous != version:
        remove_tree(previous)
    return True


def _is_ours(entry: Path) -> bool:
    """Whether an entry is one of our links, not a mount of another volume inside this one."""
    return entry.is_symlink() and os.readlink(entry).startswith("..data/")


def _current(data: Path) -> dict[str, tuple[bytes, int]]:
    root = data.resolve()
    return {
        str(file.relative_to(root)): (file.read_bytes(), file.stat().st_mode & 0o777)
        for file in root.rglob("*")
        if file.is_file()
    }
