"""Selectors of a request, made into one test on entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kaito.embedded.apiserver.list_options import ListOptions
from kaito.embedded.apiserver.resources import Resource, as_text, read_path
from kaito.embedded.apiserver.selectors import FieldSelector, LabelSelector, parse_field_selector, parse_label_selector
from kaito.embedded.apiserver.store import Entry, Object

_METADATA = ("metadata.name", "metadata.namespace")
_BOOLEANS = ("spec.hostNetwork", "spec.unschedulable")  # printed "false" where they are absent


@dataclass(frozen=True)
class Selection:
    """Which entries a request is about."""

    namespace: str
    """"" for every namespace."""
    labels: LabelSelector
    fields: FieldSelector
    read_field: Callable[[Object, str], str]

    @property
    def filters(self) -> bool:
        """Whether selectors may leave something out."""
        return bool(self.labels.requirements or self.fields.terms)

    def matches(self, entry: Entry) -> bool:
        if self.namespace and entry.key.namespace != self.namespace:
            return False
        if self.labels.requirements and not self.labels.matches(entry.labels):
            return False
        if self.fields.terms:
            obj = entry.object
            return self.fields.matches(lambda field: self.read_field(obj, field))
        return True


def selection(resource: Resource, namespace: str, options: ListOptions, *, name: str = "") -> Selection:
    """Reads the selectors. `name` narrows to one object (a watch on a single one). Raises a 400."""
    labels = parse_label_selector(options.label_selector)
    supported = set(resource.kind.selectable_fields) | set(_METADATA[: 2 if resource.namespaced else 1])
    supported |= set(resource.fields) | set(_METADATA)
    fields = parse_field_selector(
        options.field_selector, lambda field: field in supported, lambda field: _unsupported(resource, field)
    )
    if name:
        fields = FieldSelector((*fields.terms, ("metadata.name", name, True)))
    return Selection(namespace, labels, fields, _reader(resource))


def _unsupported(resource: Resource, field: str) -> str:
    if resource.custom or len(resource.kind.selectable_fields) > len(_METADATA):
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _reader(resource: Resource) -> Callable[[Object, str], str]:
    paths = resource.fields
    events = resource.kind.kind == "Event"

    def read(obj: Object, field: str) -> str:
        if events:
            if field == "source":
                field = "source.component"
            elif field == "reportingComponent" and not obj.get("reportingComponent"):
                return as_text(read_path(obj, "source.component"))
            elif field.startswith("regarding."):
                field = "involvedObject." + field.removeprefix("regarding.")
        value = read_path(obj, paths.get(field, field))
        if value is None and field in _BOOLEANS:
            return "false"
        return as_text(value)

    return read
