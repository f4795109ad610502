"""Where the contract's absolute paths (`/mnt/data`, `/workspace/weights` …) lie on this machine.

In a container they are what they say. A process that stands in for a container gets `KAITO_CONTAINER_ROOT`, the folder
that plays the container's root, and every absolute path of the contract lies beneath it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT_VARIABLE: Final = "KAITO_CONTAINER_ROOT"
CACHE_VARIABLE: Final = "KAITO_RUNTIME_CACHE"

DATA: Final = "/mnt/data"
CONFIG: Final = "/mnt/config/training_config.yaml"
RESULTS: Final = "/mnt/results"
WEIGHTS: Final = "/workspace/weights"
DOCKER: Final = "/root/.docker"
ADAPTERS: Final = "/mnt/adapter"


def locate(path: str | Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the place of `path` on this machine.

    Relative paths, and absolute ones already beneath the container's root, stay as they are.
    """
    place = Path(path)
    root = environment.get(ROOT_VARIABLE)
    if not root or not place.is_absolute():
        return place
    base = Path(root)
    if place == base or base in place.parents:
        return place
    return base / place.relative_to("/")


def in_contract(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return `text` with the host's path of the container's root taken away: what a user of the container knows."""
    root = environment.get(ROOT_VARIABLE, "").rstrip("/")
    return text.replace(root + "/", "/") if root else text


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for things that can be made again (stand-in models); not created here.

    `KAITO_RUNTIME_CACHE`, else `$XDG_CACHE_HOME/kaito-runtime`, else `~/.cache/kaito-runtime`.
    """
    if named := environment.get(CACHE_VARIABLE):
        return Path(named)
    base = environment.get("XDG_CACHE_HOME")
    home = environment.get("HOME") or str(Path.home())
    return (Path(base) if base and Path(base).is_absolute() else Path(home) / ".cache") / "kaito-runtime"
