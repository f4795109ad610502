"""Kinds that only subresources take and give (Scale, Binding, Eviction, TokenRequest), read as any other object is."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from kaito.embedded.apiserver.bodies import read_object
from kaito.embedded.apiserver.builtin_strategy import BuiltinStrategy
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.decoding import decode
from kaito.embedded.apiserver.errors import bad_request
from kaito.embedded.apiserver.kinds.model import Column, Kind
from kaito.embedded.apiserver.kinds.printing.text import age
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.strategies import Row
from kaito.embedded.apiserver.writing import ensure_namespace

_OLD_VERSIONS = {
    "Scale": ("extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"),
    "Eviction": ("policy/v1beta1",),
}
"""Versions in which a body is still read; a Scale in one of them is refused then."""
_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_AGE = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)


class _ScaleStrategy(BuiltinStrategy):
    """Scales have columns of their own."""

    def __init__(self, kind: Kind, *, custom: bool) -> None:
        super().__init__(kind)
        self._unset = None if custom else 0

    def row(self, obj: Object, now: datetime) -> Row:
        metadata = obj["metadata"]
        desired, available = obj["spec"].get("replicas", self._unset), obj["status"].get("replicas", 0)
        return Row([metadata["name"], desired, available, age(metadata.get("creationTimestamp"), now)])


def _scale_columns(*, custom: bool) -> tuple[Column, ...]:
    desired, available = "Number of desired replicas", "Number of actual replicas"
    if not custom:
        desired = "replicas is the desired number of instances for the scaled object."
        available = "replicas is the actual number of observed instances of the scaled object."
    return (
        Column("Name", "string", "name" if custom else "", _NAME),
        Column("Desired", "integer", "", desired),
        Column("Available", "integer", "", available),
        Column("Age", "date" if custom else "string", "", _AGE),
    )


@functools.cache
def subresource_kind(api_version: str, kind: str, *, custom: bool = False, sent_as: str = "") -> Resource:
    """A kind as a resource that is never served by itself. `custom`: a Scale of custom resources.

    `sent_as` is the version that a client named, where that is an old one.
    """
    group, _, version = api_version.rpartition("/")
    columns = _scale_columns(custom=custom) if kind == "Scale" else ()
    own = Kind(group, version, f"{kind.lower()}s", kind.lower(), kind, f"{kind}List", True, columns=columns)
    strategy = _ScaleStrategy(own, custom=custom) if kind == "Scale" else BuiltinStrategy(own)
    if sent_as:
        group, _, version = sent_as.rpartition("/")
        own = Kind(group, version, own.plural, own.singular, kind, own.list_kind, True, columns=columns)
    return Resource(own, strategy, "", frozenset(), go_type="*v1.Scale" if custom else "")


async def read_body(call: Call, kind: Resource, namespace: str, validation: str) -> Object:
    """The object in a request's body, with the namespace of the path. Raises 400 and 415."""
    body, raw = await read_object(call, kind.kind.kind)
    name = kind.kind.kind
    sent: Any = body.get("apiVersion")
    old = sent in _OLD_VERSIONS.get(name, ()) and body.get("kind") in (name, "", None)
    read_as = subresource_kind(kind.api_version, name, sent_as=sent) if old else kind
    obj = decode(read_as, body, raw, validation, call)
    if old and name == "Scale":
        raise bad_request(
            f"the API version in the data ({sent}) does not match the expected API version ({kind.api_version})"
        )
    ensure_namespace(obj, namespace)
    return obj
