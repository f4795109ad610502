"""From a model's name to a folder with its files: local folders, stand-ins, the mirror map, the hub."""

import os
from pathlib import Path
from typing import Final

from kaito_runtime.errors import BadData, NotFound
from kaito_runtime.paths import locate

TINY: Final = "tiny:"
"""Prefix of a reference to a stand-in: `tiny:phi3`."""


def resolve(reference: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> Path:
    """Return the folder that holds the files of `reference`.

    In this order: `tiny:<architecture>` (built on first use), a local folder, `smollm2`, a GGUF file or a package file
    with one inside (converted on first use), a repository that the mirror map names, a repository in the hub's cache,
    the hub itself (not with local_files_only). Raises NotFound, BadData, Refused or Unavailable in one sentence.
    """
    text = str(reference)
    if text.startswith(TINY):
        from kaito_runtime.models.building import stand_in

        return stand_in(text.removeprefix(TINY))
    folder = locate(text)
    if folder.is_dir():
        return folder
    if text == "smollm2":
        from kaito_runtime.models.gguf import smollm2

        return smollm2()
    if folder.suffix in (".gguf", ".whl") and folder.is_file():
        from kaito_runtime.models.gguf import import_gguf, import_wheel

        return import_gguf(folder) if folder.suffix == ".gguf" else import_wheel(folder)
    if folder.is_file():
        raise BadData(f"{folder} is a file, but neither GGUF nor a package with one; a model is a folder")
    if os.path.isabs(text) or text.startswith(".") or text.count("/") != 1:
        raise NotFound(f"there is no model at {folder}")
    from kaito_runtime.models.repositories import fetch_repository

    return fetch_repository(text, revision=revision, local_files_only=local_files_only)
