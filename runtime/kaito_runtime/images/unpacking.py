"""Unpacking the `/data` folder of an image from its layers, and nothing that leads out of it."""

import contextlib
import errno
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

SMALL: Final = 1 << 30
"""Bytes that any layer may unpack to."""
RATIO: Final = 200
"""How many times its size a larger layer may unpack to; text seldom passes 20, a bomb reaches 1000."""
_IMPOSSIBLE: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOTEMPTY})
"""What an archive leads to whose names exclude each other."""
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


class Allowance:
    """How many bytes may come out of an image, and be written because of it, before it counts as a bomb."""

    def __init__(self, size: int) -> None:
        """`size`: of all its layers together, as they are."""
        self._most = max(SMALL, RATIO * size)
        self._read = self._written = 0

    def read(self, size: int) -> None:
        """Note that `size` bytes were unpacked. Raises BadData where that makes too many."""
        self._read += size
        self._check(self._read)

    def write(self, size: int) -> None:
        """Note that `size` bytes will be written: sparse files and copies of links are larger than what was read."""
        self._written += size
        self._check(self._written)

    def _check(self, size: int) -> None:
        if size > self._most:
            raise BadData(f"it unpacks to more than {self._most} bytes, out of all proportion to its size")


def unpack_layer(layer: Path, root: Path, *, name: str, allowance: Allowance | None = None) -> None:
    """Apply the part of `layer` that concerns `/data` to the folder `root`, which stands for `/data`.

    Whiteouts remove what lower layers brought. Files, folders and links within `/data` are made; devices are left out;
    owner and special modes are dropped. name: the image, for messages. allowance: of the whole image; None: this
    layer is all of it. Raises BadData for entries that lead out of the folder or cannot be made, for archives that
    cannot be read, and for those that grow out of all proportion.
    """
    allowance = allowance or Allowance(layer.stat().st_size)
    try:
        with _opened(layer) as stream:
            counted: Any = _Counted(stream, allowance)
            with tarfile.open(fileobj=counted, mode="r|") as archive:
                fresh: set[str] = set()
                for entry in archive:
                    path = _inside(entry.name)
                    if path is not None:
                        _apply(archive, entry, path, root, fresh, allowance)
    except BadData as error:
        raise BadData(f"{name}: {error}") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadData(f"{name}: a layer is not a readable archive: {error}") from error
    except OSError as error:
        if error.errno is None:  # pyarrow's, about a broken stream
            raise BadData(f"{name}: a layer is not a readable archive: {error}") from error
        if error.errno not in _IMPOSSIBLE:
            raise
        raise BadData(f"{name}: a layer holds a file that cannot be made: {error.strerror}") from error


class _Counted:
    """A stream whose bytes an allowance counts."""

    def __init__(self, stream: Any, allowance: Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, size: int) -> bytes:
        content: bytes = self._stream.read(size)
        self._allowance.read(len(content))
        return content


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


def _inside(entry: str) -> str | None:
    """Return the path of an entry beneath `/data` ('' for the folder itself), or None for one elsewhere."""
    parts = [part for part in entry.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadData(f"a layer names {entry!r}, which leads out of the image")
    if not parts or parts[0] != FOLDER:
        return "" if parts == [_WHITEOUT + FOLDER] or parts == [_OPAQUE] else None
    if "\0" in entry:
        raise BadData(f"a layer names {entry!r}, which is no name of a file")
    return "/".join(parts[1:])


def _apply(
    archive: tarfile.TarFile,
    entry: tarfile.TarInfo,
    path: str,
    root: Path,
    fresh: set[str],
    allowance: Allowance,
) -> None:
    base = posixpath.basename(entry.name)
    if base in (_OPAQUE, _WHITEOUT + FOLDER) and path in ("", _OPAQUE):
        _empty(root, fresh, "")
        return
    if base == _OPAQUE:
        _empty(_place(root, posixpath.dirname(path)), fresh, posixpath.dirname(path))
        return
    if base.startswith(_WHITEOUT):
        gone = base.removeprefix(_WHITEOUT)
        if gone in ("", ".", ".."):
            raise BadData(f"a layer names {entry.name!r}, which hides no file")
        hidden = posixpath.join(posixpath.dirname(path), gone)
        if hidden not in fresh:
            _remove(_place(root, hidden))
        return
    if path == "":
        if not entry.isdir():
            raise BadData(f"/{FOLDER} is not a folder in this image")
        root.mkdir(parents=True, exist_ok=True)
        return
    place = _place(root, path)
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
        _link(entry, path, place)
    elif entry.islnk():
        target = _inside(entry.linkname)
        source = _place(root, target) if target else None
        if source is None or not source.is_file():
            raise BadData(f"{entry.name!r} is a hard link to {entry.linkname!r}, which is not in /{FOLDER}")
        allowance.write(source.stat().st_size)
        shutil.copyfile(source, place)
    else:
        allowance.write(entry.size)
        content = archive.extractfile(entry)
        with place.open("wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file)
        place.chmod(0o755 if entry.mode & 0o100 else 0o644)


def _link(entry: tarfile.TarInfo, path: str, place: Path) -> None:
    """Make a symbolic link whose target is relative and within `/data`."""
    target = entry.linkname
    if target.startswith("/"):
        inner = _inside(target)
        reached = inner if inner is not None else ".."
    else:
        reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if reached == ".." or reached.startswith("../"):
        raise BadData(f"{entry.name!r} is a link to {target!r}, which leads out of /{FOLDER}")
    place.symlink_to(posixpath.relpath(reached or ".", posixpath.dirname(path) or "."))


def _place(root: Path, path: str) -> Path:
    """Return the place of `path`, none of whose parent folders is a link that an earlier entry made."""
    place = root
    for part in path.split("/")[:-1] if path else []:
        place = place / part
        if place.is_symlink():
            raise BadData(f"{path!r} lies behind a link")
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
