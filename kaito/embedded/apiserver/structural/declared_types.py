"""The CEL types of a schema, with the sizes that cost estimates go by (k8s.io/apiserver/pkg/cel/common/schemas.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kaito.embedded.apiserver.structural.cel import types
from kaito.embedded.apiserver.structural.cel.estimates import Range
from kaito.embedded.apiserver.structural.cel.types import Type
from kaito.embedded.apiserver.structural.naming import escape

Json = Mapping[str, Any]
REQUEST_BYTES: Final = 3 * 1024 * 1024
_RESOURCE: Final[dict[str, Json]] = {
    "kind": {"type": "string"},
    "apiVersion": {"type": "string"},
    "metadata": {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}},
}
# (most characters, least bytes of JSON)
_FORMATS: Final = {
    "duration": (types.DURATION, 32, 4),
    "date": (types.TIMESTAMP, 12, 12),
    "date-time": (types.TIMESTAMP, 35, 21),
}


@dataclass
class Declared:
    """`least` is the smallest JSON of a value in bytes, `most` the largest number of characters, items or members."""

    type: Type
    least: int
    most: int = 0
    element: Declared | None = None
    key: Declared | None = None
    fields: dict[str, Declared] = field(default_factory=dict)

    def named(self, name: str) -> Declared:
        """The same with a name for each object type below: `self.spec`, `self.list.@idx`."""
        if self.type.kind == "object":
            fields = {key: child.named(f"{name}.{key}") for key, child in self.fields.items()}
            return Declared(Type("object", name), self.least, self.most, fields=fields)
        if self.element is None:
            return self
        step = "@idx" if self.type.kind == "list" else "@elem"
        element = self.element.named(f"{name}.{step}")
        kind = Type(self.type.kind, params=(*self.type.params[:-1], element.type))
        return Declared(kind, self.least, self.most, element, self.key)

    def objects(self) -> dict[str, dict[str, Type]]:
        """The fields of every object type in it, by the type's name."""
        found: dict[str, dict[str, Type]] = {}
        if self.type.kind == "object":
            found[self.type.name] = {name: child.type for name, child in self.fields.items()}
        for child in (*self.fields.values(), *([self.element] if self.element is not None else [])):
            found |= child.objects()
        return found

    def size_at(self, path: tuple[str, ...]) -> Range | None:
        """How large a value at a path can be; the path begins with the name of the variable."""
        if not path:
            return None
        at: Declared | None = self
        for step in path[1:]:
            if at is None:
                return None
            match step:
                case "@items" | "@values":
                    at = at.element
                case "@keys":
                    at = at.key
                case _:
                    at = at.fields.get(step)
        return Range(0, at.most) if at is not None else None


def declare(schema: Json, *, is_resource: bool = False) -> Declared | None:
    """The type of a schema's values; None where rules cannot see them (no type, or items and members of none)."""
    if schema.get("x-kubernetes-int-or-string"):
        longest = _longest(schema) if schema.get("maxLength") is not None else REQUEST_BYTES - 2
        return Declared(types.DYN, 1, longest)
    match schema.get("type"):
        case "array":
            return _list(schema)
        case "object":
            return _object(schema, is_resource=is_resource)
        case "string":
            return _string(schema)
        case "boolean":
            return Declared(types.BOOL, 4)
        case "number":
            return Declared(types.DOUBLE, 1)
        case "integer":
            return Declared(types.INT, 1)
    return None


def _nested(schema: Json) -> Declared | None:
    return declare(schema, is_resource=bool(schema.get("x-kubernetes-embedded-resource")))


def _list(schema: Json) -> Declared | None:
    items = schema.get("items")
    element = _nested(items) if isinstance(items, dict) else None
    if element is None:
        return None
    most = schema.get("maxItems")
    if most is None:
        most = (REQUEST_BYTES - 2) // (element.least + 1)
    return Declared(types.list_of(element.type), 2, max(most, 0), element)


def _object(schema: Json, *, is_resource: bool) -> Declared | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        element = _nested(additional)
        if element is None:
            return None
        most = schema.get("maxProperties")
        if most is None:
            most = (REQUEST_BYTES - 2) // (element.least + 6)
        key = Declared(types.STRING, 2)
        return Declared(types.map_of(types.STRING, element.type), 2, max(most, 0), element, key)
    properties = {**(schema.get("properties") or {}), **(_RESOURCE if is_resource else {})}
    required = schema.get("required") or ()
    fields: dict[str, Declared] = {}
    least = 2
    for name, child in properties.items():
        found = _nested(child)
        if found is None:
            continue
        if (escaped := escape(name)) is not None:
            fields[escaped] = found
        if name in required and "default" not in child:
            least += len(name) + found.least + 4
    return Declared(Type("object", "object"), least, fields=fields)


def _longest(schema: Json) -> int:
    return max(int(schema["maxLength"]), 0) * 4


def _string(schema: Json) -> Declared:
    form, length = schema.get("format"), schema.get("maxLength")
    if form == "byte":
        return Declared(types.BYTES, 2, max(length, 0) if length is not None else REQUEST_BYTES - 2)
    if form in _FORMATS:
        kind, most, least = _FORMATS[form]
        return Declared(kind, least, most)
    if length is not None:
        return Declared(types.STRING, 2, _longest(schema))
    if schema.get("enum"):
        return Declared(
            types.STRING, 2, max((len(v.encode()) for v in schema["enum"] if isinstance(v, str)), default=0)
        )
    return Declared(types.STRING, 2, REQUEST_BYTES - 2)
