"""Whether a node can take a pod that was bound to it, and what of a pod's wishes is not carried out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from kaito.embedded.scheduler.filtering import NOT_SELECTED, PORT_TAKEN
from kaito.embedded.scheduler.node_affinity import selects_node
from kaito.embedded.scheduler.requests import amounts, host_ports, pod_requests, ports_clash


def rejection(
    pod: Mapping[str, Any],
    others: Iterable[Mapping[str, Any]],
    allocatable: Mapping[str, str],
    node: Mapping[str, Any] | None = None,
) -> tuple[str, str] | None:
    """Reason and message when ``pod`` does not fit beside ``others`` on a node, or None.

    Without ``node`` its labels are not looked at. Source: pkg/kubelet/lifecycle/predicate.go.
    """
    others = list(others)
    capacity = amounts(allocatable)
    if "pods" in capacity and len(others) + 1 > capacity["pods"]:
        return _insufficient("pods", 1, len(others), capacity["pods"])
    used: Counter[str] = Counter()
    for other in others:
        used.update(pod_requests(other))
    for name, wanted in pod_requests(pod).items():
        available = capacity.get(name, 0)
        if wanted > 0 and wanted + used[name] > available:
            return _insufficient(name, wanted, used[name], available)
    if node is not None and not selects_node(pod, node):
        return "NodeAffinity", f"Predicate NodeAffinity failed: {NOT_SELECTED}"
    if ports_clash(host_ports(pod), (port for other in others for port in host_ports(other))):
        return "NodePorts", f"Predicate NodePorts failed: {PORT_TAKEN}"
    return None


def _insufficient(name: str, wanted: int, used: int, capacity: int) -> tuple[str, str]:
    message = f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {capacity}"
    return f"OutOf{name}", message


def not_carried_out(pod: Mapping[str, Any]) -> list[str]:
    """The fields of a pod spec that ask for something a process of this machine does not get."""
    spec = pod["spec"]
    found: list[str] = []
    for name in ("hostPID", "hostIPC", "hostAliases", "dnsConfig", "runtimeClassName"):
        if spec.get(name):
            found.append(f"spec.{name}")
    found += _security("spec.securityContext", spec.get("securityContext") or {})
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            where = f"spec.{field}{{{container['name']}}}"
            found += _security(f"{where}.securityContext", container.get("securityContext") or {})
            ports = container.get("ports") or ()
            if not spec.get("hostNetwork") and any(port.get("hostPort") for port in ports):
                found.append(f"{where}.ports.hostPort")
            if container.get("volumeDevices"):
                found.append(f"{where}.volumeDevices")
    return found


def _security(where: str, context: Mapping[str, Any]) -> list[str]:
    asked = [
        name
        for name in ("privileged", "runAsUser", "runAsGroup", "readOnlyRootFilesystem", "sysctls")
        if context.get(name)
    ]
    if context.get("runAsNonRoot") and not context.get("runAsUser") and os.geteuid() == 0:
        asked.append("runAsNonRoot")
    if (context.get("capabilities") or {}).get("add"):
        asked.append("capabilities.add")
    return [f"{where}.{name}" for name in asked]
