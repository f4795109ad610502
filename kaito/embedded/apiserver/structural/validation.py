"""Validation of custom resources against their schema, with the messages of the real server.

The order of checks at one value, and the words, are those of k8s.io/kube-openapi/pkg/validation/validate: type,
combinations, text, format, number, list, enum, members. On update, values that did not change are not complained about
(ratcheting).
"""

from __future__ import annotations

import json
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas.go_text import number_text
from kaito.embedded.apiserver.structural.formats import fits
from kaito.embedded.apiserver.structural.schema import ABSENT, Node, member_path

TYPE_NAMES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
INT64: Final = 2**63
VALUE_FORMATS: Final = {"integer": "int64", "number": "float64"}
LARGEST_WHOLE: Final = 2**53 - 1


def check(node: Node, value: Any, path: str, old: Any = ABSENT) -> list[Cause]:
    """Everything wrong with `value`; `path` is its field path, empty for the root. `old` is the stored counterpart."""
    if old is not ABSENT and same(value, old):
        return []
    causes: list[Cause] = []
    _check_type(node, value, path, causes)
    if value is None:
        return _check_enum(node, value, path, causes)
    if node.any_of or node.one_of or node.all_of or node.negated is not None:
        _check_combinations(node, value, path, causes)
    if isinstance(value, str):
        _check_text(node, value, path, causes)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(node, value, path, causes)
    elif isinstance(value, list):
        _check_list(node, value, path, causes, old)
    _check_enum(node, value, path, causes)
    if isinstance(value, dict):
        _check_members(node, value, path, causes, old)
    return causes


def _check_enum(node: Node, value: Any, path: str, causes: list[Cause]) -> list[Cause]:
    """Null is never among the options, even where it is one."""
    if node.enum is not None and (value is None or not any(same(value, option) for option in node.enum)):
        options = ", ".join(_option(option) for option in node.enum)
        message = f"Unsupported value: {_shown(value)}: supported values: {options}"
        _merge(causes, [Cause(path or "<nil>", message, "FieldValueNotSupported")])
    return causes


def same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def type_name(value: Any) -> str:
    """The JSON type as errors print it; whole numbers beyond 64 bits are numbers."""
    if type(value) is int and not -INT64 <= value < INT64:
        return "number"
    return TYPE_NAMES.get(type(value), "null")


def _check_type(node: Node, value: Any, path: str, causes: list[Cause]) -> None:
    """kube-openapi's order of things: with a format, texts and lists pass here, and the format is what others lack."""
    wanted = ("integer", "string") if node.int_or_string else (node.type,)
    if not wanted[0] or (value is None and node.nullable):
        return
    found = type_name(value)
    is_whole = found == "number" and abs(value) <= LARGEST_WHOLE and value == int(value)
    fitting = found in wanted or (is_whole and "integer" in wanted) or (found == "integer" and "number" in wanted)
    if node.format and found not in ("string", "array", "null"):
        form = VALUE_FORMATS.get(found, "")
        if not fitting and form != node.format:
            detail = f'must be of type {node.format}: "{form}"'
            causes.append(_invalid(path, f'"{form}"', detail, "FieldValueTypeInvalid"))
            return
    elif node.format and found != "null" and not {"integer", "number"} & set(wanted):
        return
    if not fitting:
        detail = f'must be of type {",".join(wanted)}: "{found}"'
        causes.append(_invalid(path, f'"{found}"', detail, "FieldValueTypeInvalid"))


def _merge(causes: list[Cause], found: list[Cause]) -> None:
    """Adds what is new; the real validator drops all that follows something it has reported already."""
    for cause in found:
        if cause in causes:
            return
        causes.append(cause)


def _check_combinations(node: Node, value: Any, path: str, causes: list[Cause]) -> None:
    if node.any_of:
        results = [check(option, value, path) for option in node.any_of]
        if all(results):
            causes.append(_whole(path, "must validate at least one schema (anyOf)"))
            _merge(causes, results[0])
    if node.one_of:
        results = [check(option, value, path) for option in node.one_of]
        valid = sum(not result for result in results)
        if valid != 1:
            found = "Found none valid" if valid == 0 else f"Found {valid} valid alternatives"
            causes.append(_whole(path, f"must validate one and only one schema (oneOf). {found}"))
            if valid == 0:
                _merge(causes, results[0])
    if node.all_of:
        results = [check(option, value, path) for option in node.all_of]
        for result in results:
            _merge(causes, result)
        if any(results):
            none = ". None validated" if all(results) else ""
            causes.append(_whole(path, f"must validate all the schemas (allOf){none}"))
    if node.negated is not None and not check(node.negated, value, path):
        causes.append(_whole(path, "must not validate the schema (not)"))


def _check_text(node: Node, value: str, path: str, causes: list[Cause]) -> None:
    if node.max_length is not None and len(value) > node.max_length:
        limit = _count(node.max_length, "byte")
        causes.append(Cause(path, f"Too long: may not be more than {limit}", "FieldValueTooLong"))
    elif node.min_length is not None and len(value) < node.min_length:
        causes.append(_invalid(path, _shown(value), f"should be at least {node.min_length} chars long"))
    elif node.matcher is not None and node.matcher.search(value) is None:
        causes.append(_invalid(path, _shown(value), f"should match '{node.pattern}'"))
    if node.format and not fits(node.format, value):
        shown = _shown(value)
        causes.append(_invalid(path, shown, f"must be of type {node.format}: {shown}", "FieldValueTypeInvalid"))


