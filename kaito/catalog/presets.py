"""Base models by name: Kaito's catalog, its short aliases, and what is valid as a name at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from kaito.api.preset import Preset, TuningFacts
from kaito.api.quantity import GIB, parse_quantity


class UnknownPreset(LookupError):
    """No such model; the message is a sentence for the user."""


@dataclass(frozen=True)
class PresetTable:
    """All presets: `by_id` by lower-case Hugging Face id, `aliases` from short name to lower-case id."""

    by_id: dict[str, Preset]
    aliases: dict[str, str]
    deprecated: frozenset[str]


def read_table(name: str) -> Any:
    """A YAML file of this package's `data` folder."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (resources.files("kaito.catalog") / "data" / name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=loader)  # noqa: S506  (a safe loader)


@cache
def load() -> PresetTable:
    """The shipped table; read once."""
    document = read_table("presets.yaml")
    return PresetTable(
        by_id={entry["id"].lower(): _preset(entry) for entry in document["models"]},
        aliases=dict(document["aliases"]),
        deprecated=frozenset(document["deprecated"]),
    )


def _preset(entry: dict[str, Any]) -> Preset:
    tuning = entry.get("tuning")
    return Preset(
        name=entry["id"].rpartition("/")[2].lower(),
        model_id=entry["id"],
        architecture=entry["architecture"],
        family=entry["family"],
        weights=entry["weights"],
        disk=entry["disk"],
        bytes_per_token=entry["bytesPerToken"],
        token_limit=entry["tokenLimit"],
        attention=entry["attention"],
        quant_method=entry.get("quantMethod", ""),
        quant_bits=entry.get("quantBits", 0),
        vllm={key: str(value) for key, value in entry["vllm"].items()},
        transformers=entry.get("transformers"),
        tuning=TuningFacts(**tuning) if tuning else None,
    )


def is_valid_name(name: str) -> bool:
    """Whether Kaito takes `name` for a preset: an alias, a catalog id, or any `organisation/model`."""
    if name.lower() in load().by_id or name.lower() in load().aliases:
        return True
    organisation, _, model = name.partition("/")
    return bool(organisation and model)


def resolve(name: str) -> Preset:
    """The preset for an alias, a short name or a Hugging Face id, any case; raises UnknownPreset.

    Kaito asks huggingface.co about ids outside its catalog. Nothing here needs the internet, so those are unknown.
    """
    table = load()
    key = name.lower()
    preset = table.by_id.get(table.aliases.get(key, key))
    if preset is not None:
        return preset
    if "/" in key:
        raise UnknownPreset(
            f"{name} is not one of the {len(table.by_id)} models of the catalog, and others are not looked up online"
        )
    raise UnknownPreset(f"model is not registered: {name}")


def startup_seconds(preset: Preset) -> int:
    """How long a server of the preset may take to start, seconds: 15 min + 18 s per GiB of weights, 30 to 180 min.

    Source: Kaito 0.12, `presets/workspace/models` (readiness timeout).
    """
    gib = float(parse_quantity(preset.weights) / GIB) if preset.weights else 0.0
    return int(min(max(15 * 60 + 18 * gib, 30 * 60), 180 * 60))
