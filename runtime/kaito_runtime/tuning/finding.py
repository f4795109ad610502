"""Finding data files: which files there are, and of what kind each is."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaito_runtime.errors import BadConfig, BadData, NotFound

_KINDS: Final = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
}
_MAGIC: Final = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"))

_ABOUT_DATA: Final = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
"""Files that the datasets library writes beside its data."""


@dataclass(frozen=True)
class DataFile:
    """A file and how to read it: parquet, arrow, jsonl, json, csv or tsv."""

    path: Path
    kind: str


def find_files(places: Sequence[Path], *, extension: str | None = None) -> list[DataFile]:
    """Return the data files at `places`, folders searched through, in the order of their names.

    A file that is named itself must be readable as data; in a folder, files of other kinds are left alone, as are
    hidden ones and descriptions of data. extension overrides what the names say. Raises NotFound when a place does not
    exist, BadData when no data file is found.
    """
    kind = _extension_kind(extension) if extension else None
    found: list[DataFile] = []
    for place in places:
        if place.is_file():
            found.append(DataFile(place, kind or _kind_of(place) or _unknown(place)))
        elif place.is_dir():
            for path in sorted(_walk(place)):
                seen = kind or _kind_of(path)
                if seen:
                    found.append(DataFile(path, seen))
        else:
            raise NotFound(f"there is no data file or folder {place}")
    if not found:
        listed = ", ".join(str(place) for place in places)
        raise BadData(f"no data file under {listed}; looked for {', '.join(sorted(set(_KINDS.values())))}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(base) / name
            if not name.startswith(".") and name not in _ABOUT_DATA and path.is_file():
                yield path


def _extension_kind(extension: str) -> str:
    name = "." + extension.lower().lstrip(".")
    if name not in _KINDS:
        known = ", ".join(sorted(key[1:] for key in _KINDS))
        raise BadConfig(f"DatasetConfig.dataset_extension {extension!r} is not a known format; known are {known}")
    return _KINDS[name]


def _kind_of(path: Path) -> str | None:
    """Return the kind by the name's ending, else by the first bytes; None for something that is no data."""
    by_name = _KINDS.get(path.suffix.lower())
    if by_name:
        return by_name
    with path.open("rb") as file:
        head = file.read(64)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    start = head.lstrip()[:1]
    return {b"{": "jsonl", b"[": "json"}.get(start)


def _unknown(path: Path) -> str:
    raise BadData(f"{path} is not in a known data format (parquet, arrow, jsonl, json, csv)")
