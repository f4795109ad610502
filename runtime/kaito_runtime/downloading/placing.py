"""Putting a model's files into a directory."""

import os
import shutil
from pathlib import Path

from kaito_runtime.errors import BadData


def place_model(folder: Path, output: Path) -> int:
    """Put the files of the model in `folder` into `output`; return how many.

    Links within one file system, copies across; links into the hub's cache are followed. Each file appears whole.
    """
    output.mkdir(parents=True, exist_ok=True)
    sources = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    if not sources:
        raise BadData(f"the model folder {folder} holds no files")
    for source in sources:
        place = output / source.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and place.samefile(source):
            continue
        part = place.with_name(f".{place.name}.part")
        part.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), part)
        except OSError:
            shutil.copyfile(source, part)
        part.replace(place)
    return len(sources)


def _hidden(path: Path, folder: Path) -> bool:
    return any(name.startswith(".") for name in path.relative_to(folder).parts)
