"""Claims, volumes and storage classes."""

from __future__ import annotations

import copy
import math
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import duplicate, forbidden, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.internal import difference, internal
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.scheduling import check_node_selector
from kaito.embedded.apiserver.kinds.validating.selectors import check_selector
from kaito.embedded.apiserver.kinds.validating.volumes import ORDER, check_source
from kaito.embedded.apiserver.schemas import quantities
from kaito.embedded.apiserver.schemas.decoding import emptied

Json = dict[str, Any]
CSI_SECRETS: Final = (
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeStageSecretRef",
    "nodeExpandSecretRef",
)  # fmt: skip
MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
CLAIM_UPDATE: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)
SOURCE_UPDATE: Final = "spec.persistentvolumesource is immutable after creation"


def _check_modes(modes: list[str], path: str) -> list[Cause]:
    causes = [not_supported(path, mode, MODES) for mode in modes if mode not in MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        causes.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return causes


def _check_size(amount: Any, path: str) -> list[Cause]:
    return [] if quantities.value_of(amount) > 0 else [invalid(path, amount, "must be greater than zero")]


def check_claim_spec(spec: Json, path: str) -> list[Cause]:
    modes = spec.get("accessModes") or []
    causes = [] if modes else [required(f"{path}.accessModes", "at least 1 access mode is required")]
    causes += check_selector(spec.get("selector"), f"{path}.selector")
    causes += _check_modes(modes, f"{path}.accessModes")
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    here = f"{path}.resources[storage]"
    causes += [required(here)] if storage is None else _check_size(storage, here)
    if name := spec.get("storageClassName"):
        causes += invalid_each(f"{path}.storageClassName", name, names.subdomain(name))
    if spec.get("volumeMode") not in (None, "Block", "Filesystem"):
        causes.append(not_supported(f"{path}.volumeMode", spec["volumeMode"], ("Block", "Filesystem")))
    for field in ("dataSource", "dataSourceRef"):
        if (source := spec.get(field)) is not None:
            causes += _check_data_source(source, f"{path}.{field}")
    return causes


def _check_data_source(source: Json, path: str) -> list[Cause]:
    causes = [required(f"{path}.{field}") for field in ("name", "kind") if not source.get(field)]
    if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
        detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        causes.append(invalid(path, source.get("kind", ""), detail))
    return causes


def check_claim(claim: Json) -> list[Cause]:
    return check_claim_spec(claim.get("spec") or {}, "spec")


def check_claim_update(new: Json, old: Json) -> list[Cause]:
    """Only the size of a bound claim may grow; a volume's name may be filled in."""
    spec, known = copy.copy(new.get("spec") or {}), old.get("spec") or {}
    if not known.get("volumeName") and spec.get("volumeName"):
        known = {**known, "volumeName": spec["volumeName"]}
    if known.get("storageClassName") is None and spec.get("storageClassName") is not None:
        known = {**known, "storageClassName": spec["storageClassName"]}
    bound = (old.get("status") or {}).get("phase") == "Bound"
    causes: list[Cause] = []
    mine = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    theirs = ((known.get("resources") or {}).get("requests") or {}).get("storage")
    if bound and mine is not None and theirs is not None:
        spec["resources"] = known.get("resources")
        if "volumeAttributesClassName" in spec:
            known = {**known, "volumeAttributesClassName": spec["volumeAttributesClassName"]}
    if spec != known:
        mine_shown, known_shown = (internal("core.PersistentVolumeClaimSpec", s) for s in (spec, known))
        causes.append(forbidden("spec", f"{CLAIM_UPDATE}\n{difference(mine_shown, known_shown)}"))
    if theirs is not None and quantities.value_of("0" if mine is None else mine) < quantities.value_of(theirs):
        detail = "field can not be less than status.capacity"
        causes.append(forbidden("spec.resources.requests.storage", detail))
    return causes


def check_volume(volume: Json) -> list[Cause]:
    spec = volume.get("spec") or {}
    modes, capacity = spec.get("accessModes") or [], spec.get("capacity") or {}
    causes = [] if modes else [required("spec.accessModes")]
    causes += _check_modes(modes, "spec.accessModes")
    if not capacity:
        causes.append(required("spec.capacity"))
    if "storage" not in capacity or len(capacity) > 1:
        shown = dict(sorted(capacity.items())) or emptied(spec, "capacity")
        causes.append(not_supported("spec.capacity", shown, ("storage",)))
    for name, amount in capacity.items():
        here, value = f"spec.capacity[{name}]", quantities.value_of(amount)
        if value < 0:
            causes.append(invalid(here, math.floor(value), "must be a valid resource quantity"))
        causes += _check_size(amount, here)
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy not in (None, "", "Delete", "Recycle", "Retain"):
        options = ("Delete", "Recycle", "Retain")
        causes.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, options))
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if affinity is not None:
        causes += check_node_selector(affinity, "spec.nodeAffinity.required")
    sources = {kind: value for kind, value in spec.items() if kind in ORDER}
    causes += check_source(sources, "spec", skip=())
    if "csi" in sources:
        causes += _check_persistent_csi(sources["csi"], "spec.csi")
    if "local" in sources and affinity is None:
        causes.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    if name := spec.get("storageClassName"):
        causes += invalid_each("spec.storageClassName", name, names.subdomain(name))
    if spec.get("volumeMode") not in (None, "Block", "Filesystem"):
        causes.append(not_supported("spec.volumeMode", spec["volumeMode"], ("Block", "Filesystem")))
    return causes


