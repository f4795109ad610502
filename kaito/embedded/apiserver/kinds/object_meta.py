"""Validation of metadata (k8s.io/apimachinery/pkg/api/validation/objectmeta.go)."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, required, too_long
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.names import Check

Json = dict[str, Any]
ANNOTATIONS_LIMIT: Final = 256 * 1024
STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def validate_object_meta(
    obj: Json, *, namespaced: bool, check: Check = names.subdomain, standard: bool = True
) -> list[Cause]:
    """ObjectMeta of a whole object; `check` complains about its name (subdomain, label, path segment).

    `standard`: finalizers without a slash must be Kubernetes' own.
    """
    path, metadata = "metadata", obj.get("metadata") or {}
    causes: list[Cause] = []
    name, generated = metadata.get("name") or "", metadata.get("generateName") or ""
    if generated:
        # The suffix to come stands for the last character: a trailing dash or dot is fine.
        stem = f"{generated[:-1]}a" if len(generated) > 1 and generated[-1] in "-." else generated
        causes += invalid_each(f"{path}.generateName", generated, check(stem))
    if not name:
        causes.append(required(f"{path}.name", "name or generateName is required"))
    else:
        causes += invalid_each(f"{path}.name", name, check(name))
    namespace = metadata.get("namespace") or ""
    if namespaced and not namespace:
        causes.append(required(f"{path}.namespace"))
    elif namespaced:
        causes += invalid_each(f"{path}.namespace", namespace, names.label(namespace))
    elif namespace:
        causes.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    causes += check_free_parts(metadata, path)
    return causes + (check_standard_finalizers(metadata, path) if standard else [])


def check_free_parts(metadata: Json, path: str) -> list[Cause]:
    """What is checked whatever the kind: generation, labels, annotations, owners, finalizers."""
    causes: list[Cause] = []
    if metadata.get("generation", 0) < 0:
        causes.append(invalid(f"{path}.generation", metadata["generation"], "must be a positive number"))
    causes += check_labels(metadata.get("labels") or {}, f"{path}.labels")
    causes += check_annotations(metadata.get("annotations") or {}, f"{path}.annotations")
    causes += check_owners(metadata.get("ownerReferences") or [], f"{path}.ownerReferences")
    return causes + check_finalizers(metadata.get("finalizers") or [], f"{path}.finalizers")


def check_labels(labels: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in labels.items():
        causes += invalid_each(path, key, names.qualified_name(key))
        causes += invalid_each(path, value, names.label_value(value))
    return causes


def check_annotations(annotations: Json, path: str) -> list[Cause]:
    """Keys are compared in lower case; keys and values together may have 256 KiB."""
    causes: list[Cause] = []
    for key in annotations:
        causes += invalid_each(path, key, names.qualified_name(key.lower()))
    total = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if total > ANNOTATIONS_LIMIT:
        causes.append(too_long(path, ANNOTATIONS_LIMIT))
    return causes


def check_owners(owners: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    controller: Json | None = None
    for owner in owners:
        causes += _check_owner(owner, path)
        if owner.get("controller"):
            if controller is not None:
                first, second = (f"{o.get('kind', '')}/{o.get('name', '')}" for o in (controller, owner))
                detail = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {first} and {second}'
                )
                causes.append(invalid(path, owners, detail))
            controller = owner
    return causes


def _check_owner(owner: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    api_version = owner.get("apiVersion") or ""
    group, _, version = api_version.rpartition("/")
    if not version or "/" in group:
        causes.append(invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
    for name in ("kind", "name", "uid"):
        if not owner.get(name):
            causes.append(invalid(f"{path}.{name}", "", "must not be empty"))
    if api_version == "v1" and owner.get("kind") == "Event":
        causes.append(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
    return causes


def check_finalizers(finalizers: list[str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for finalizer in finalizers:
        causes += invalid_each(path, finalizer, names.qualified_name(finalizer))
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        causes.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return causes


def check_standard_finalizers(metadata: Json, path: str) -> list[Cause]:
    detail = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid(f"{path}.finalizers[{index}]", finalizer, detail)
        for index, finalizer in enumerate(metadata.get("finalizers") or ())
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS
    ]


def check_embedded_metadata(metadata: Json, path: str) -> list[Cause]:
    """Metadata inside a custom resource (x-kubernetes-embedded-resource): names need only fit into a path."""
    causes: list[Cause] = []
    for field in ("generateName", "name"):
        if isinstance(value := metadata.get(field), str) and value:
            causes += invalid_each(f"{path}.{field}", value, names.path_segment(value))
    return causes + check_free_parts(metadata, path)


def validate_object_meta_update(new: Json, old: Json, *, standard: bool = False) -> list[Cause]:
    """What may not change, then once more what is checked on every write, as the real server does."""
    metadata, known = new.get("metadata") or {}, old.get("metadata") or {}
    causes: list[Cause] = []
    if known.get("deletionTimestamp"):
        # Finalizers can only be removed from an object that is going away.
        added = [f for f in metadata.get("finalizers") or [] if f not in (known.get("finalizers") or [])]
        if added:
            listed = ", ".join(f'"{finalizer}"' for finalizer in added)
            detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
            causes.append(forbidden("metadata.finalizers", f"{detail}[]string{{{listed}}}"))
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"):
        if (metadata.get(field) or None) != (known.get(field) or None):
            causes.append(invalid(f"metadata.{field}", metadata.get(field), names.IMMUTABLE))
    if metadata.get("deletionGracePeriodSeconds") != known.get("deletionGracePeriodSeconds"):
        causes.append(
            invalid("metadata.deletionGracePeriodSeconds", metadata.get("deletionGracePeriodSeconds"), names.IMMUTABLE)
        )
    if not metadata.get("resourceVersion"):
        causes.append(invalid("metadata.resourceVersion", metadata.get("resourceVersion") or "", UNCONDITIONAL))
    if metadata.get("generation", 0) < known.get("generation", 0):
        causes.append(invalid("metadata.generation", metadata.get("generation", 0), "must not be decremented"))
    causes += check_labels(metadata.get("labels") or {}, "metadata.labels")
    causes += check_annotations(metadata.get("annotations") or {}, "metadata.annotations")
    causes += check_owners(metadata.get("ownerReferences") or [], "metadata.ownerReferences")
    return causes + (check_standard_finalizers(metadata, "metadata") if standard else [])


UNCONDITIONAL: Final = "must be specified for an update"
