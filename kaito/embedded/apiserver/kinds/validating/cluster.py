"""Nodes, leases, events, quotas, network policies and other kinds that need few checks."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.resources import STANDARD
from kaito.embedded.apiserver.kinds.validating.scheduling import check_taints
from kaito.embedded.apiserver.kinds.validating.selectors import check_selector, not_negative
from kaito.embedded.apiserver.kinds.validating.volumes import check_driver_name
from kaito.embedded.apiserver.schemas import quantities

Json = dict[str, Any]
QUOTA: Final = frozenset(
    [
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
        "storage",
    ]
)

ORDERED_LIMITS: Final = ("min", "defaultRequest", "default", "max")
WORDS: Final = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}
# (lower, upper, the field that is blamed)
LIMIT_PAIRS: Final = (
    ("min", "max", "min"), ("min", "defaultRequest", "defaultRequest"), ("defaultRequest", "max", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest"), ("min", "default", "default"), ("default", "max", "default"),
)  # fmt: skip


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


def check_event(event: Json) -> list[Cause]:
    """Events of the core group: only their namespace is looked at."""
    involved, namespace = event.get("involvedObject") or {}, (event.get("metadata") or {}).get("namespace", "")
    if event.get("eventTime"):
        return _check_new_event(event, involved, "reportingComponent")
    here = "involvedObject.namespace"
    found = involved.get("namespace", "")
    if found:
        return [] if found == namespace else [invalid(here, found, "does not match event.namespace")]
    return [] if namespace == "default" else [invalid(here, found, "does not match event.namespace")]


def check_new_event(event: Json) -> list[Cause]:
    """Events of events.k8s.io."""
    causes = [] if event.get("eventTime") else [required("eventTime")]
    return causes + _check_new_event(event, event.get("regarding") or {}, "reportingController")


def _check_new_event(event: Json, involved: Json, controller: str) -> list[Cause]:
    causes: list[Cause] = []
    namespace = (event.get("metadata") or {}).get("namespace", "")
    if involved.get("namespace", "") != namespace and (involved.get("namespace") or namespace != "default"):
        found = involved.get("namespace", "")
        causes.append(invalid("involvedObject.namespace", found, "does not match event.namespace"))
    name = event.get(controller, "")
    if not name:
        causes.append(required("reportingController"))
    else:
        causes += invalid_each("reportingController", name, names.qualified_name(name))
    for field in ("reportingInstance", "action", "reason"):
        if not event.get(field):
            causes.append(required(field))
    if event.get("type") not in ("Normal", "Warning"):
        causes.append(invalid("type", event.get("type", ""), "has invalid value: "))
    return causes


def check_resource_quota(quota: Json) -> list[Cause]:
    causes: list[Cause] = []
    for name, amount in ((quota.get("spec") or {}).get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        complaints = names.qualified_name(name)
        causes += invalid_each(path, name, complaints)
        if (
            not complaints
            and "/" not in name
            and name not in QUOTA
            and not name.startswith(("hugepages-", "requests.", "limits."))
        ):
            if name not in STANDARD:
                causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
            causes.append(invalid(path, name, "must be a standard resource for quota"))
        if quantities.value_of(amount) < 0:
            causes.append(invalid(path, amount, names.NOT_NEGATIVE))
    return causes


def check_limit_range(limits: Json) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate((limits.get("spec") or {}).get("limits") or ()):
        for name in sorted({name for field in ORDERED_LIMITS for name in item.get(field) or ()}):
            found = {field: (item.get(field) or {}).get(name) for field in ORDERED_LIMITS}
            for lower, upper, field in LIMIT_PAIRS:
                low, high = found[lower], found[upper]
                if low is not None and high is not None and quantities.value_of(low) > quantities.value_of(high):
                    detail = f"{WORDS[lower]} value {low} is greater than {WORDS[upper]} value {high}"
                    shown = low if (lower, upper) == ("min", "default") else found[field]
                    causes.append(invalid(f"spec.limits[{index}].{field}[{name}]", shown, detail))
    return causes


def check_network_policy(policy: Json) -> list[Cause]:
    spec = policy.get("spec") or {}
    causes = check_selector(spec.get("podSelector"), "spec.podSelector")
    kinds = spec.get("policyTypes") or []
    if len(kinds) > 2:
        return [*causes, invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")]
    for index, kind in enumerate(kinds):
        if kind not in ("Ingress", "Egress"):
            causes.append(not_supported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress")))
    return causes


def check_ingress(ingress: Json) -> list[Cause]:
    spec = ingress.get("spec") or {}
    if not spec.get("defaultBackend") and not spec.get("rules"):
        return [invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified")]
    return []


def check_runtime_class(runtime: Json) -> list[Cause]:
    return invalid_each("handler", runtime.get("handler", ""), names.label(runtime.get("handler", "")))


def check_runtime_class_update(new: Json, old: Json) -> list[Cause]:
    if new.get("handler") != old.get("handler"):
        return [invalid("handler", new.get("handler"), names.IMMUTABLE)]
    return []


def check_csi_node(node: Json) -> list[Cause]:
    causes: list[Cause] = []
    for index, driver in enumerate((node.get("spec") or {}).get("drivers") or ()):
        path = f"spec.drivers[{index}]"
        causes += check_driver_name(driver.get("name", ""), f"{path}.name")
        if not driver.get("nodeID"):
            causes.append(required(f"{path}.nodeID"))
    return causes
