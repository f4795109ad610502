"""Which adapters to serve and how strong: flags, the adapters folder, the environment. Imports no torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kaito_runtime.errors import BadConfig, BadData, NotFound, UsageFailure
from kaito_runtime.paths import locate

log = logging.getLogger(__name__)

STRENGTHS_VARIABLE = "KAITO_ADAPTER_STRENGTHS"
"""A JSON object, adapter name to strength. Kaito's own carrier, one variable per adapter name, loses names with
dashes in dash."""

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILES = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True, kw_only=True)
class AdapterSource:
    """An adapter to load: its name in requests, its folder, its strength (0 to 1, which is as trained)."""

    name: str
    folder: Path
    strength: float = 1.0


def gather(flags: Iterable[str], folder: Path | None, environment: Mapping[str, str]) -> list[AdapterSource]:
    """The adapters of `--adapter` flags (`NAME=DIR[@STRENGTH]`) and of every sub-folder of `folder` that is one, in
    that order.

    Strengths: the flag's, else the one in `KAITO_ADAPTER_STRENGTHS`, else that of the environment variable of the
    adapter's name, else 1. A missing `folder` means no adapters. Raises `UsageFailure`, `BadConfig`, `BadData`
    and `NotFound`.
    """
    listed = _listed_strengths(environment)
    sources: dict[str, AdapterSource] = {}
    for flag in flags:
        source = _from_flag(flag, listed, environment)
        if source.name in sources:
            raise UsageFailure(f"--adapter {flag}: the name {source.name} is given twice")
        sources[source.name] = source
    for found in _in_folder(folder):
        if found.name not in sources:
            place = _adapter_in(found)
            assert place is not None
            strength = _strength(found.name, listed, environment)
            sources[found.name] = AdapterSource(name=found.name, folder=place, strength=strength)
    for source in sources.values():
        if not any((source.folder / file).is_file() for file in WEIGHTS_FILES):
            raise BadData(f"Adapter {source.name}: {source.folder / WEIGHTS_FILES[0]} does not exist")
    for name in listed:
        if name not in sources:
            log.warning("%s names the adapter %s, which is not there", STRENGTHS_VARIABLE, name)
    return list(sources.values())


def _from_flag(flag: str, listed: Mapping[str, float], environment: Mapping[str, str]) -> AdapterSource:
    name, equals, rest = flag.partition("=")
    if not (name and equals and rest):
        raise UsageFailure(f"--adapter {flag}: write it as NAME=DIR or NAME=DIR@STRENGTH")
    place, at, strength = rest.rpartition("@")
    if at and not locate(rest).is_dir():
        value = _number(strength, f"--adapter {flag}: the strength")
    else:
        place, value = rest, _strength(name, listed, environment)
    folder = _adapter_in(locate(place))
    if folder is None:
        raise NotFound(f"--adapter {flag}: {locate(place)} is not an adapter folder (it has no {CONFIG_FILE})")
    return AdapterSource(name=name, folder=folder, strength=value)


def _in_folder(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    found = []
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir():
            continue
        if _adapter_in(entry) is None:
            log.info("%s is not an adapter folder, it has no %s", entry, CONFIG_FILE)
        else:
            found.append(entry)
    return found


def _adapter_in(folder: Path) -> Path | None:
    """The folder itself, or its `data` folder, where Kaito's puller puts the files when it runs a second time."""
    for place in (folder, folder / "data"):
        if (place / CONFIG_FILE).is_file():
            return place
    return None


def _listed_strengths(environment: Mapping[str, str]) -> dict[str, float]:
    text = environment.get(STRENGTHS_VARIABLE, "").strip()
    if not text:
        return {}
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise BadConfig(f"{STRENGTHS_VARIABLE} is not JSON: {error}") from None
    if not isinstance(listed, dict):
        raise BadConfig(f"{STRENGTHS_VARIABLE} must be a JSON object of adapter names and strengths")
    return {name: _number(value, f"{STRENGTHS_VARIABLE}: the strength of {name}") for name, value in listed.items()}


def _strength(name: str, listed: Mapping[str, float], environment: Mapping[str, str]) -> float:
    if name in listed:
        return listed[name]
    if name in environment:
        return _number(environment[name], f"The environment variable {name}, the strength of the adapter of that name,")
    return 1.0


def _number(value: object, what: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        number = float(value)
        if not 0 <= number <= 1:
            raise ValueError
    except (ValueError, OverflowError):
        raise BadConfig(f"{what} is not a number from 0 to 1: {str(value)[:64]!r}") from None
    return number
