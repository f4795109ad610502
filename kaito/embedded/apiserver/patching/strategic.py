"""Strategic merge patch of built-in kinds (k8s.io/apimachinery/pkg/util/strategicpatch).

Lists merge by the patch merge key of their field; the directives `$patch`, `$retainKeys`,
`$deleteFromPrimitiveList/F` and `$setElementOrder/F` are obeyed.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.schemas.go_text import plain
from kaito.embedded.apiserver.schemas.types import Field, Type, type_for

Json = dict[str, Any]
PATCH: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_PRIMITIVES: Final = "$deleteFromPrimitiveList/"
ELEMENT_ORDER: Final = "$setElementOrder/"


def strategic_merge_patch(api_version: str, kind: str, original: Json, patch: Any) -> Json:
    """The patched object; the arguments stay as they are.

    Raises PatchError: 500 for an unknown `$patch` value, 400 for patches that contradict themselves. A kind without a
    built-in type (custom resources: 415) is the caller's to refuse.
    """
    if not isinstance(patch, dict):
        token = "array" if isinstance(patch, list) else "string"
        raise PatchError(f"json: cannot unmarshal {token} into Go value of type map[string]interface {{}}")
    return _merge(copy.deepcopy(original), patch, type_for(api_version, kind))


def _merge(original: Json, patch: Json, kind: Type | None) -> Json:
    directive = patch.get(PATCH)
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown patch type: {directive} in map: {plain(patch)}", status=500, reason="")
    if RETAIN_KEYS in patch:
        _retain(original, patch)
    for key, value in patch.items():
        if key.startswith(DELETE_PRIMITIVES):
            name = key[len(DELETE_PRIMITIVES) :]
            if isinstance(original.get(name), list):
                original[name] = [item for item in original[name] if item not in value]
    for key, value in patch.items():
        if key in (PATCH, RETAIN_KEYS) or key.startswith((DELETE_PRIMITIVES, ELEMENT_ORDER)):
            continue
        field = _field(kind, key)
        if kind is not None and kind.kind == "raw":
            _check_raw(key, original.get(key), value)
        if value is None:
            original.pop(key, None)
        elif isinstance(value, dict):
            _merge_member(original, key, value, field)
        elif isinstance(value, list):
            original[key] = _merge_list(original.get(key), value, field, patch.get(ELEMENT_ORDER + key))
        else:
            original[key] = value
    _order_untouched(original, patch, kind)
    return original


def _check_raw(key: str, known: Any, value: Any) -> None:
    """Raw JSON has no fields that say how its maps and lists are merged."""
    if isinstance(value, (dict, list)) and type(value) is type(known):
        message = f'unable to find api field in struct RawExtension for the json field "{key}"'
        raise PatchError(message, status=500, reason="")


def _order_untouched(original: Json, patch: Json, kind: Type | None) -> None:
    """`$setElementOrder/F` without F reorders the list all the same."""
    for key, order in patch.items():
        name = key[len(ELEMENT_ORDER) :]
        if key.startswith(ELEMENT_ORDER) and name not in patch and isinstance(original.get(name), list):
            original[name] = _merge_list(original[name], [], _field(kind, name), order)


class _MapValue:
    """What a map's values share with a struct's fields, as far as patches look."""

    strategies: frozenset[str] = frozenset()
    merge_key: str | None = None

    def __init__(self, kind: Type) -> None:
        self.type = kind


def _field(kind: Type | None, key: str) -> Field | _MapValue | None:
    if kind is None:
        return None
    if kind.kind == "struct":
        return kind.fields.get(key)
    if kind.kind == "map":
        return _MapValue(kind.elem)
    return None


def _merge_member(original: Json, key: str, value: Json, field: Field | _MapValue | None) -> None:
    if field is not None and "replace" in field.strategies and PATCH not in value:
        original[key] = {name: copy.deepcopy(item) for name, item in value.items() if name != RETAIN_KEYS}
        return
    if value.get(PATCH) == "delete" or (key not in original and PATCH in value):
        original[key] = {}  # nothing is left, or a directive has nothing to direct
        return
    current = original.get(key)
    kind = field.type if field is not None else None
    if kind is not None and kind.kind == "ptr":
        kind = kind.elem
    original[key] = _merge(current if isinstance(current, dict) else {}, value, kind)


def _merge_list(current: Any, patch: list[Any], field: Field | _MapValue | None, order: Any) -> list[Any]:
    elem = field.type.elem if field is not None and field.type.kind == "slice" else None
    merges = field is not None and "merge" in field.strategies
    if not isinstance(current, list):  # nothing to merge with: taken as it is, without directives
        if merges and field is not None and field.merge_key and all(isinstance(item, dict) for item in patch):
            _check_order(patch, order, field.merge_key)
        kept = [item for item in patch if not (isinstance(item, dict) and PATCH in item)]
        return [_merge({}, item, elem) if isinstance(item, dict) else copy.deepcopy(item) for item in kept]
    existing = list(current)
    if field is None or not merges:
        return copy.deepcopy(patch)
    if any(isinstance(item, dict) and item.get(PATCH) == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if not (isinstance(item, dict) and PATCH in item)]
    _check_alike(existing, patch)
    if field.merge_key is None or not all(isinstance(item, dict) for item in [*patch, *existing]):
        merged = existing + [item for item in patch if item not in existing]
        return _sort(merged, existing, patch, order, lambda item: item)
    merge_key = field.merge_key
    _check_order(patch, order, merge_key)
    merged = _merge_by_key(existing, patch, merge_key, elem)
    return _sort(merged, existing, patch, order, lambda item: item.get(merge_key))


def _check_alike(existing: list[Any], patch: list[Any]) -> None:
    """Lists merge only when all their items are of one type, and not lists themselves."""
    kinds = [type(item) for item in (*existing, *patch)]
    if kinds and kinds[0] is list:
        raise PatchError("lists of lists are not supported", status=500, reason="")
    if any(kind is not kinds[0] for kind in kinds):
        shown = f"[{plain(existing)} {plain(patch)}]"
        raise PatchError(f"list element types are not identical: {shown}", status=500, reason="")


def _check_order(patch: list[Json], order: Any, merge_key: str) -> None:
    """The patch's items must come in the order of `$setElementOrder`, all of them."""
    if not isinstance(order, list):
        return
    wanted = [item.get(merge_key) for item in order if isinstance(item, dict)]
    listed = [item for item in patch if PATCH not in item]
    places = [wanted.index(item[merge_key]) for item in listed if item.get(merge_key) in wanted]
    if len(places) != len(listed) or places != sorted(places):
        message = f"The order in patch list:\n{plain(listed)}\n doesn't match $setElementOrder list:\n{plain(order)}\n"
        raise PatchError(message, status=500, reason="")


