"""Type checking (cel-go's checker), over the types that Kubernetes derives from schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kaito.embedded.apiserver.structural.cel import types
from kaito.embedded.apiserver.structural.cel.declarations import FUNCTIONS, NAMED_TYPES, Overload
from kaito.embedded.apiserver.structural.cel.errors import CompileError, Issue
from kaito.embedded.apiserver.structural.cel.nodes import (
    Call,
    Comprehension,
    Ident,
    ListExpr,
    Literal,
    MapExpr,
    Node,
    Select,
    StructExpr,
    qualified_name,
)
from kaito.embedded.apiserver.structural.cel.types import BOOL, DYN, ERROR, INT, STRING, Type
from kaito.embedded.apiserver.structural.cel.values import UInt

Fields = Mapping[str, Mapping[str, Type]]
"""The fields of each object type, by its name."""


@dataclass
class Checked:
    """What the checker found out: the type of each node, and whether `oldSelf` is named."""

    tree: Node
    types: dict[int, Type]
    names: set[str] = field(default_factory=set)

    def type_of(self, node: Node) -> Type:
        return self.types.get(id(node), DYN)

    @property
    def result(self) -> Type:
        return self.type_of(self.tree)


def check(source: str, tree: Node, variables: Mapping[str, Type], fields: Fields) -> Checked:
    """Types for every node. Raises CompileError."""
    checker = _Checker(variables, fields)
    checker.check(tree)
    if checker.issues:
        raise CompileError(source, checker.issues)
    found = {key: types.substitute(checker.bindings, kind, free_to_dyn=True) for key, kind in checker.types.items()}
    return Checked(tree, found, checker.names)


class _Checker:
    def __init__(self, variables: Mapping[str, Type], fields: Fields) -> None:
        self.issues: list[Issue] = []
        self.types: dict[int, Type] = {}
        self.bindings: types.Mapping = {}
        self.names: set[str] = set()
        self._fields = fields
        self._scopes: list[Mapping[str, Type]] = [NAMED_TYPES, variables]
        self._fresh = 0

    def check(self, node: Node) -> Type:
        kind = self._kind(node)
        self.types[id(node)] = kind
        return kind

    def _kind(self, node: Node) -> Type:
        match node:
            case Literal():
                return _literal(node.value)
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListExpr():
                return self._list(node)
            case MapExpr():
                return self._map(node)
            case Comprehension():
                return self._comprehension(node)
            case StructExpr():
                return self._struct(node)
        raise AssertionError(node)

    def _issue(self, node: Node, message: str) -> None:
        self.issues.append(Issue(node.at, message))

    def _shown(self, kind: Type) -> str:
        return str(types.substitute(self.bindings, kind, free_to_dyn=True))

    def _free(self) -> Type:
        self._fresh += 1
        return Type("param", f"_var{self._fresh}")

    def _assignable(self, left: Type, right: Type) -> bool:
        tried = dict(self.bindings)
        if types.assignable(tried, left, right):
            self.bindings = tried
            return True
        return False

    def _bound(self, kind: Type) -> Type:
        return types.substitute(self.bindings, kind, free_to_dyn=False)

    def _lookup(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _ident(self, node: Ident) -> Type:
        found = self._lookup(node.name.lstrip("."))
        if found is None:
            self._issue(node, f"undeclared reference to '{node.name}' (in container '')")
            return ERROR
        self.names.add(node.name)
        return found

    def _select(self, node: Select) -> Type:
        name = qualified_name(node)
        if name is not None and not node.test and (found := NAMED_TYPES.get(name)) is not None:
            return found
        operand = self._bound(self.check(node.operand))
        found = self._field(node, operand, node.field)
        return BOOL if node.test else found

    def _field(self, node: Node, operand: Type, name: str) -> Type:
        if types.is_optional(operand):
            inner = self._field(node, operand.params[0], name)
            return inner if types.is_optional(inner) else types.optional_of(inner)
        match operand.kind:
            case "map":
                return operand.params[1]
            case "object":
                found = self._fields.get(operand.name, {}).get(name)
                if found is None:
                    self._issue(node, f"undefined field '{name}'")
                    return ERROR
                return found
            case "dyn" | "error":
                return DYN
            case "param":
                self._assignable(operand, DYN)
                return DYN
            case _:
                self._issue(node, f"type '{self._shown(operand)}' does not support field selection")
                return ERROR

    def _call(self, node: Call) -> Type:
        if node.function == "_?._":
            return self._optional_field(node)
        args = [self.check(arg) for arg in node.args]
        if node.function in ("_&&_", "_||_") and node.target is None:
            return self._logical(node, args)
        if node.target is None:
            overloads = FUNCTIONS.get(node.function)
            if overloads is None:
                self._issue(node, f"undeclared reference to '{node.function}' (in container '')")
                return ERROR
            return self._resolve(node, overloads, args, member=False)
        prefix = qualified_name(node.target)
        if prefix is not None and (overloads := FUNCTIONS.get(f"{prefix}.{node.function}")) is not None:
            node.function, node.target = f"{prefix}.{node.function}", None
            return self._resolve(node, overloads, args, member=False)
        target = self.check(node.target)
        overloads = FUNCTIONS.get(node.function)
        if overloads is None:
            self._issue(node, f"undeclared reference to '{node.function}' (in container '')")
            return ERROR
        return self._resolve(node, overloads, [target, *args], member=True)

    def _logical(self, node: Call, args: list[Type]) -> Type:
        for arg, kind in zip(node.args, args, strict=True):
            self._assert(arg, BOOL, kind)
        node.overloads = ["logical_and" if node.function == "_&&_" else "logical_or"]
        return BOOL

    def _assert(self, node: Node, wanted: Type, found: Type) -> None:
        if not self._assignable(wanted, found):
            self._issue(node, f"expected type '{self._shown(wanted)}' but found '{self._shown(found)}'")

    def _optional_field(self, node: Call) -> Type:
        operand = self._bound(self.check(node.args[0]))
        name = node.args[1]
        assert isinstance(name, Literal)
        self.types[id(name)] = STRING
        inner = operand.params[0] if types.is_optional(operand) else operand
        found = self._field(node, inner, name.value)
        node.overloads = ["select_optional_field"]
        return found if types.is_optional(found) else types.optional_of(found)

    def _resolve(self, node: Call, overloads: tuple[Overload, ...], args: list[Type], *, member: bool) -> Type:
        result: Type | None = None
        node.overloads = []
        for overload in overloads:
            if overload.member != member:
                continue
            made, wanted, given = self._instance(overload)
            tried = dict(self.bindings)
            if not types.all_assignable(tried, tuple(args), wanted):
                continue
            self.bindings = tried
            node.overloads.append(made)
            given = self._bound(given)
            if result is None:
                result = given
            elif result != DYN and given != result:
                result = DYN
        if result is None:
            shown = [self._shown(arg) for arg in args]
            signature = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
            self._issue(node, f"found no matching overload for '{node.function}' applied to '{signature}'")
            return ERROR
        return result

    def _instance(self, overload: Overload) -> tuple[str, tuple[Type, ...], Type]:
        """The overload with type parameters of its own."""
        names = {inner.name for kind in (*overload.args, overload.result) for inner in _params(kind)}
        fresh = {name: self._free() for name in sorted(names)}
        if not fresh:
            return overload.id, overload.args, overload.result
        args = tuple(types.substitute(fresh, kind, free_to_dyn=False) for kind in overload.args)
        return overload.id, args, types.substitute(fresh, overload.result, free_to_dyn=False)

    def _joined(self, node: Node, known: Type | None, found: Type) -> Type:
        if known is None:
            return found
        if self._assignable(known, found):
            return types.most_general(known, found)
        return DYN

    def _list(self, node: ListExpr) -> Type:
        item: Type | None = None
        for index, element in enumerate(node.elements):
            found = self.check(element)
            if index in node.optional:
                found = self._unwrapped(element, found)
            item = self._joined(element, item, found)
        return types.list_of(item or self._free())

    def _unwrapped(self, node: Node, kind: Type) -> Type:
        kind = self._bound(kind)
        if types.is_optional(kind):
            return kind.params[0]
        if kind.kind not in ("dyn", "error"):
            self._issue(node, f"expected type 'optional_type({self._shown(kind)})' but found '{self._shown(kind)}'")
        return kind

    def _map(self, node: MapExpr) -> Type:
        key_type: Type | None = None
        value_type: Type | None = None
        for key, value, optional in node.entries:
            key_type = self._joined(key, key_type, self.check(key))
            found = self.check(value)
            if optional:
                found = self._unwrapped(value, found)
            value_type = self._joined(value, value_type, found)
        return types.map_of(key_type or self._free(), value_type or self._free())

    def _struct(self, node: StructExpr) -> Type:
        for _, value in node.entries:
            self.check(value)
        found = self._lookup(node.name)
        if found is None:
            self._issue(node, f"undeclared reference to '{node.name}' (in container '')")
        else:
            self._issue(node, f"'{node.name}' cannot be made by a rule on this server")
        return ERROR

    def _comprehension(self, node: Comprehension) -> Type:
        over = self._bound(self.check(node.over))
        accumulated = self.check(node.initial)
        match over.kind:
            case "list":
                first, second = (INT, over.params[0]) if node.second else (over.params[0], DYN)
            case "map":
                first, second = over.params
            case "dyn" | "error" | "param":
                first = second = DYN
                self._assignable(over, DYN)
            case _:
                message = "cannot be range of a comprehension (must be list, map, or dynamic)"
                self._issue(node.over, f"expression of type '{self._shown(over)}' {message}")
                first = second = ERROR
        self._scopes.append({node.accumulator: accumulated})
        inner = {node.variable: first}
        if node.second:
            inner[node.second] = second
        self._scopes.append(inner)
        self._assert(node.condition, BOOL, self.check(node.condition))
        self._assert(node.step, accumulated, self.check(node.step))
        self._scopes.pop()
        result = self.check(node.result)
        self._scopes.pop()
        return self._bound(result)


def _params(kind: Type) -> list[Type]:
    return [kind] if kind.kind == "param" else [inner for part in kind.params for inner in _params(part)]


def _literal(value: object) -> Type:
    if isinstance(value, bool):
        return BOOL
    for python, kind in ((UInt, types.UINT), (int, INT), (float, types.DOUBLE), (str, STRING), (bytes, types.BYTES)):
        if isinstance(value, python):
            return kind
    return types.NULL
