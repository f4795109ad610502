"""Reading YAML so that whatever is wrong with it can be said with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

Location = tuple[int | str, ...]
"""Where something is in a document: keys and indices from the top."""
MOST_VALUES = 1_000_000
"""Keys and values of one document."""
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class ScenarioFileError(Exception):
    """A scenario file, or a file it names, that cannot be used; the text is `file:line: what and what to do`."""


class _JsonLoader(yaml.CSafeLoader):
    """Reads YAML as Kubernetes does: what looks like a date is text."""


_JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_documents(path: Path) -> list[tuple[yaml.Node, Any]]:
    """Every document of a file that is not empty, as nodes (for lines) and as data that JSON can hold.

    Raises ScenarioFileError for a file that cannot be read, is not YAML, or names a key twice in one mapping.
    """
    text = _read_text(path)
    try:
        nodes = list(yaml.compose_all(text, Loader=_JsonLoader))
        for node in nodes:
            _refuse_repeated_keys(path, node)
            _refuse_aliases_of_aliases(path, node)
        data = list(yaml.load_all(text, Loader=_JsonLoader))
    except yaml.YAMLError as error:
        raise ScenarioFileError(_yaml_message(path, error)) from error
    except (ValueError, RecursionError) as error:
        raise ScenarioFileError(f"{path}:1: this cannot be read as YAML: {str(error).partition(';')[0]}") from error
    documents = [(node, document) for node, document in zip(nodes, data, strict=True) if document is not None]
    for node, document in documents:
        try:
            json.dumps(document, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            line = node.start_mark.line + 1
            raise ScenarioFileError(f"{path}:{line}: this holds something that JSON cannot hold: {error}") from error
    return documents


def read_document(path: Path) -> tuple[yaml.Node | None, Any]:
    """The one document of a file; (None, None) for an empty file."""
    documents = read_documents(path)
    if len(documents) > 1:
        line = documents[1][0].start_mark.line + 1
        raise ScenarioFileError(f"{path}:{line}: a second document begins here; this file holds one")
    return documents[0] if documents else (None, None)


def line_of(node: yaml.Node | None, location: Location) -> int:
    """The line of the deepest part of `location` that the document has, counted from 1."""
    line = 1 if node is None else node.start_mark.line + 1
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


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScenarioFileError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ScenarioFileError(f"{path}: cannot be read: this is a folder; name a file in it") from None
    except OSError as error:
        raise ScenarioFileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScenarioFileError(f"{path}:{line}: this is not YAML: it is not UTF-8 text") from error


def _refuse_repeated_keys(path: Path, root: yaml.Node) -> None:
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            keys: dict[str, int] = {}
            for key, value in node.value:
                waiting.append(value)
                if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                    continue
                line = key.start_mark.line + 1
                if key.value in keys:
                    raise ScenarioFileError(
                        f"{path}:{line}: the key {key.value} is here a second time; it is in line {keys[key.value]} too"
                    )
                keys[key.value] = line


def _refuse_aliases_of_aliases(path: Path, root: yaml.Node) -> None:
    """A few lines of aliases can stand for more than a machine's memory holds."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 1  # Until it is known; what holds itself is refused as JSON.
            children = []
            if isinstance(node, yaml.SequenceNode):
                children = node.value
            elif isinstance(node, yaml.MappingNode):
                children = [part for pair in node.value for part in pair]
            sizes[id(node)] = 1 + sum(map(size, children))
        return sizes[id(node)]

    if size(root) > MOST_VALUES:
        raise ScenarioFileError(f"{path}:1: with its aliases written out this holds more than {MOST_VALUES:,} values")


def _yaml_message(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"{path}:{mark.line + 1 if mark else 1}: this is not YAML: {' '.join(str(problem).split())}"
