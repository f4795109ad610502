"""Model repositories by name: the mirror map first, then the hub's cache, then the hub."""

import functools
import json
import os
from pathlib import Path
from typing import Final

from kaito_runtime.errors import NotFound, Refused, Unavailable
from kaito_runtime.mirrors import load_mirrors, mirrored_path

_MODEL_FILES: Final = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py")
"""What a model needs; repositories often hold the same weights in other formats too."""
_WEIGHTS: Final = "model.safetensors"


def fetch_repository(name: str, *, revision: str | None = None, local_files_only: bool = False) -> Path:
    """Return a folder with the files of repository `owner/name` at `revision` (default: the main branch).

    local_files_only: do not ask the hub. `HF_TOKEN` is used by the hub client and never shown. Raises NotFound, Refused
    or Unavailable.
    """
    mirrored = load_mirrors().find_repository(name)
    if mirrored is not None:
        return _mirrored_folder(name, mirrored)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import huggingface_hub
    from huggingface_hub import errors

    fetch = functools.partial(
        huggingface_hub.snapshot_download, name, revision=revision, allow_patterns=list(_MODEL_FILES)
    )
    try:
        cached = Path(fetch(local_files_only=True))
        if _is_whole(cached):
            return cached
    except errors.LocalEntryNotFoundError:
        pass
    if local_files_only:
        raise NotFound(f"{name} is not in the hub's cache, and the hub is not asked (local_files_only)")
    try:
        return Path(fetch())
    except (errors.GatedRepoError, errors.DisabledRepoError) as error:
        raise Refused(f"the hub refuses {name}: accept its licence there and set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise NotFound(f"{name} has no revision {revision!r} on the hub") from error
    except errors.RepositoryNotFoundError as error:
        raise NotFound(f"the hub has no repository {name}, or HF_TOKEN has no access to it") from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        raise Unavailable(
            f"{name} is neither in the hub's cache nor in the mirror map, and the hub cannot be reached"
        ) from error


def _is_whole(folder: Path) -> bool:
    """Whether the hub's cache holds all of a model: a download that was broken off leaves a folder with a part."""
    index = folder / f"{_WEIGHTS}.index.json"
    try:
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except FileNotFoundError:
        parts = {_WEIGHTS}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return all((folder / part).is_file() for part in {"config.json", *map(str, parts)})


def _mirrored_folder(name: str, address: str) -> Path:
    if address.startswith("tiny:"):
        from kaito_runtime.models.building import stand_in

        return stand_in(address.removeprefix("tiny:"))
    folder = mirrored_path(address)
    if folder is None:
        raise NotFound(f"the mirror map leads {name} to {address}; a repository needs a folder or tiny:<architecture>")
    if not folder.is_dir():
        raise NotFound(f"the mirror map leads {name} to {folder}, which is not a folder")
    return folder
