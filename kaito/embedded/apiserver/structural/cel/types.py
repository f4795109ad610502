"""Types of expressions, and which may stand for which (cel-go's checker/types.go)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Type:
    """`kind` is a primitive (int, string…), dyn, error, null, list, map, type, object, opaque or param."""

    kind: str
    name: str = ""
    params: tuple[Type, ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.params))
        match self.kind:
            case "object" | "param":
                return self.name
            case "opaque":
                return f"{self.name}({inner})" if inner else self.name
            case "error":
                return "!error!"
            case _:
                return f"{self.kind}({inner})" if inner else self.kind


def list_of(item: Type) -> Type:
    return Type("list", params=(item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", params=(key, value))


def optional_of(inner: Type) -> Type:
    return Type("opaque", "optional_type", (inner,))


def type_of(inner: Type) -> Type:
    return Type("type", params=(inner,))


INT, UINT, DOUBLE, BOOL = Type("int"), Type("uint"), Type("double"), Type("bool")
STRING, BYTES, NULL, DYN, ERROR = Type("string"), Type("bytes"), Type("null"), Type("dyn"), Type("error")
DURATION, TIMESTAMP = Type("duration"), Type("timestamp")
_NULLABLE: Final = frozenset(("object", "null", "duration", "timestamp", "opaque"))
Mapping = dict[str, Type]
"""What type parameters stand for, by their names."""


def is_wild(kind: Type) -> bool:
    return kind.kind in ("dyn", "error")


def is_optional(kind: Type) -> bool:
    return kind.kind == "opaque" and kind.name == "optional_type"


def assignable(bindings: Mapping, left: Type, right: Type) -> bool:
    """Whether `left` may stand for `right`. Binds parameters in place; use a copy to try."""
    if left == right:
        return True
    if right.kind == "param":
        valid, bound = _substitutes(bindings, left, right)
        if valid:
            return True
        if bound:
            return False
    if left.kind == "param":
        return _substitutes(bindings, right, left)[0]
    if is_wild(left) or is_wild(right):
        return True
    if left.kind == "null":
        return right.kind in _NULLABLE
    if left.kind != right.kind:
        return False
    match left.kind:
        case "object":
            return left.name == right.name
        case "type":
            return True
        case "opaque" if left.name != right.name:
            return False
        case _:
            return all_assignable(bindings, left.params, right.params)


def all_assignable(bindings: Mapping, left: tuple[Type, ...], right: tuple[Type, ...]) -> bool:
    return len(left) == len(right) and all(assignable(bindings, a, b) for a, b in zip(left, right, strict=True))


def _substitutes(bindings: Mapping, kind: Type, param: Type) -> tuple[bool, bool]:
    """Whether `kind` may be what `param` stands for, and whether that is known already."""
    known = bindings.get(param.name)
    if known is not None:
        if kind == known:
            return True, True
        if assignable(bindings, kind, known):
            bindings[param.name] = most_general(kind, known)
            return True, True
        return False, True
    if not _occurs(bindings, param, kind):
        bindings[param.name] = kind
        return True, False
    return False, False


def _occurs(bindings: Mapping, param: Type, within: Type) -> bool:
    if param == within:
        return True
    if within.kind == "param":
        known = bindings.get(within.name)
        return known is not None and _occurs(bindings, param, known)
    return any(_occurs(bindings, param, inner) for inner in within.params)


def most_general(left: Type, right: Type) -> Type:
    return left if _less_specific(left, right) else right


def _less_specific(left: Type, right: Type) -> bool:
    if left.kind in ("dyn", "param"):
        return True
    if right.kind in ("dyn", "param") or left.kind != right.kind:
        return False
    if left.kind == "type":
        return True
    if left.kind in ("list", "map", "opaque") and len(left.params) == len(right.params):
        pairs = zip(left.params, right.params, strict=True)
        return left.name == right.name and all(_less_specific(a, b) for a, b in pairs)
    return left == right


def substitute(bindings: Mapping, kind: Type, *, free_to_dyn: bool) -> Type:
    """The type with its parameters replaced; unbound ones become dyn where asked."""
    if kind.kind == "param":
        known = bindings.get(kind.name)
        if known is not None:
            return substitute(bindings, known, free_to_dyn=free_to_dyn)
        return DYN if free_to_dyn else kind
    if not kind.params:
        return kind
    params = tuple(substitute(bindings, inner, free_to_dyn=free_to_dyn) for inner in kind.params)
    return Type(kind.kind, kind.name, params)
