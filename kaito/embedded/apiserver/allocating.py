"""Cluster IPs and node ports for Services."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from kaito.embedded.apiserver.errors import Cause, GroupResource, invalid
from kaito.embedded.apiserver.store import Object

NODE_PORTS = range(30000, 32768)
_SERVICE = GroupResource("", "Service")
_TYPES_WITH_PORTS = ("NodePort", "LoadBalancer")


class ServiceAddresses:
    """Gives addresses out lowest first, never twice. Freed ones are reused only after the range was walked once."""

    def __init__(self, network: str) -> None:
        """`network` as a CIDR, e.g. 127.96.0.0/16; its first host is the API server's own."""
        self.network = ipaddress.ip_network(network)
        self.api_server = str(self.network[1])
        self._taken: set[str] = set()
        self._ports: set[int] = set()
        self._next = 10  # the first addresses are left for fixed ones, as in the real allocator's static band
        self._next_port = NODE_PORTS.start

    def adopt(self, service: Object) -> None:
        """Counts the addresses of a stored Service as taken."""
        spec = service.get("spec") or {}
        self._taken.update(ip for ip in cluster_ips(spec) if ip != "None")
        self._ports.update(node_ports(spec))

    def assign(self, new: Object, old: Object | None) -> None:
        """Fills in what `new` lacks and takes it. Raises a 422 for addresses that are taken or out of range."""
        spec = new.setdefault("spec", {})
        before = (old or {}).get("spec") or {}
        name = new["metadata"].get("name", "")
        if spec.get("type") == "ExternalName":
            self._drop_addresses(spec)
        else:
            self._assign_ip(spec, before, name)
        if spec.get("type") in _TYPES_WITH_PORTS:
            self._assign_ports(spec, before, name)
        else:
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)

    @staticmethod
    def _drop_addresses(spec: dict[str, Any]) -> None:
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(field, None)

    def _assign_ip(self, spec: dict[str, Any], before: dict[str, Any], name: str) -> None:
        wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
        if not wanted:
            wanted = self._free_ip()
        elif wanted != "None" and wanted not in cluster_ips(before):
            self._check_ip(wanted, name)
        if wanted != "None":
            self._taken.add(wanted)
        spec["clusterIP"] = wanted
        spec["clusterIPs"] = [wanted]
        # Whoever writes the endpoints of a headless service without a selector may use either family.
        anywhere = wanted == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if anywhere else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if anywhere else "SingleStack")

    def _check_ip(self, wanted: str, name: str) -> None:
        try:
            inside = ipaddress.ip_address(wanted) in self.network
        except ValueError:
            inside = False
        problem = ""
        if not inside:
            problem = f"failed to allocate IP {wanted}: the provided IP ({wanted}) is not in the valid range. " + (
                f"The range of valid IPs is {self.network}"
            )
        elif wanted in self._taken or wanted == self.api_server:
            problem = f"failed to allocate IP {wanted}: provided IP is already allocated"
        if problem:
            message = f'Invalid value: ["{wanted}"]: {problem}'
            raise invalid(_SERVICE, name, [Cause("FieldValueInvalid", message, "spec.clusterIPs")])

    def _free_ip(self) -> str:
        size = self.network.num_addresses
        for step in range(size):
            offset = 2 + (self._next - 2 + step) % (size - 3)
            candidate = str(self.network[offset])
            if candidate not in self._taken:
                self._next = offset + 1
                return candidate
        raise invalid(
            _SERVICE, "", [Cause("InternalError", "failed to allocate a serviceIP: range is full", "spec.clusterIPs")]
        )

    def _assign_ports(self, spec: dict[str, Any], before: dict[str, Any], name: str) -> None:
        held = set(node_ports(before))
        for index, port in enumerate(spec.get("ports") or ()):
            wanted = port.get("nodePort")
            if not wanted:
                wanted = port["nodePort"] = self._free_port(set(node_ports(spec)))
            elif wanted not in held and (wanted in self._ports or wanted not in NODE_PORTS):
                taken = wanted in NODE_PORTS
                why = (
                    "provided port is already allocated"
                    if taken
                    else f"provided port is not in the valid range. The range of valid ports is "
                    f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
                )
                cause = Cause("FieldValueInvalid", f"Invalid value: {wanted}: {why}", f"spec.ports[{index}].nodePort")
                raise invalid(_SERVICE, name, [cause])
            self._ports.add(wanted)

    def _free_port(self, wanted: set[int]) -> int:
        for step in range(len(NODE_PORTS)):
            candidate = NODE_PORTS.start + (self._next_port - NODE_PORTS.start + step) % len(NODE_PORTS)
            if candidate not in self._ports and candidate not in wanted:
                self._next_port = candidate + 1
                return candidate
        raise invalid(
            _SERVICE, "", [Cause("InternalError", "failed to allocate a nodePort: range is full", "spec.ports")]
        )

    def release(self, gone: Object, kept: Object | None = None) -> None:
        """Frees what `gone` held and `kept` (its next state, or its former one after a failed write) does not."""
        spec = gone.get("spec") or {}
        still = (kept or {}).get("spec") or {}
        self._taken.difference_update(set(cluster_ips(spec)) - set(cluster_ips(still)))
        self._ports.difference_update(set(node_ports(spec)) - set(node_ports(still)))


def cluster_ips(spec: dict[str, Any]) -> Iterable[str]:
    """Every cluster IP of a Service's spec, "None" included."""
    listed = list(spec.get("clusterIPs") or ())
    single = spec.get("clusterIP")
    return listed if not single or single in listed else [*listed, single]


def node_ports(spec: dict[str, Any]) -> Iterable[int]:
    """Every node port of a Service's spec."""
    return [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]