def _check_persistent_csi(source: Json, path: str) -> list[Cause]:
    causes = [] if source.get("volumeHandle") else [required(f"{path}.volumeHandle")]
    for field in CSI_SECRETS:
        reference = source.get(field)
        if reference is not None:
            causes += [required(f"{path}.{field}.{name}") for name in ("name", "namespace") if not reference.get(name)]
    return causes


def check_volume_update(new: Json, old: Json) -> list[Cause]:
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    causes: list[Cause] = []
    mine, theirs = ({kind: value for kind, value in s.items() if kind in ORDER} for s in (spec, known))
    if mine != theirs:
        shown = difference(*(internal("core.PersistentVolumeSource", source) for source in (mine, theirs)))
        causes.append(forbidden("spec.persistentvolumesource", f"{SOURCE_UPDATE}\n{shown}"))
    if spec.get("volumeMode") != known.get("volumeMode"):
        causes.append(invalid("spec.volumeMode", spec.get("volumeMode"), names.IMMUTABLE))
    return causes


def check_storage_class(storage: Json) -> list[Cause]:
    provisioner = storage.get("provisioner", "")
    causes = (
        [required("provisioner")]
        if not provisioner
        else invalid_each("provisioner", provisioner.lower(), names.qualified_name(provisioner.lower()))
    )
    if storage.get("reclaimPolicy") not in (None, "Delete", "Retain"):
        causes.append(not_supported("reclaimPolicy", storage["reclaimPolicy"], ("Delete", "Retain")))
    if storage.get("volumeBindingMode") not in ("Immediate", "WaitForFirstConsumer"):
        options = ("Immediate", "WaitForFirstConsumer")
        causes.append(not_supported("volumeBindingMode", storage.get("volumeBindingMode", ""), options))
    return causes + _check_topologies(storage.get("allowedTopologies") or [], "allowedTopologies")


def _check_topologies(terms: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    # Go's list starts with an empty term for each: a term without expressions is its own duplicate.
    seen: list[dict[str, set[str]]] = [{} for _ in terms]
    for index, term in enumerate(terms):
        found: dict[str, set[str]] = {}
        for at, expression in enumerate(term.get("matchLabelExpressions") or ()):
            here, key = f"{path}[{index}].matchLabelExpressions[{at}]", expression.get("key", "")
            values = expression.get("values") or []
            causes += [] if values else [required(f"{here}.values")]
            for place, value in enumerate(values):
                if value in values[:place]:
                    causes.append(duplicate(f"{here}.values[{place}]", value))
            causes += invalid_each(f"{here}.key", key, names.qualified_name(key))
            if key in found:
                causes.append(duplicate(f"{here}.key", key))
            found[key] = set(values)
        causes += [duplicate(f"{path}[{index}].matchLabelExpressions", "") for other in seen if other == found]
        seen.append(found)
    return causes


def check_storage_class_update(new: Json, old: Json) -> list[Cause]:
    causes: list[Cause] = []
    if new.get("parameters") != old.get("parameters"):
        causes.append(forbidden("parameters", "updates to parameters are forbidden."))
    for field in ("provisioner", "reclaimPolicy", "volumeBindingMode"):
        if new.get(field) != old.get(field):
            forbidding = f"updates to {field} are forbidden."
            causes.append(
                invalid(field, new.get(field), names.IMMUTABLE)
                if field == "volumeBindingMode"
                else forbidden(field, forbidding)
            )
    return causes
