"""Pods and pod templates."""

from __future__ import annotations

import re
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import (
    forbidden,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from kaito.embedded.apiserver.kinds.internal import difference, internal_pod_spec
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.containers import (
    UNIX_ID,
    check_containers,
    check_init_containers,
    check_seccomp,
)
from kaito.embedded.apiserver.kinds.validating.pod_subresources import check_ephemeral_containers
from kaito.embedded.apiserver.kinds.validating.scheduling import check_affinity, check_spread, check_tolerations
from kaito.embedded.apiserver.kinds.validating.selectors import check_labels
from kaito.embedded.apiserver.kinds.validating.volumes import check_volumes

Json = dict[str, Any]
DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
SYSCTL: Final = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
SYSCTL_MESSAGE: Final = (
    r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*"
    "[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)
DEADLINE: Final = "must be between 1 and 2147483647, inclusive"


def check_pod_spec(spec: Json, path: str) -> list[Cause]:
    causes = check_volumes(
        spec.get("volumes") or [], f"{path}.volumes", service_account=spec.get("serviceAccountName", "")
    )
    volumes = {volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("name")}
    grace = spec.get("terminationGracePeriodSeconds", 30)
    host_network = bool(spec.get("hostNetwork"))
    main = spec.get("containers") or []
    causes += check_containers(main, f"{path}.containers", volumes, grace=grace, host_network=host_network)
    init = spec.get("initContainers") or []
    causes += check_init_containers(
        init, main, f"{path}.initContainers", volumes, grace=grace, host_network=host_network
    )
    causes += check_ephemeral_containers(spec, f"{path}.ephemeralContainers", volumes)
    policy = spec.get("restartPolicy", "")
    if policy not in RESTART_POLICIES:
        field = f"{path}.restartPolicy"
        causes.append(not_supported(field, policy, RESTART_POLICIES) if policy else required(field))
    if spec.get("dnsPolicy", "") not in DNS_POLICIES:
        causes.append(not_supported(f"{path}.dnsPolicy", spec.get("dnsPolicy", ""), DNS_POLICIES))
    causes += check_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    causes += _check_security(spec, path)
    causes += _check_references(spec, path)
    causes += check_affinity(spec.get("affinity"), f"{path}.affinity")
    causes += _check_dns(spec.get("dnsConfig"), spec.get("dnsPolicy", ""), f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType", "")
        causes += invalid_each(f"{path}.readinessGates[{index}].conditionType", kind, names.qualified_name(kind))
    causes += _check_scheduling_gates(spec.get("schedulingGates") or [], f"{path}.schedulingGates")
    causes += check_spread(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints")
    causes += _check_names(spec, path)
    causes += check_tolerations(spec.get("tolerations") or [], f"{path}.tolerations")
    causes += _check_host_aliases(spec.get("hostAliases") or [], f"{path}.hostAliases")
    if name := spec.get("priorityClassName"):
        causes += invalid_each(f"{path}.priorityClassName", name, names.subdomain(name))
    if name := spec.get("runtimeClassName"):
        causes += invalid_each(f"{path}.runtimeClassName", name, names.subdomain(name))
    if spec.get("preemptionPolicy") not in (None, "PreemptLowerPriority", "Never"):
        options = ("PreemptLowerPriority", "Never")
        causes.append(not_supported(f"{path}.preemptionPolicy", spec["preemptionPolicy"], options))
    system = spec.get("os")
    if system is not None and system.get("name") not in ("linux", "windows"):
        name = system.get("name", "")
        options = ("linux", "windows")
        causes.append(not_supported(f"{path}.os", name, options) if name else required(f"{path}.os.name"))
    for index, claim in enumerate(spec.get("resourceClaims") or ()):
        if not claim.get("name"):
            causes.append(required(f"{path}.resourceClaims[{index}].name"))
    return causes


def _check_security(spec: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    context, here = spec.get("securityContext") or {}, f"{path}.securityContext"
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        if (value := context.get(field)) is not None and not 0 <= value < 2**31:
            causes.append(invalid(f"{here}.{field}", value, UNIX_ID))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group < 2**31:
            causes.append(invalid(f"{here}.supplementalGroups[{index}]", group, UNIX_ID))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(invalid(f"{here}.shareProcessNamespace", True, detail))
    for index, sysctl in enumerate(context.get("sysctls") or ()):
        name = sysctl.get("name", "")
        if not name:
            causes.append(required(f"{here}.sysctls[{index}].name"))
        elif len(name) > 253 or not SYSCTL.fullmatch(name):
            causes.append(invalid(f"{here}.sysctls[{index}].name", name, SYSCTL_MESSAGE))
    if context.get("fsGroupChangePolicy") not in (None, "Always", "OnRootMismatch"):
        options = ("Always", "OnRootMismatch")
        causes.append(not_supported(f"{here}.fsGroupChangePolicy", context["fsGroupChangePolicy"], options))
    return causes + check_seccomp(context.get("seccompProfile"), f"{here}.seccompProfile")


def _check_references(spec: Json, path: str) -> list[Cause]:
    if name := spec.get("serviceAccountName"):
        return invalid_each(f"{path}.serviceAccountName", name, names.subdomain(name))
    return []


def _check_names(spec: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if name := spec.get("nodeName"):
        causes += invalid_each(f"{path}.nodeName", name, names.subdomain(name))
    if (deadline := spec.get("activeDeadlineSeconds")) is not None and not 1 <= deadline < 2**31:
        causes.append(invalid(f"{path}.activeDeadlineSeconds", deadline, DEADLINE))
    for field in ("hostname", "subdomain"):
        if name := spec.get(field):
            causes += invalid_each(f"{path}.{field}", name, names.label(name))
    return causes


def _check_dns(config: Json | None, policy: str, path: str) -> list[Cause]:
    if policy == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", detail)]
    causes: list[Cause] = []
    for index, server in enumerate((config or {}).get("nameservers") or ()):
        causes += invalid_each(f"{path}.nameservers[{index}]", server, names.ip_address(server))
    for index, search in enumerate((config or {}).get("searches") or ()):
        causes += invalid_each(f"{path}.searches[{index}]", search, names.search_domain(search.removesuffix(".")))
    for index, option in enumerate((config or {}).get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{path}.options[{index}]", "must not be empty"))
    return causes


def _check_scheduling_gates(gates: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        causes += invalid_each(f"{path}[{index}]", name, names.qualified_name(name))
    return causes


def _check_host_aliases(aliases: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, alias in enumerate(aliases):
        causes += invalid_each(f"{path}[{index}].ip", alias.get("ip", ""), names.ip_address(alias.get("ip", "")))
        for at, host in enumerate(alias.get("hostnames") or ()):
            causes += invalid_each(f"{path}[{index}].hostnames[{at}]", host, names.subdomain(host))
    return causes


def check_pod(pod: Json) -> list[Cause]:
    return check_pod_spec(pod.get("spec") or {}, "spec")


def check_pod_create(pod: Json) -> list[Cause]:
    causes = check_pod(pod)
    if (pod.get("spec") or {}).get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if (pod.get("spec") or {}).get("nodeName") and (pod.get("spec") or {}).get("schedulingGates"):
        causes.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return causes


def check_template(template: Json, path: str) -> list[Cause]:
    metadata = template.get("metadata") or {}
    causes = check_labels(metadata.get("labels") or {}, f"{path}.labels")
    causes += check_pod_spec(template.get("spec") or {}, f"{path}.spec")
    if (template.get("spec") or {}).get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        causes.append(forbidden(f"{path}.spec.ephemeralContainers", detail))
    return causes


UPDATABLE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod_update(new: Json, old: Json) -> list[Cause]:
    """What an update of the pod itself may change: images, tolerations to come, a deadline that gets shorter."""
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    causes: list[Cause] = []
    for field in ("containers", "initContainers"):
        mine, theirs = spec.get(field) or [], known.get(field) or []
        if len(mine) != len(theirs):
            return [forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
        for index, container in enumerate(mine):
            if not container.get("image"):
                causes.append(required(f"spec.{field}[{index}].image"))
    deadline, before = spec.get("activeDeadlineSeconds"), known.get("activeDeadlineSeconds")
    if deadline is not None:
        if deadline < 0 or deadline > 2**31 - 1:
            return [
                *causes,
                invalid("spec.activeDeadlineSeconds", deadline, "must be between 0 and 2147483647, inclusive"),
            ]
        if before is not None and deadline > before:
            detail = "must be less than or equal to previous value"
            return [*causes, invalid("spec.activeDeadlineSeconds", deadline, detail)]
    elif before is not None:
        causes.append(
            invalid("spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value")
        )
    causes += _check_added_tolerations(spec.get("tolerations") or [], known.get("tolerations") or [])
    munged = _with_updatable(spec, known)
    if munged != known:
        causes.append(
            forbidden("spec", f"{UPDATABLE}\n{difference(internal_pod_spec(munged), internal_pod_spec(known))}")
        )
    return causes


def _check_added_tolerations(new: list[Json], old: list[Json]) -> list[Cause]:
    def identity(toleration: Json) -> tuple[Any, ...]:
        return tuple(toleration.get(name, "") for name in ("key", "operator", "value", "effect"))

    known = {identity(toleration) for toleration in new}
    if any(identity(toleration) not in known for toleration in old):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        return [forbidden("spec.tolerations", detail)]
    return []


def _with_updatable(spec: Json, known: Json) -> Json:
    """The new spec with everything that may change put back: what still differs may not."""
    munged = dict(spec)
    for field in ("containers", "initContainers"):
        if field in spec and field in known:
            munged[field] = [
                {**mine, "image": theirs.get("image", "")}
                for mine, theirs in zip(spec[field] or (), known[field] or (), strict=True)
            ]
    for field in ("activeDeadlineSeconds", "tolerations"):
        if field in known:
            munged[field] = known[field]
        else:
            munged.pop(field, None)
    if known.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = known["terminationGracePeriodSeconds"]
    if known.get("schedulingGates"):
        munged["schedulingGates"] = known["schedulingGates"]
        for field in ("nodeSelector", "affinity"):
            if field in known:
                munged[field] = known[field]
            else:
                munged.pop(field, None)
    return munged
