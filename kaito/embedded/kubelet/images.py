"""The image table: which local program stands for which container image.

The process kubelet pulls nothing. An image is *had* when the table maps its reference to programs of this machine; any
other image is an honest ``ErrImagePull`` whose message names the image and the file to extend.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml

DEFAULT_TABLE = Path(__file__).with_name("images.yaml")

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"^(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?$"
)


class InvalidImageName(ValueError):
    """A reference that is not one; the message says what is expected."""


class ImageTableError(ValueError):
    """An image table file that cannot be used: one sentence with file, entry and what to do."""


@dataclass(frozen=True)
class ImageReference:
    """A parsed image reference, with Docker's defaults filled in."""

    host: str
    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Parse ``[host/]path[:tag][@digest]``; `InvalidImageName` when it is none.

        Source of the defaults (``docker.io``, ``library/``, ``latest``): distribution/reference ParseNormalizedNamed.
        """
        refusal = (
            f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": invalid reference format'
        )
        head, slash, rest = text.partition("/")
        is_host = bool(slash) and ("." in head or ":" in head or head == "localhost" or head.lower() != head)
        name = (rest if is_host else text if slash else f"library/{text}").partition(":")[0]
        if name.lower() != name:
            raise InvalidImageName(f"{refusal}: repository name ({name}) must be lowercase")
        match = _REFERENCE.match(text)
        if not match or len(text) > 511:
            raise InvalidImageName(refusal)
        host, path = match["host"] or "", match["path"]
        if host and not is_host:
            host, path = "", f"{host}/{path}"
        if not host or host == "index.docker.io":
            host = "docker.io"
        if host == "docker.io" and "/" not in path:
            path = f"library/{path}"
        return cls(host, path, match["tag"] or ("" if match["digest"] else "latest"), match["digest"] or "")

    @property
    def name(self) -> str:
        """Host and repository without tag."""
        return f"{self.host}/{self.repository}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Image:
    """How containers of an image are run on this machine."""

    match: tuple[str, ...]
    """Globs of references. A glob without tag means any tag; ``docker.io/`` and ``library/`` may be left out."""
    description: str
    """What the image is and what runs instead, for people."""
    path: tuple[str, ...] = ()
    """Folders put before the system's on PATH; ``{python}`` is the folder of the running Python's programs,
    ``{table}`` the folder of the table file."""
    entrypoint: tuple[str, ...] = ()
    """The image's ENTRYPOINT; a container's ``command`` replaces it."""
    command: tuple[str, ...] = ()
    """The image's CMD; a container's ``args`` replace it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The image's environment."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Programs that the image has and this machine lacks: name -> shell script; first on PATH."""
    requires: str = ""
    """A program that must be found on the resulting PATH for the image to be had."""
    paths: Literal["native", "rewritten"] = "rewritten"
    """``native``: the program resolves contract paths beneath ``KAITO_CONTAINER_ROOT`` itself. ``rewritten``: the
    kubelet replaces the container's mount paths in arguments and environment by where they really are."""

    def search_path(self, system_path: str) -> str:
        """The PATH of its containers."""
        return ":".join((*self.path, system_path)) if self.path else system_path

    def argv(self, command: Iterable[str] | None, args: Iterable[str] | None) -> list[str]:
        """What a container with this ``command`` and ``args`` runs: Docker's rule."""
        if command:
            return [*command, *(args or ())]
        return [*self.entrypoint, *(args or self.command)]