def _merge_by_key(existing: list[Json], patch: list[Json], merge_key: str, elem: Type | None) -> list[Json]:
    merged = list(existing)
    for item in patch:
        if merge_key not in item:
            raise PatchError(
                f"map: {plain(item)} does not contain declared merge key: {merge_key}", status=500, reason=""
            )
        wanted = item[merge_key]
        if item.get(PATCH) == "delete":
            merged = [known for known in merged if known.get(merge_key) != wanted]
            continue
        at = next((i for i, known in enumerate(merged) if known.get(merge_key) == wanted), None)
        if at is None:
            merged.append(_merge({}, item, elem))
        else:
            merged[at] = _merge(merged[at], item, elem)
    return merged


def _sort(merged: list[Any], existing: list[Any], patch: list[Any], order: Any, key: Any) -> list[Any]:
    """Items of the patch in its order (or in that of `$setElementOrder`), the server's own in theirs.

    The two are merged by their places in the old list; where one of a pair had none, the patch's item comes first.
    """
    if order is None:
        order = [item for item in patch if not (isinstance(item, dict) and item.get(PATCH) == "delete")]
    ranks = {_hashable(key(item)): rank for rank, item in enumerate(order)}
    places = {_hashable(key(item)): place for place, item in enumerate(existing)}
    mine = sorted((i for i in merged if _hashable(key(i)) in ranks), key=lambda i: ranks[_hashable(key(i))])
    theirs = [item for item in merged if _hashable(key(item)) not in ranks]
    out: list[Any] = []
    while mine and theirs:
        left, right = places.get(_hashable(key(mine[0]))), places.get(_hashable(key(theirs[0])))
        later = left is not None and right is not None and left > right
        out.append((theirs if later else mine).pop(0))
    return out + mine + theirs


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, (dict, list)) else value


def _retain(original: Json, patch: Json) -> None:
    keep = patch[RETAIN_KEYS]
    if not isinstance(keep, list):
        raise PatchError("invalid patch format of retainKeys")
    allowed = set(keep)
    for key in patch:
        if key != RETAIN_KEYS and not key.startswith("$") and key not in allowed and patch[key] is not None:
            raise PatchError("patch only contains keys not present in $retainKeys list", status=400)
    for key in [key for key in original if key not in allowed]:
        del original[key]


def merged_patch(original: Any, patch: Any) -> Any:
    """The patch as merging leaves it, which error messages show: what is new in the object has lost its nulls."""
    if isinstance(patch, dict):
        if not isinstance(original, dict):
            return _without_nulls(patch)
        return {key: None if item is None else merged_patch(original.get(key), item) for key, item in patch.items()}
    return patch if original is not None else _without_nulls(patch)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