def _check_number(node: Node, value: float, path: str, causes: list[Cause]) -> None:
    # Whole numbers are compared with the bound cut to a whole one, as the real validator does.
    def bound(limit: float) -> float:
        return int(limit) if isinstance(value, int) else float(limit)

    shown = _shown(value)
    if node.multiple_of is not None and bound(node.multiple_of) <= 0:
        factor = _number(bound(node.multiple_of))
        detail = f"factor MultipleOf declared for {path} must be positive: {factor}"
        causes.append(Cause(path or "<nil>", f"Invalid value: {factor}: {detail}"))
    elif node.multiple_of is not None and not _is_multiple(value, bound(node.multiple_of)):
        causes.append(_invalid(path, shown, f"should be a multiple of {_number(bound(node.multiple_of))}"))
    if node.maximum is not None:
        limit = bound(node.maximum)
        if value > limit or (node.exclusive_maximum and value == limit):
            word = "less than" if node.exclusive_maximum else "less than or equal to"
            causes.append(_invalid(path, shown, f"should be {word} {_number(limit)}"))
    if node.minimum is not None:
        limit = bound(node.minimum)
        if value < limit or (node.exclusive_minimum and value == limit):
            word = "greater than" if node.exclusive_minimum else "greater than or equal to"
            causes.append(_invalid(path, shown, f"should be {word} {_number(limit)}"))


def _is_multiple(value: float, of: float) -> bool:
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0
    quotient = value / of
    return abs(quotient) <= LARGEST_WHOLE and quotient == int(quotient)


def _check_list(node: Node, value: list[Any], path: str, causes: list[Cause], old: Any) -> None:
    if node.items is not None:
        for index, item in enumerate(value):
            _merge(causes, check(node.items, item, f"{path}[{index}]", correlated(node, item, old)))
    if node.min_items is not None and len(value) < node.min_items:
        causes.append(_invalid(path, str(len(value)), f"should have at least {node.min_items} items"))
    if node.max_items is not None and len(value) > node.max_items:
        causes.append(_too_many(path, len(value), node.max_items))


def correlated(node: Node, item: Any, old: Any) -> Any:
    """The item of the stored list that `item` continues: found by its keys in lists of type map, else ABSENT."""
    if node.list_type != "map" or not isinstance(old, list) or not isinstance(item, dict):
        return ABSENT
    keys = [item.get(key) for key in node.list_keys]
    return next((o for o in old if isinstance(o, dict) and [o.get(key) for key in node.list_keys] == keys), ABSENT)


def _check_members(node: Node, value: dict[str, Any], path: str, causes: list[Cause], old: Any) -> None:
    for name in node.required:
        if name not in value:
            causes.append(Cause(f"{path}.{name}" if path else name, "Required value", "FieldValueRequired"))
    before = old if isinstance(old, dict) else {}
    for key in sorted(value):
        child = node.child(key)
        if child is not None:
            here = f"{path}.{key}" if path or key not in node.properties else key
            _merge(causes, check(child, value[key], here, before.get(key, ABSENT)))
    if node.min_properties is not None and len(value) < node.min_properties:
        causes.append(_invalid(path, str(len(value)), f"should have at least {node.min_properties} properties"))
    if node.max_properties is not None and len(value) > node.max_properties:
        causes.append(_too_many(path, len(value), node.max_properties))


def check_lists(node: Node, value: Any, path: str) -> list[Cause]:
    """Duplicates in lists of type set and map."""
    if not node.any_lists:
        return []
    causes: list[Cause] = []
    if isinstance(value, list):
        if node.list_type == "set":
            causes += [_duplicate(f"{path}[{index}]", value[index]) for index in _repeated(value)]
        elif node.list_type == "map":
            causes += _check_map_list(node, value, path)
        if node.items is not None:
            for index, item in enumerate(value):
                causes.extend(check_lists(node.items, item, f"{path}[{index}]"))
    elif isinstance(value, dict):
        for key in sorted(value):
            child = node.child(key)
            if child is not None:
                here = member_path(node, path, key)
                causes.extend(check_lists(child, value[key], here))
    return causes


def _check_map_list(node: Node, value: list[Any], path: str) -> list[Cause]:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            detail = "must be an object for an array of list-type map"
            return [Cause(f"{path}[{index}]", f"Invalid value: {_shown(item)}: {detail}")]
    keys = [{key: item[key] for key in node.list_keys if key in item} if item else {} for item in value]
    return [_duplicate(f"{path}[{index}]", keys[index]) for index in _repeated(keys)]


def _repeated(items: list[Any]) -> list[int]:
    """Where items come up for the second time, not for the third."""
    seen: dict[str, int] = {}
    found = []
    for index, item in enumerate(items):
        text = json.dumps(item, sort_keys=True)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            found.append(index)
    return found


def _duplicate(path: str, value: Any) -> Cause:
    return Cause(path, f"Duplicate value: {_shown(value)}", "FieldValueDuplicate")


def _invalid(path: str, shown: str, rest: str, reason: str = "FieldValueInvalid") -> Cause:
    return Cause(path or "<nil>", f"Invalid value: {shown}: {path} in body {rest}", reason)


def _whole(path: str, message: str) -> Cause:
    return Cause("<nil>", f'Invalid value: "": "{path}" {message}')


def _too_many(path: str, count: int, limit: int) -> Cause:
    return Cause(path, f"Too many: {count}: must have at most {_count(limit, 'item')}", "FieldValueTooMany")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else number_text(value)


def _option(value: Any) -> str:
    return _shown(value) if isinstance(value, str) else f'"{_shown(value)}"'


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _shown(value: Any) -> str:
    if type_name(value) == "number":
        return number_text(float(value))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
