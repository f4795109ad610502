"""The estimated cost of an expression (cel-go's checker/cost.go, with presence tests for nothing as in Kubernetes)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kaito.embedded.apiserver.structural.cel import types
from kaito.embedded.apiserver.structural.cel.checking import Checked
from kaito.embedded.apiserver.structural.cel.estimates import (
    LARGEST,
    ONE,
    PATTERN,
    TRAVERSAL,
    UNKNOWN,
    ZERO,
    CallEstimate,
    Range,
    fixed,
)
from kaito.embedded.apiserver.structural.cel.nodes import (
    ACCUMULATOR,
    Call,
    Comprehension,
    Ident,
    ListExpr,
    Literal,
    MapExpr,
    Node,
    Select,
)
from kaito.embedded.apiserver.structural.cel.types import Type
from kaito.embedded.apiserver.structural.cel.walking import children

Path = tuple[str, ...]
SizeOf = Callable[[Path], Range | None]
"""The size of what lies at a path through the declared types; None where the schema says nothing."""
_SCALARS: Final = frozenset(("bool", "double", "duration", "int", "timestamp", "uint"))
_CREATE_LIST, _CREATE_MAP, _CREATE_STRUCT = 10, 30, 40
_COMPARED: Final = ("less_", "greater_", "equals", "not_equals")


class Entries(NamedTuple):
    """Sizes of the keys (or positions) and values of a list or map that an expression makes."""

    kind: str
    key: Range
    value: Range


class Part(NamedTuple):
    """What a library's estimate sees of a target or argument."""

    node: Node | None
    path: Path
    type: Type
    size: Range | None


@dataclass
class _Local:
    path: Path
    size: Range | None
    entries: Entries | None


