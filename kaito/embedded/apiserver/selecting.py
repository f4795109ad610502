"""Selectors of a request, made into one test on entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kaito.embedded.apiserver.errors import bad_request
from kaito.embedded.apiserver.list_options import ListOptions
from kaito.embedded.apiserver.resources import Resource, as_text, read_path
from kaito.embedded.apiserver.selectors import FieldSelector, LabelSelector, quoted
from kaito.embedded.apiserver.store import Entry, Object

_METADATA = ("metadata.name", "metadata.namespace")
_OWN_WORDS = frozenset(
    (
        *(("", plural) for plural in ("events", "namespaces", "nodes", "pods", "replicationcontrollers", "secrets")),
        *(("", "services"), ("events.k8s.io", "events"), ("certificates.k8s.io", "certificatesigningrequests")),
    )
)
"""Kinds that refuse an unknown field without saying which ones there are."""
_OTHER_NAMES = {"status.successful": "status.succeeded"}
_ZEROS = {
    "spec.hostNetwork": "false",
    "spec.unschedulable": "false",
    "status.replicas": "0",
    "status.successful": "0",
}
"""What built-in fields that are absent compare as."""


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

    @property
    def name(self) -> str | None:
        """The one name that can match, where a field selector says so."""
        return self.fields.value_of("metadata.name")

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
    """What a list or watch is about. `name` narrows it to one object (a watch on a single one). Raises a 400."""
    supported = {*resource.kind.selectable_fields, *resource.fields, *_METADATA}
    if resource.group_resource in _OWN_WORDS and not resource.namespaced:
        supported -= {"metadata.namespace"}
    for field, _, _ in options.fields.terms:
        if field not in supported:
            raise bad_request(_unsupported(resource, field))
    fields = options.fields
    if name:
        if fields.terms and fields.value_of("metadata.name") != name:
            raise bad_request("fieldSelector metadata.name doesn't match requested name")
        fields = FieldSelector((("metadata.name", name, True),)) if not fields.terms else fields
    return Selection(namespace, options.labels, fields, _reader(resource))


def _unsupported(resource: Resource, field: str) -> str:
    """The words for a field that nothing can be selected by; some kinds have their own."""
    if resource.group_resource == ("batch", "jobs"):
        return f"field label {quoted(field)} not supported for Job"
    if resource.group_resource == ("resource.k8s.io", "resourceslices"):
        return f"field label not supported for {resource.api_version}, Kind=ResourceSlice: {field}"
    if resource.custom or resource.group_resource in _OWN_WORDS:
        return f"field label not supported: {field}"
    return f'{quoted(field)} is not a known field selector: only "metadata.name", "metadata.namespace"'


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
        value = read_path(obj, paths.get(field, _OTHER_NAMES.get(field, field)))
        if value is None and field in _ZEROS and not resource.custom:
            return _ZEROS[field]
        return as_text(value)

    return read
