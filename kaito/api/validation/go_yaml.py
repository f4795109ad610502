"""YAML as Go's `yaml.v2` reads and complains about it (Kaito's texts come from there).

Both it and PyYAML's C parser are libyaml, so syntax errors have the same words; resolution of scalars differs and is
done here. Only the first document is looked at, duplicate keys are allowed, later ones win.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)")


class YamlError(ValueError):
    """Not YAML, or not of the wanted shape; the message is yaml.v2's."""


def parse(text: str) -> yaml.Node | None:
    """The root node of the first document, None for an empty text; raises YamlError."""
    try:
        loader = _LOADER(text)
        try:
            return loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise YamlError(_syntax_text(error)) from error
    except yaml.YAMLError as error:
        raise YamlError(f"yaml: {error}".splitlines()[0]) from error


def _syntax_text(error: yaml.MarkedYAMLError) -> str:
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + (1 if isinstance(error, yaml.scanner.ScannerError) else 0)
    elif error.context_mark is not None and error.context_mark.line:
        line = error.context_mark.line
    where = f"line {line}: " if line else ""
    return f"yaml: {where}{error.problem or error}"


def mapping(node: yaml.Node | None, go_type: str) -> dict[Any, yaml.Node]:
    """The entries of a mapping by their resolved keys; `null` and nothing are empty; raises YamlError naming
    `go_type`.
    """
    if node is None or is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise mismatch(node, go_type)
    entries: dict[Any, yaml.Node] = {}
    for key, value in node.value:
        entries[resolve(key) if isinstance(key, yaml.ScalarNode) else id(key)] = value
    return entries


def is_null(node: yaml.Node) -> bool:
    """Whether the node is a null."""
    return isinstance(node, yaml.ScalarNode) and resolve(node) is None


def resolve(node: yaml.ScalarNode) -> Any:
    """What a scalar means: str, bool, int, float or None."""
    text = node.value
    if node.style:  # quoted or block
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain):
        return _integer(plain)
    if _FLOAT.fullmatch(plain):
        return float(plain)
    return text


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)


def go_type_of(node: yaml.Node) -> str:
    """Name of the Go type that a node other than null decodes to."""
    if isinstance(node, yaml.ScalarNode):
        return {bool: "bool", int: "int", float: "float64", str: "string"}[type(resolve(node))]
    return "[]interface {}" if isinstance(node, yaml.SequenceNode) else "map[interface {}]interface {}"


def mismatch(node: yaml.Node, go_type: str) -> YamlError:
    """The error for a node that is not a `go_type`."""
    return YamlError(f"yaml: unmarshal errors:\n  {describe(node, go_type)}")


def describe(node: yaml.Node, go_type: str) -> str:
    """`line N: cannot unmarshal !!x into go_type`."""
    if isinstance(node, yaml.ScalarNode):
        tag = {bool: "!!bool", int: "!!int", float: "!!float", str: "!!str"}[type(resolve(node))]
        text = node.value if len(node.value) <= 10 else node.value[:7] + "..."
        what = f"{tag} `{text}`"
    else:
        what = "!!seq" if isinstance(node, yaml.SequenceNode) else "!!map"
    return f"line {node.start_mark.line + 1}: cannot unmarshal {what} into {go_type}"
