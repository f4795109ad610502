"""JSON patch (RFC 6902) with the semantics of the library inside the real server.

That library (evanphx/json-patch 4) is looser than the RFC and than the jsonpatch package, and clients rely on it:
`replace`
of an absent member adds it, an operation without `value` means null, `test` against null passes for an absent
member, and whatever stands before the first slash of a path is ignored. Only `replace` and `test` know the whole
document (an empty path), and replacing it by what is no object or list does nothing.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from kaito.embedded.apiserver.patching.errors import PatchError

REJECTED: Final = "the server rejected our request due to an error in our request"
UNREADABLE: Final = "error decoding patch: json: cannot unmarshal "
MAXIMUM_OPERATIONS: Final = 10000
ABSENT: Final = object()


def json_patch(doc: dict[str, Any], operations: Any) -> Any:
    """The patched document, a dict or (where the whole was replaced) a list; `doc` stays as it is.

    Raises PatchError: 400 when `operations` is no list of operations, 422 when one of them does not apply, 413 when
    there are more than 10,000.
    """
    if not isinstance(operations, list):
        raise PatchError(_not_a("[]handlers.jsonPatchOp", operations))
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchError(_not_a("handlers.jsonPatchOp", operation))
        for name, value in operation.items():
            if name in ("op", "path", "from") and value is not None and not isinstance(value, str):
                word = _token(value)
                raise PatchError(f"{UNREADABLE}{word} into Go struct field jsonPatchOp.{name} of type string")
    if len(operations) > MAXIMUM_OPERATIONS:
        raise PatchError(
            f"The allowed maximum operations in a JSON patch is {MAXIMUM_OPERATIONS}, got {len(operations)}",
            status=413,
            reason="RequestEntityTooLarge",
        )
    patched: Any = copy.deepcopy(doc)
    for operation in operations:
        try:
            patched = _apply(patched, operation)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise PatchError(REJECTED, status=422, reason="Invalid") from error
    return patched


def _apply(doc: Any, operation: dict[str, Any]) -> Any:
    if operation["path"] == "" and operation["op"] in ("replace", "test"):
        return _apply_to_root(doc, operation["op"], operation["value"])
    path = _tokens(operation["path"])
    match operation["op"]:
        case "add":
            return _add(doc, path, copy.deepcopy(operation.get("value")))
        case "remove":
            _remove(doc, path)
        case "replace":
            return _replace(doc, path, copy.deepcopy(operation.get("value")))
        case "move":
            source = _tokens(operation["from"])
            return _add(doc, path, _remove(doc, source))
        case "copy":
            found = _find(doc, _tokens(operation["from"]))
            return _add(doc, path, None if found is ABSENT else copy.deepcopy(found))
        case "test":
            found = _find(doc, path)
            if not _same(None if found is ABSENT else found, operation.get("value")):
                raise ValueError("test failed")
        case other:
            raise ValueError(f"unknown operation {other}")
    return doc


def _apply_to_root(doc: Any, name: str, value: Any) -> Any:
    if name == "replace":
        return copy.deepcopy(value) if isinstance(value, (dict, list)) else doc
    if not _same(doc, value):
        raise ValueError("test failed")
    return doc


def _tokens(path: str) -> list[str]:
    """The parts behind the first slash. Raises LookupError where there is none."""
    parts = path.split("/")[1:]
    if not parts:
        raise LookupError(path)
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def _parent(doc: Any, path: list[str]) -> Any:
    container = doc
    for token in path[:-1]:
        container = container[token] if isinstance(container, dict) else _list(container)[_index(container, token)]
    if not isinstance(container, (dict, list)):
        raise TypeError("not a container")
    return container


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a container")
    return value


def _index(container: list[Any], token: str, *, adding: bool = False) -> int:
    index, length = int(token), len(container) + adding
    if not -length <= index < length:
        raise IndexError(token)
    return index if index >= 0 else length + index


def _find(doc: Any, path: list[str]) -> Any:
    container = _parent(doc, path)
    if isinstance(container, dict):
        return container.get(path[-1], ABSENT)
    return container[_index(container, path[-1])]


def _add(doc: Any, path: list[str], value: Any) -> Any:
    container = _parent(doc, path)
    if isinstance(container, dict):
        container[path[-1]] = value
    elif path[-1] == "-":
        container.append(value)
    else:
        container.insert(_index(container, path[-1], adding=True), value)
    return doc


def _replace(doc: Any, path: list[str], value: Any) -> Any:
    container = _parent(doc, path)
    container[path[-1] if isinstance(container, dict) else _index(container, path[-1])] = value
    return doc


def _remove(doc: Any, path: list[str]) -> Any:
    container = _parent(doc, path)
    return container.pop(path[-1] if isinstance(container, dict) else _index(container, path[-1]))


def _same(left: Any, right: Any) -> bool:
    """JSON equality: 1 and true differ, which Python's == does not see."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def _not_a(wanted: str, value: Any) -> str:
    return f"{UNREADABLE}{_token(value)} into Go value of type {wanted}"


def _token(value: Any) -> str:
    return {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")
