"""managedFields: who owns which fields (k8s.io/apimachinery/pkg/util/managedfields)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from kaito.embedded.apiserver.patching.field_sets import EMPTY, FieldSet, from_fields, to_fields

Json = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
# What the server itself writes belongs to nobody.
SERVER_OWNED: Final[FieldSet] = frozenset(
    {
        ("f:apiVersion",), ("f:kind",), ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                "managedFields", "resourceVersion",
            )
        ),
    }
)  # fmt: skip
MAXIMUM_UPDATE_MANAGERS: Final = 10
ANCIENT: Final = "ancient-changes"


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes: a name, Apply or Update, the subresource, and for updates the version written in."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Two writes with the same key share an entry; applies do whatever their version."""
        return (self.name, self.operation, "" if self.operation == APPLY else self.api_version, self.subresource)


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager's fields; `time` is RFC 3339 or empty."""

    manager: Manager
    fields: FieldSet
    time: str = ""


Entries = dict[tuple[str, str, str, str], Entry]


def read(obj: Json | None) -> Entries:
    """The entries of an object, by manager key. Entries of unknown field types are dropped, as the real server does."""
    found: Entries = {}
    for raw in ((obj or {}).get("metadata") or {}).get("managedFields") or ():
        if raw.get("fieldsType", "FieldsV1") != "FieldsV1" or raw.get("operation") not in (APPLY, UPDATE):
            continue
        manager = Manager(
            raw.get("manager", ""), raw["operation"], raw.get("apiVersion", ""), raw.get("subresource", "")
        )
        found[manager.key] = Entry(manager, from_fields(raw.get("fieldsV1")), raw.get("time") or "")
    return found


def write(obj: Json, entries: Entries) -> Json:
    """Sets the object's managedFields, sorted as the real server sorts them; without entries there is no such field."""
    metadata = obj.setdefault("metadata", {})
    documents = []
    for entry in sorted(entries.values(), key=_order):
        document: Json = {
            "manager": entry.manager.name,
            "operation": entry.manager.operation,
            "apiVersion": entry.manager.api_version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields(entry.fields),
            "subresource": entry.manager.subresource,
        }
        documents.append({key: value for key, value in document.items() if value != ""})
    if documents:
        metadata["managedFields"] = documents
    else:
        metadata.pop("managedFields", None)
    return obj


def _order(entry: Entry) -> tuple[str, str, str, str, str]:
    manager = entry.manager
    return (manager.operation, entry.time, manager.name, manager.api_version, manager.subresource)


def strip(entries: Entries) -> Entries:
    """Without server-owned fields and without entries that own nothing else."""
    kept: Entries = {}
    for key, entry in entries.items():
        fields = entry.fields - SERVER_OWNED
        if fields or (not entry.fields and entry.manager.operation == APPLY):
            kept[key] = replace(entry, fields=fields)
    return kept


def cap(entries: Entries) -> Entries:
    """At most ten update managers: the oldest are put together under `ancient-changes`."""
    updates = sorted((e for e in entries.values() if e.manager.operation == UPDATE), key=_order)
    excess = len(updates) - MAXIMUM_UPDATE_MANAGERS
    if excess <= 0:
        return entries
    kept = dict(entries)
    buckets: dict[str, Entry] = {}
    for entry in updates:
        if excess < 0 or (entry.manager.name == ANCIENT and entry.manager.api_version in buckets):
            break
        version = entry.manager.api_version
        del kept[entry.manager.key]
        bucket = buckets.get(version)
        if bucket is None:
            buckets[version] = Entry(Manager(ANCIENT, UPDATE, version), entry.fields, entry.time)
        else:
            buckets[version] = replace(bucket, fields=bucket.fields | entry.fields, time=entry.time)
        excess -= 1
    for bucket in buckets.values():
        kept[bucket.manager.key] = bucket
    return kept


def without_managed_fields(obj: Json) -> Json:
    """A shallow copy of the object whose metadata has no managedFields."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def reset_fields(group: str, kind: str, subresource: str, *, has_status: bool, is_custom: bool = False) -> FieldSet:
    """Fields that a write through this endpoint cannot own (GetResetFields of the registry strategies)."""
    if (group, kind) == SIGNING:
        return SIGNING_RESETS[subresource]
    if (group, kind) == ("networking.k8s.io", "ServiceCIDR"):
        return EMPTY  # its strategy names another version
    if not subresource:
        return frozenset({("f:status",)}) if has_status else EMPTY
    if subresource == "status":
        if is_custom:
            return frozenset({("f:spec",), ("f:metadata", "f:labels"), ("f:metadata", "f:annotations")})
        return frozenset({("f:spec",)}) | STATUS_RESETS.get((group, kind), EMPTY)
    return frozenset({("f:status",)}) if subresource == "finalize" else EMPTY


METADATA: Final[FieldSet] = frozenset({("f:metadata",)})
STATUS_RESETS: Final[dict[tuple[str, str], FieldSet]] = {
    ("", "Pod"): frozenset({("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")}),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): METADATA,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): METADATA,
    ("apiregistration.k8s.io", "APIService"): METADATA,
    ("apps", "Deployment"): frozenset({("f:metadata", "f:labels")}),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): METADATA,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): METADATA,
    ("resource.k8s.io", "ResourceClaim"): METADATA,
    ("storage.k8s.io", "VolumeAttachment"): METADATA,
}
SIGNING: Final = ("certificates.k8s.io", "CertificateSigningRequest")
SIGNING_RESETS: Final[dict[str, FieldSet]] = {
    "": frozenset({("f:spec",), ("f:status",)}),
    "status": frozenset({("f:spec",), ("f:status", "f:conditions")}),
    "approval": frozenset({("f:spec",), ("f:status", "f:certificate")}),
}
