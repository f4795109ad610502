"""Reading scenario files: every mistake becomes one sentence with file and line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from kaito.cluster.mirrors import MirrorMap, MirrorTargetError
from kaito.scenario.references import unknown_references
from kaito.scenario.schema import Fact, Scenario
from kaito.scenario.yamlfiles import Location, ScenarioFileError, line_of, read_document, read_documents

__all__ = ["LoadedScenario", "ScenarioFileError", "load_scenario", "read_manifests"]
_SENTENCES = {
    "missing": "is missing",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "too_short": "must hold at least one entry",
}
"""What is said for a pydantic error's type; for others its own message."""


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario with everything it names already read, so that nothing is started for a broken one."""

    path: Path
    scenario: Scenario
    mirrors: MirrorMap
    manifests: dict[str, list[dict[str, Any]]]
    """By the path as the scenario writes it."""
    facts: dict[str, list[Fact]]


def load_scenario(path: Path) -> LoadedScenario:
    """Read a scenario and what it names; raises ScenarioFileError at the first mistake."""
    node, data = read_document(path)
    if not isinstance(data, dict):
        raise ScenarioFileError(f"{path}:1: a scenario is a mapping with apiVersion, kind, metadata and spec")
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioFileError(_describe(path, node, error, Scenario)) from error
    folder = path.parent
    manifests: dict[str, list[dict[str, Any]]] = {}
    facts: dict[str, list[Fact]] = {}
    for index, step in enumerate(scenario.spec.steps):
        for key, name in (("apply", step.apply), ("delete", step.delete)):
            if name is not None:
                line = line_of(node, ("spec", "steps", index, key))
                manifests[name] = read_manifests(_existing(folder / name, f"{path}:{line}"))
        if step.ask is not None:
            line = line_of(node, ("spec", "steps", index, "ask", "facts"))
            facts[step.ask.facts] = _read_facts(_existing(folder / step.ask.facts, f"{path}:{line}"))
    try:
        mirrors = scenario.spec.mirrors.resolved(folder)
    except MirrorTargetError as error:
        raise ScenarioFileError(f"{path}:{line_of(node, ('spec', 'mirrors', 'urls', error.url))}: {error}") from error
    for place, message in unknown_references(scenario, manifests):
        raise ScenarioFileError(f"{path}:{line_of(node, place)}: {_shown(place)}: {message}")
    return LoadedScenario(path, scenario, mirrors, manifests, facts)


def read_manifests(path: Path) -> list[dict[str, Any]]:
    """The objects of a manifest file, `List`s taken apart; ScenarioFileError when one is not an object."""
    objects: list[dict[str, Any]] = []
    for node, document in read_documents(path):
        where = f"{path}:{line_of(node, ())}"
        items = [document]
        if isinstance(document, dict) and document.get("kind") == "List":
            items = document.get("items") or []
            if not isinstance(items, list):
                raise ScenarioFileError(f"{where}: the items of this List are no list")
        for item in items:
            if not isinstance(item, dict) or not (_is_text(item.get("apiVersion")) and _is_text(item.get("kind"))):
                raise ScenarioFileError(f"{where}: this is not a Kubernetes object: no apiVersion and kind")
            metadata = item.get("metadata")
            if not isinstance(metadata, dict) or not _is_text(metadata.get("name")):
                raise ScenarioFileError(f"{where}: this {item['kind']} has no metadata.name")
            objects.append(item)
    if not objects:
        raise ScenarioFileError(f"{path}:1: there is no object in this manifest")
    return objects


def _read_facts(path: Path) -> list[Fact]:
    node, data = read_document(path)
    if not isinstance(data, list) or not data:
        raise ScenarioFileError(f"{path}:1: there is no fact in this file; write a list of `prompt` and `answer`")
    try:
        return TypeAdapter(list[Fact]).validate_python(data)
    except ValidationError as error:
        raise ScenarioFileError(_describe(path, node, error, Fact)) from error


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _existing(path: Path, where: str) -> Path:
    if path.is_dir():
        raise ScenarioFileError(f"{where}: {path} is a folder; name a file in it")
    if not path.exists():
        raise ScenarioFileError(f"{where}: {path} does not exist; paths are relative to the scenario file")
    if not path.is_file():
        raise ScenarioFileError(f"{where}: {path} is neither a file nor a folder")
    return path


def _describe(path: Path, node: yaml.Node | None, error: ValidationError, root: type[BaseModel]) -> str:
    # A misspelt key is reported as unknown, and what it should have been as missing: the first says more.
    first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
    location: Location = first["loc"]
    shown = _shown(location)
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if first["type"] == "extra_forbidden":
        known = _keys_at(root, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys here: {', '.join(known)}"
        message = f"unknown key; {hint}"
    elif first["type"] == "string_type":
        scalar = not isinstance(first["input"], list | dict | None)
        message = f"must be text{'; put a value such as 42 or yes in quotes' * scalar}"
    elif first["type"] in _SENTENCES:
        message = _SENTENCES[first["type"]]
    return f"{path}:{line_of(node, location)}: {shown}: {message}" if shown else f"{path}:1: {message}"


def _shown(location: Location) -> str:
    return ".".join(str(part) for part in location)


def _keys_at(root: type[BaseModel], location: Location) -> list[str]:
    """The keys that the model `root` knows at a place of the file."""
    model: Any = root
    for part in location:
        if isinstance(part, int):
            continue
        fields = model.model_fields
        field = fields.get(part) or fields.get(f"{part}_")
        if field is None:
            return []
        model = next((kind for kind in _models_in(field.annotation)), None)
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
