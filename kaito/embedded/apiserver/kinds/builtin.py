"""Every resource that a default kube-apiserver 1.34 serves, from one data file.

`data/kinds.json.gz` was written by tools/vendor_kubernetes/vendor.py from the discovery and Table answers of a real
kube-apiserver 1.34.4 (Kubernetes, Apache-2.0).
"""

from __future__ import annotations

import functools
import gzip
from importlib import resources
from typing import Any

import orjson

from kaito.embedded.apiserver.kinds.model import Column, Kind, Subresource


@functools.cache
def builtin_kinds() -> tuple[Kind, ...]:
    """All built-in kinds in discovery order: by group, then version, then resource name."""
    return tuple(_kind(entry) for entry in _data()["kinds"])


@functools.cache
def builtin_groups() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(group, versions) in the order of discovery; the preferred version first, the core group is ''."""
    return tuple((entry["name"], tuple(entry["versions"])) for entry in _data()["groups"])


@functools.cache
def find_kind(api_version: str, kind: str) -> Kind | None:
    """The resource that stores objects of a kind; kinds of subresources (Scale, Eviction) are not found."""
    return next((k for k in builtin_kinds() if k.api_version == api_version and k.kind == kind), None)


@functools.cache
def _data() -> Any:
    return orjson.loads(gzip.decompress(resources.files(__package__).joinpath("data", "kinds.json.gz").read_bytes()))


def _kind(entry: dict[str, Any]) -> Kind:
    return Kind(
        group=entry["group"],
        version=entry["version"],
        plural=entry["plural"],
        singular=entry["singular"],
        kind=entry["kind"],
        list_kind=entry.get("list_kind", f"{entry['kind']}List"),
        namespaced=entry["namespaced"],
        short_names=tuple(entry["short_names"]),
        categories=tuple(entry["categories"]),
        verbs=tuple(entry["verbs"]),
        subresources=tuple(sub["name"] for sub in entry["subresources"]),
        selectable_fields=(
            "metadata.name",
            *(("metadata.namespace",) if entry["namespaced"] else ()),
            *entry.get("selectable_fields", ()),
        ),
        columns=tuple(Column(**column) for column in entry.get("columns", ())),
        subresource_table=tuple(Subresource(**{**sub, "verbs": tuple(sub["verbs"])}) for sub in entry["subresources"]),
        storage_version_hash=entry["storage_version_hash"],
    )