@dataclass(frozen=True)
class ImageTable:
    """The entries in the order in which they are tried, and the files they came from."""

    images: tuple[Image, ...]
    files: tuple[Path, ...]

    @classmethod
    def load(cls, *extra: Path) -> ImageTable:
        """The shipped table, extended by ``extra`` files whose entries are tried first. `ImageTableError`."""
        files = (*extra, DEFAULT_TABLE)
        return cls(tuple(image for file in files for image in _read(file)), files)

    def find(self, reference: str) -> Image | None:
        """The first entry that matches; None when the table has none. `InvalidImageName` for a bad reference."""
        parsed = ImageReference.parse(reference)
        return next((image for image in self.images if any(_matches(glob, parsed) for glob in image.match)), None)

    def missing_program(self, image: Image, system_path: str) -> str | None:
        """The program that `image` requires and this machine lacks, or None."""
        if not image.requires or shutil.which(image.requires, path=image.search_path(system_path)):
            return None
        return image.requires

    def advice(self, reference: str) -> str:
        """The sentence for an image that the table does not know."""
        file = self.files[0]
        return (
            f'no entry of the image table matches "{reference}": the process kubelet runs local programs instead of '
            f"pulling images; add an entry with the program to run to {file}"
        )


def _matches(glob: str, reference: ImageReference) -> bool:
    name, separator, tag = glob.rpartition(":")
    if not separator or "/" in tag:
        name, tag = glob, "*"
    if not fnmatchcase(reference.tag or reference.digest, tag):
        return False
    names = [reference.name]
    if reference.host == "docker.io":
        names.append(reference.repository)
        names.append(reference.repository.removeprefix("library/"))
    return any(fnmatchcase(candidate, name) for candidate in names)


_KEYS = {"match", "description", "path", "entrypoint", "command", "env", "programs", "requires", "paths"}


def _read(file: Path) -> list[Image]:
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise ImageTableError(f"image table {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ImageTableError(f"image table {file} is not YAML: it is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ImageTableError(f"image table {file}{where} is not YAML: {getattr(error, 'problem', error)}") from error
    if content is None:
        return []
    if not isinstance(content, dict) or set(content) - {"images"} or not isinstance(content.get("images"), list):
        raise ImageTableError(f"image table {file}: expected one key `images` with a list of entries")
    return [_entry(file, number, entry) for number, entry in enumerate(content["images"])]


def _entry(file: Path, number: int, entry: Any) -> Image:
    where = f"image table {file}: images[{number}]"
    if not isinstance(entry, dict):
        raise ImageTableError(f"{where} must be a mapping with at least `match`")
    if unknown := set(entry) - _KEYS:
        raise ImageTableError(f"{where}: unknown key {sorted(unknown)[0]!r}; known are {', '.join(sorted(_KEYS))}")
    match = _strings(where, entry, "match")
    if not match:
        raise ImageTableError(f"{where}: `match` must name at least one image")
    env, programs = entry.get("env") or {}, entry.get("programs") or {}
    if not isinstance(env, dict):
        raise ImageTableError(f"{where}: `env` must be a mapping")
    if not isinstance(programs, dict) or any("/" in str(name) for name in programs):
        raise ImageTableError(f"{where}: `programs` must map names of programs to shell scripts")
    paths = entry.get("paths", "rewritten")
    if paths not in ("native", "rewritten"):
        raise ImageTableError(f"{where}: `paths` must be native or rewritten")
    folders = {"python": str(Path(sys.executable).parent), "table": str(file.resolve().parent)}
    return Image(
        match=match,
        description=str(entry.get("description") or ""),
        path=tuple(_filled(text, folders) for text in _strings(where, entry, "path")),
        entrypoint=tuple(_filled(text, folders) for text in _strings(where, entry, "entrypoint")),
        command=tuple(_filled(text, folders) for text in _strings(where, entry, "command")),
        env={str(name): str(value) for name, value in env.items()},
        programs={str(name): _filled(str(text), folders) for name, text in programs.items()},
        requires=str(entry.get("requires") or ""),
        paths=paths,
    )


def _filled(text: str, folders: Mapping[str, str]) -> str:
    for name, folder in folders.items():
        text = text.replace(f"{{{name}}}", folder)
    return text


def _strings(where: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ImageTableError(f"{where}: `{key}` must be a string or a list of strings")
    return tuple(value)
