"""Unpacking the `/data` folder of an image from its layers, and nothing that leads out of it."""

import contextlib
import gzip
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kaito_runtime.errors import BadData

FOLDER: Final = "data"
"""The folder of an image that holds adapter or data."""

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


def unpack_layer(layer: Path, root: Path, *, name: str) -> None:
    """Apply the part of `layer` that concerns `/data` to the folder `root`, which stands for `/data`.

    Whiteouts remove what lower layers brought. Files, folders and links within `/data` are made; devices are left out;
    owner and special modes are dropped. name: the image, for messages. Raises BadData for entries that lead out of the
    folder and for archives that cannot be read.
    """
    try:
        with _opened(layer) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            fresh: set[str] = set()
            for entry in archive:
                path = _inside(entry.name, name)
                if path is not None:
                    _apply(archive, entry, path, root, fresh, name)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadData(f"{name}: a layer is not a readable archive: {error}") from error


@contextlib.contextmanager
def _opened(layer: Path) -> Iterator[Any]:
    """Yield the layer's tar stream: gzip, zstd or plain, by its first bytes."""
    with layer.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(file) as stream:
                yield stream
        elif head == b"\x28\xb5\x2f\xfd":
            import pyarrow

            with pyarrow.input_stream(file, compression="zstd") as stream:
                yield stream
        else:
            yield file


def _inside(entry: str, name: str) -> str | None:
    """Return the path of an entry beneath `/data` ('' for the folder itself), or None for one elsewhere."""
    parts = [part for part in entry.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadData(f"{name}: a layer names {entry!r}, which leads out of the image")
    if not parts or parts[0] != FOLDER:
        return "" if parts == [_WHITEOUT + FOLDER] or parts == [_OPAQUE] else None
    return "/".join(parts[1:])


def _apply(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str, root: Path, fresh: set[str], name: str) -> None:
    base = posixpath.basename(entry.name)
    if base in (_OPAQUE, _WHITEOUT + FOLDER) and path in ("", _OPAQUE):
        _empty(root, fresh, "")
        return
    if base == _OPAQUE:
        _empty(_place(root, posixpath.dirname(path), name), fresh, posixpath.dirname(path))
        return
    if base.startswith(_WHITEOUT):
        hidden = posixpath.join(posixpath.dirname(path), base.removeprefix(_WHITEOUT))
        if hidden not in fresh:
            _remove(_place(root, hidden, name))
        return
    if path == "":
        if not entry.isdir():
            raise BadData(f"{name}: /{FOLDER} is not a folder in this image")
        root.mkdir(parents=True, exist_ok=True)
        return
    place = _place(root, path, name)
    fresh.add(path)
    if entry.isdir():
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            _remove(place)
        place.mkdir(parents=True, exist_ok=True)
        return
    if not (entry.isfile() or entry.issym() or entry.islnk()):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    _remove(place)
    if entry.issym():
        _link(entry, path, place, name)
    elif entry.islnk():
        target = _inside(entry.linkname, name)
        source = _place(root, target, name) if target else None
        if source is None or not source.is_file():
            raise BadData(f"{name}: {entry.name!r} is a hard link to {entry.linkname!r}, which is not in /{FOLDER}")
        shutil.copyfile(source, place)
    else:
        content = archive.extractfile(entry)
        with place.open("wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file)
        place.chmod(0o755 if entry.mode & 0o100 else 0o644)


def _link(entry: tarfile.TarInfo, path: str, place: Path, name: str) -> None:
    """Make a symbolic link whose target is relative and within `/data`."""
    target = entry.linkname
    if target.startswith("/"):
        inner = _inside(target, name)
        reached = inner if inner is not None else ".."
    else:
        reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if reached == ".." or reached.startswith("../"):
        raise BadData(f"{name}: {entry.name!r} is a link to {target!r}, which leads out of /{FOLDER}")
    place.symlink_to(posixpath.relpath(reached or ".", posixpath.dirname(path) or "."))


def _place(root: Path, path: str, name: str) -> Path:
    """Return the place of `path`, none of whose parent folders is a link that an earlier entry made."""
    place = root
    for part in path.split("/")[:-1] if path else []:
        place = place / part
        if place.is_symlink():
            raise BadData(f"{name}: {path!r} lies behind a link")
    return root / path if path else root


def _empty(folder: Path, fresh: set[str], path: str) -> None:
    """Remove what lower layers put into `folder`; what this layer brought stays."""
    if not folder.is_dir():
        return
    for child in list(folder.iterdir()):
        inner = f"{path}/{child.name}".lstrip("/")
        if inner not in fresh and not any(kept.startswith(inner + "/") for kept in fresh):
            _remove(child)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
