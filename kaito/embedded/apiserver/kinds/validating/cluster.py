"""Nodes, leases, runtime classes and other kinds that need few checks."""

from __future__ import annotations

from typing import Any

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import duplicate, forbidden, invalid, invalid_each
from kaito.embedded.apiserver.kinds.internal import internal
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.object_meta import check_standard_finalizers
from kaito.embedded.apiserver.kinds.validating.resources import check_requirements
from kaito.embedded.apiserver.kinds.validating.scheduling import check_taints, check_tolerations
from kaito.embedded.apiserver.kinds.validating.selectors import check_labels, not_negative

Json = dict[str, Any]


def check_node(node: Json) -> list[Cause]:
    spec = node.get("spec") or {}
    causes = check_taints(spec.get("taints") or [], "metadata.taints")
    for index, cidr in enumerate(spec.get("podCIDRs") or ()):
        causes += invalid_each(f"spec.podCIDRs[{index}]", cidr, names.cidr(cidr))
    return causes


def check_node_update(new: Json, old: Json) -> list[Cause]:
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    causes: list[Cause] = []
    if known.get("podCIDRs") and spec.get("podCIDRs") != known["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        causes.append(forbidden("spec.podCIDRs", detail))
    if known.get("providerID") and spec.get("providerID") != known["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        causes.append(forbidden("spec.providerID", detail))
    return causes + check_node(new)


def check_namespace_finalizers(namespace: Json) -> list[Cause]:
    """ValidateNamespaceFinalizeUpdate."""
    spec = namespace.get("spec") or {}
    causes: list[Cause] = []
    for index, finalizer in enumerate(spec.get("finalizers") or ()):
        causes += invalid_each(f"spec.finalizers[{index}]", finalizer, names.qualified_name(finalizer))
    return causes + check_standard_finalizers(spec, "spec")


def check_namespace_status(namespace: Json) -> list[Cause]:
    """The phase says whether the namespace is being deleted."""
    phase = (namespace.get("status") or {}).get("phase", "")
    going = bool(namespace["metadata"].get("deletionTimestamp"))
    wanted, state = ("Terminating", "not empty") if going else ("Active", "empty")
    if phase == wanted:
        return []
    return [invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` is {state}")]


def check_lease(lease: Json) -> list[Cause]:
    spec = lease.get("spec") or {}
    causes: list[Cause] = []
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        causes.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    return causes + not_negative(spec.get("leaseTransitions"), "spec.leaseTransitions")


def check_runtime_class(runtime: Json) -> list[Cause]:
    causes = invalid_each("handler", runtime.get("handler", ""), names.label(runtime.get("handler", "")))
    if (overhead := (runtime.get("overhead") or {}).get("podFixed")) is not None:
        causes += check_requirements({"limits": overhead}, "overhead")
    scheduling = runtime.get("scheduling") or {}
    causes += check_labels(scheduling.get("nodeSelector") or {}, "scheduling.nodeSelector")
    tolerations = scheduling.get("tolerations") or []
    causes += check_tolerations(tolerations, "scheduling.tolerations.tolerations")
    for index, toleration in enumerate(tolerations):
        if toleration in tolerations[:index]:
            causes.append(duplicate(f"scheduling.tolerations[{index}]", internal("core.Toleration", toleration)))
    return causes


def check_runtime_class_update(new: Json, old: Json) -> list[Cause]:
    if new.get("handler") != old.get("handler"):
        return [invalid("handler", new.get("handler"), names.IMMUTABLE)]
    return []
