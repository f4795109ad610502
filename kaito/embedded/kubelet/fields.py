"""The downward API: fields of a pod, and resources of its containers, as text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kaito.embedded.addresses import HOST_ADDRESS, socket_address
from kaito.kube.quantities import parse_quantity

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")


class UnknownField(ValueError):
    """A field path that the downward API does not have."""


@dataclass(frozen=True)
class PodFacts:
    """A pod with what only its kubelet knows."""

    pod: Mapping[str, Any]
    pod_ip: str
    """API address; empty while it has none."""
    allocatable: Mapping[str, str]
    """Of the node: what a container without a limit may use."""

    def field(self, path: str) -> str:
        """The value of a ``fieldRef``. `UnknownField`.

        ``status.podIP`` is the *socket* address, the one that a process of the pod can bind.
        """
        metadata, spec = self.pod["metadata"], self.pod["spec"]
        if match := _SUBSCRIPT.match(path):
            return str((metadata.get(match[1]) or {}).get(match[2], ""))
        socket_ip = socket_address(self.pod_ip) if self.pod_ip else ""
        simple: dict[str, str] = {
            "metadata.name": metadata["name"],
            "metadata.namespace": metadata.get("namespace", ""),
            "metadata.uid": metadata.get("uid", ""),
            "metadata.labels": _formatted(metadata.get("labels") or {}),
            "metadata.annotations": _formatted(metadata.get("annotations") or {}),
            "spec.nodeName": spec.get("nodeName", ""),
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "status.hostIP": HOST_ADDRESS,
            "status.hostIPs": HOST_ADDRESS,
            "status.podIP": socket_ip,
            "status.podIPs": socket_ip,
        }
        if path not in simple:
            raise UnknownField(f"unsupported fieldPath: {path}")
        return simple[path]

    def resource(self, reference: Mapping[str, Any], container: Mapping[str, Any]) -> str:
        """The value of a ``resourceFieldRef`` about ``container``, divided and rounded up. `UnknownField`."""
        name = str(reference.get("resource", ""))
        kind, _, resource = name.partition(".")
        if kind not in ("limits", "requests") or not resource:
            raise UnknownField(f"unsupported container resource: {name}")
        resources = container.get("resources") or {}
        value = (resources.get(kind) or {}).get(resource)
        if value is None and kind == "limits":
            value = self.allocatable.get(resource)
        divisor = parse_quantity(reference.get("divisor") or "1")
        if divisor == 0:
            divisor = Decimal(1)
        return str(math.ceil(parse_quantity(value or "0") / divisor))


def _formatted(values: Mapping[str, str]) -> str:
    """``key="value"`` lines in order; source: the kubelet's FormatMap."""
    return "\n".join(f"{key}={json.dumps(values[key], ensure_ascii=False)}" for key in sorted(values))


def container_named(pod: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A container or init container of a pod by name. `UnknownField`."""
    spec = pod["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        if container["name"] == name:
            return dict(container)
    raise UnknownField(f"container {name} not found")