@dataclass
class Coster:
    """`library(function, overload, target, args)` knows the costs of Kubernetes' own functions."""

    checked: Checked
    size_at: SizeOf
    library: Callable[[Coster, str, str, Part | None, list[Part]], CallEstimate | None]
    paths: dict[int, Path] = field(default_factory=dict)
    sizes: dict[int, Range] = field(default_factory=dict)
    made: dict[int, Entries] = field(default_factory=dict)
    locals: dict[str, list[_Local]] = field(default_factory=dict)

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return ZERO
            case Ident():
                local = self._local(node.name)
                self.paths[id(node)] = local.path if local is not None else (node.name,)
                return ONE
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListExpr():
                return self._list(node)
            case MapExpr():
                return self._map(node)
            case Comprehension():
                return self._bind(node) if _is_bind(node) else self._comprehension(node)
        return _sum(map(self.cost, children(node))).plus(fixed(_CREATE_STRUCT))

    def part(self, node: Node) -> Part:
        path = self.path_of(node)
        if path and path[0] in (ACCUMULATOR, "__result__"):
            path = ()
        return Part(node, path, self.checked.type_of(node), self.size_of(node))

    def sized(self, part: Part) -> Range:
        if part.size is not None:
            return part.size
        return self.size_at(part.path) or UNKNOWN

    def path_of(self, node: Node) -> Path:
        if isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.path
        return self.paths.get(id(node), ())

    def size_of(self, node: Node) -> Range | None:
        if (known := self.sizes.get(id(node))) is not None:
            return known
        if (written := _written_size(node)) is not None:
            return written
        if (declared := self.size_at(self.path_of(node))) is not None:
            self.sizes[id(node)] = declared
            return declared
        if _is_scalar(self.checked.type_of(node)):
            return ONE
        if isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.size
        return None

    def entries_of(self, node: Node) -> Entries | None:
        if (known := self.made.get(id(node))) is not None:
            return known
        if isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.entries
        return None

    def _local(self, name: str) -> _Local | None:
        stack = self.locals.get(name)
        return stack[-1] if stack else None

    def _push(self, name: str, local: _Local) -> None:
        self.locals.setdefault(name, []).append(local)

    def _pop(self, name: str) -> None:
        self.locals[name].pop()

    def _known(self, node: Node) -> Range:
        return self.size_of(node) or UNKNOWN

    def _select(self, node: Select) -> Range:
        cost = self.cost(node.operand)
        if node.test:
            return cost
        if self.checked.type_of(node.operand).kind in ("map", "object", "param"):
            cost = cost.plus(ONE)
        self.paths[id(node)] = (*self.path_of(node.operand), node.field)
        return cost

    def _call(self, node: Call) -> Range:
        if node.function == "dyn":
            cost = ONE.plus(self.cost(node.args[0]))
            self._copy(node, node.args[0])
            return cost
        costs = []
        parts = []
        for arg in node.args:
            costs.append(self.cost(arg))
            parts.append(self.part(arg))
        if not node.overloads:
            return ZERO
        total, target = ZERO, None
        if node.target is not None:
            total = self.cost(node.target)
            target = self.part(node.target)
        spent, size = Range(LARGEST, 0), None
        for overload in node.overloads:
            estimate = self._function(node, overload, target, parts, costs)
            spent = spent.union(estimate.cost)
            if estimate.size is not None:
                size = estimate.size if size is None else size.union(estimate.size)
            if overload in ("index_list", "index_map"):
                entries = self.entries_of(node.args[0])
                size = entries.value if entries is not None else None
                step = "@items" if overload == "index_list" else "@values"
                self.paths[id(node)] = (*self.path_of(node.args[0]), step)
            size = size or self.size_of(node)
        if size is not None:
            self.sizes[id(node)] = size
        return total.plus(spent)

    def _copy(self, to: Node, source: Node) -> None:
        if (size := self.size_of(source)) is not None:
            self.sizes[id(to)] = size
        if (entries := self.entries_of(source)) is not None:
            self.made[id(to)] = entries

    def _list(self, node: ListExpr) -> Range:
        cost, size = ZERO, Range(LARGEST if node.elements else 0, 0)
        for element in node.elements:
            cost = cost.plus(self.cost(element))
            size = size.union(self._known(element))
        self.made[id(node)] = Entries("list", ONE, size)
        return cost.plus(fixed(_CREATE_LIST))

    def _map(self, node: MapExpr) -> Range:
        cost, keys = ZERO, Range(LARGEST if node.entries else 0, 0)
        values = keys
        for key, value, _ in node.entries:
            cost = cost.plus(self.cost(key)).plus(self.cost(value))
            keys, values = keys.union(self._known(key)), values.union(self._known(value))
        self.made[id(node)] = Entries("map", keys, values)
        return cost.plus(fixed(_CREATE_MAP))

    def _bind(self, node: Comprehension) -> Range:
        cost = self.cost(node.over).plus(self.cost(node.initial))
        initial = node.initial
        local = _Local(self.path_of(initial), self.size_of(initial), self.entries_of(initial))
        self._push(node.accumulator, local)
        cost = cost.plus(self.cost(node.result))
        self._pop(node.accumulator)
        self._copy(node, node.result)
        return cost

    def _comprehension(self, node: Comprehension) -> Range:
        cost = self.cost(node.over).plus(self.cost(node.initial))
        initial = node.initial
        local = _Local(self.path_of(initial), self.size_of(initial), self.entries_of(initial))
        self._push(node.accumulator, local)
        names = self._push_variables(node)
        loop = self.cost(node.condition)
        loop = self.cost(node.step).plus(loop)
        for name in names:
            self._pop(name)
        cost = cost.plus(self.cost(node.result))
        self._pop(node.accumulator)
        count = self._known(node.over)
        if isinstance(initial, Literal):
            if (size := self.size_of(initial)) is not None:
                self.sizes[id(node)] = size
        elif isinstance(initial, (ListExpr, MapExpr)):
            self.sizes[id(node)] = count
            if (entries := self.entries_of(node.step)) is not None:
                self.made[id(node)] = entries
        return cost.plus(count.times(loop))

    def _push_variables(self, node: Comprehension) -> list[str]:
        entries, path = self.entries_of(node.over), self.path_of(node.over)
        kind = entries.kind if entries is not None else self.checked.type_of(node.over).kind
        key, value = (entries.key, entries.value) if entries is not None else (None, None)
        if node.second:
            self._push(node.variable, _Local((*path, "@indices" if kind == "list" else "@keys"), key, None))
            self._push(node.second, _Local((*path, "@items" if kind == "list" else "@values"), value, None))
            return [node.variable, node.second]
        step, size = ("@items", value) if kind == "list" else ("@keys", key)
        self._push(node.variable, _Local((*path, step), size, None))
        return [node.variable]

    def _function(
        self, node: Call, overload: str, target: Part | None, parts: list[Part], costs: list[Range]
    ) -> CallEstimate:
        given = _sum(costs)
        estimate = self.library(self, node.function, overload, target, parts)
        if estimate is not None:
            return CallEstimate(estimate.cost.plus(given), estimate.size)
        estimate = self._standard(node, overload, target, parts, costs)
        return estimate or CallEstimate(ONE.plus(given))

    def _standard(
        self, node: Call, overload: str, target: Part | None, parts: list[Part], costs: list[Range]
    ) -> CallEstimate | None:
        given, sizes = _sum(costs), [part.size or UNKNOWN for part in parts]
        match overload:
            case "string_format" if target is not None:
                return CallEstimate((target.size or UNKNOWN).scaled(TRAVERSAL).plus(given))
            case "string_to_bytes":
                size = Range(sizes[0].low, min(sizes[0].high * 4, LARGEST))
                return CallEstimate(sizes[0].scaled(TRAVERSAL).plus(given), size)
            case "bytes_to_string":
                size = Range(sizes[0].low // 4, sizes[0].high)
                return CallEstimate(sizes[0].scaled(TRAVERSAL).plus(given), size)
            case "strings_quote":
                size = Range(sizes[0].low + 2, min(sizes[0].high * 2 + 2, LARGEST))
                return CallEstimate(sizes[0].scaled(TRAVERSAL).plus(given), size)
            case "starts_with_string" | "ends_with_string":
                return CallEstimate(sizes[0].scaled(TRAVERSAL).plus(given))
            case "in_list":
                return CallEstimate(sizes[1].scaled(1).plus(given))
            case "matches_string" if target is not None:
                text = (target.size or UNKNOWN).plus(ONE).scaled(TRAVERSAL)
                return CallEstimate(text.times(sizes[0].scaled(PATTERN)).plus(given))
            case "contains_string" if target is not None:
                text = (target.size or UNKNOWN).scaled(TRAVERSAL)
                return CallEstimate(text.times(sizes[0].scaled(TRAVERSAL)).plus(given))
            case "logical_or" | "logical_and":
                return CallEstimate(Range(costs[0].low, costs[0].plus(costs[1]).high))
            case "conditional":
                self._union_entries(node, node.args[1], node.args[2])
                return CallEstimate(costs[0].plus(costs[1].union(costs[2])), sizes[1].union(sizes[2]))
            case "add_string" | "add_bytes" | "add_list":
                self._union_entries(node, *node.args)
                size = sizes[0].plus(sizes[1])
                own = ONE if overload == "add_list" else size.scaled(TRAVERSAL)
                return CallEstimate(own.plus(given), size)
        if overload.startswith(_COMPARED) and overload.endswith(("string", "bytes", "equals")):
            most = min(sizes[0].high, sizes[1].high)
            return CallEstimate(Range(1 if most > 0 else 0, most).scaled(TRAVERSAL).plus(given))
        return None

    def _union_entries(self, node: Node, left: Node, right: Node) -> None:
        one, two = self.entries_of(left), self.entries_of(right)
        if one is not None and two is not None:
            self.made[id(node)] = Entries(one.kind, one.key.union(two.key), one.value.union(two.value))


def _sum(costs: Iterable[Range]) -> Range:
    total = ZERO
    for cost in costs:
        total = total.plus(cost)
    return total


def _is_bind(node: Comprehension) -> bool:
    return (
        isinstance(node.over, ListExpr)
        and not node.over.elements
        and isinstance(node.condition, Literal)
        and node.condition.value is False
        and node.accumulator != ACCUMULATOR
    )


def _written_size(node: Node) -> Range | None:
    match node:
        case Literal(value=value):
            return fixed(len(value) if isinstance(value, (str, bytes)) else 1)
        case ListExpr():
            return fixed(len(node.elements))
        case MapExpr():
            return fixed(len(node.entries))
    return None


def _is_scalar(kind: Type) -> bool:
    if types.is_optional(kind):
        return _is_scalar(kind.params[0])
    return kind.kind in _SCALARS
