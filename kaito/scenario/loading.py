"""Reading scenario files: every mistake becomes one sentence with file and line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from kaito.cluster.mirrors import MirrorMap
from kaito.scenario.schema import Fact, Scenario

Location = tuple[int | str, ...]


class ScenarioFileError(Exception):
    """A scenario file, or a file it names, that cannot be used; the text is `file:line: what and what to do`."""


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
    node, data = _read_yaml(path)
    if not isinstance(data, dict):
        raise ScenarioFileError(f"{path}:1: a scenario is a mapping with apiVersion, kind, metadata and spec")
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioFileError(_describe(path, node, error)) from error
    folder = path.parent
    manifests: dict[str, list[dict[str, Any]]] = {}
    facts: dict[str, list[Fact]] = {}
    for index, step in enumerate(scenario.spec.steps):
        for key, name in (("apply", step.apply), ("delete", step.delete)):
            if name is not None:
                line = _line(node, ("spec", "steps", index, key))
                manifests[name] = read_manifests(_existing(folder / name, f"{path}:{line}"))
        if step.ask is not None:
            line = _line(node, ("spec", "steps", index, "ask", "facts"))
            facts[step.ask.facts] = _read_facts(_existing(folder / step.ask.facts, f"{path}:{line}"))
    try:
        mirrors = scenario.spec.mirrors.resolved(folder)
    except FileNotFoundError as error:
        raise ScenarioFileError(f"{path}:{_line(node, ('spec', 'mirrors', 'urls'))}: {error}") from error
    return LoadedScenario(path, scenario, mirrors, manifests, facts)


def read_manifests(path: Path) -> list[dict[str, Any]]:
    """The objects of a manifest file, `List`s taken apart; ScenarioFileError when one is not an object."""
    try:
        documents = list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioFileError(_yaml_message(path, error)) from error
    objects: list[dict[str, Any]] = []
    for number, document in enumerate(documents, start=1):
        if document is None:
            continue
        items = document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else [document]
        for item in items or ():
            if not isinstance(item, dict) or not item.get("apiVersion") or not item.get("kind"):
                raise ScenarioFileError(f"{path}: document {number} is not a Kubernetes object: no apiVersion and kind")
            if not (item.get("metadata") or {}).get("name"):
                raise ScenarioFileError(f"{path}: the {item['kind']} in document {number} has no metadata.name")
            objects.append(item)
    if not objects:
        raise ScenarioFileError(f"{path}: there is no object in this manifest")
    return objects


def _read_facts(path: Path) -> list[Fact]:
    node, data = _read_yaml(path)
    try:
        facts = TypeAdapter(list[Fact]).validate_python(data)
    except ValidationError as error:
        raise ScenarioFileError(_describe(path, node, error)) from error
    if not facts:
        raise ScenarioFileError(f"{path}:1: there is no fact in this file")
    return facts


def _existing(path: Path, where: str) -> Path:
    if not path.is_file():
        raise ScenarioFileError(f"{where}: {path} does not exist; paths are relative to the scenario file")
    return path


def _read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ScenarioFileError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioFileError(f"{path}: cannot be read: {error}") from error
    try:
        return yaml.compose(text, Loader=yaml.CSafeLoader), yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ScenarioFileError(_yaml_message(path, error)) from error


def _yaml_message(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{path}:{mark.line + 1 if mark else 1}: this is not YAML: {problem}"


def _describe(path: Path, node: yaml.Node | None, error: ValidationError) -> str:
    # A misspelt key is reported as unknown, and what it should have been as missing: the first says more.
    first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
    location: Location = first["loc"]
    shown = ".".join(str(part) for part in location)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = _keys_at(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys here: {', '.join(known)}"
        message = f"unknown key; {hint}"
    elif first["type"] == "missing":
        message = "is missing"
    return f"{path}:{_line(node, location)}: {shown}: {message}" if shown else f"{path}:1: {message}"


def _keys_at(location: Location) -> list[str]:
    """The keys the schema knows at a place of the file."""
    model: Any = Scenario
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


def _line(node: yaml.Node | None, location: Location) -> int:
    """The line of the deepest part of `location` that the file has, counted from 1."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            entry = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
