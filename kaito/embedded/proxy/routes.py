"""What services stand for: pure functions over Service and EndpointSlice objects, and the table they fill."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kaito.embedded.addresses import HOST_ADDRESS, socket_address

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
Address = tuple[str, int]
"""An IPv4 address and a port."""


@dataclass(frozen=True)
class ServicePort:
    """One port of one service."""

    namespace: str
    service: str
    name: str
    port: int
    protocol: str
    listen: tuple[Address, ...]
    """Where clients find it: the ClusterIP, and a node port."""
    sticky_seconds: int | None = None
    """Session affinity by client address."""


@dataclass
class Balancer:
    """The backends of one service port, in turn."""

    backends: tuple[Address, ...] = ()
    _turn: itertools.count[int] = field(default_factory=itertools.count)
    _sticky: dict[str, tuple[Address, float]] = field(default_factory=dict)

    def order(self, client: str, *, sticky_seconds: int | None, now: float) -> list[Address]:
        """The backends in the order in which to try them for this client."""
        if not self.backends:
            return []
        start = next(self._turn) % len(self.backends)
        order = [*self.backends[start:], *self.backends[:start]]
        if sticky_seconds is None:
            return order
        known = self._sticky.get(client)
        if known is not None and known[1] > now and known[0] in order:
            order.remove(known[0])
            order.insert(0, known[0])
        self._sticky[client] = (order[0], now + sticky_seconds)
        return order


def service_ports(service: Mapping[str, Any]) -> list[ServicePort]:
    """The ports of a service that have an address; none for headless and external-name services."""
    spec = service["spec"]
    cluster_ip = spec.get("clusterIP")
    if not cluster_ip or cluster_ip == "None" or spec.get("type") == "ExternalName":
        return []
    sticky = None
    if spec.get("sessionAffinity") == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        sticky = int(config.get("timeoutSeconds") or 10800)
    result = []
    for entry in spec.get("ports") or ():
        listen: list[Address] = [(cluster_ip, int(entry["port"]))]
        if entry.get("nodePort"):
            listen.append((HOST_ADDRESS, int(entry["nodePort"])))
        result.append(
            ServicePort(
                namespace=service["metadata"].get("namespace", ""),
                service=service["metadata"]["name"],
                name=entry.get("name") or "",
                port=int(entry["port"]),
                protocol=entry.get("protocol") or "TCP",
                listen=tuple(listen),
                sticky_seconds=sticky,
            )
        )
    return result


def backends(port_name: str, slices: Iterable[Mapping[str, Any]]) -> tuple[Address, ...]:
    """The socket addresses of the ready endpoints behind a port, each once, in order.

    When none is ready, endpoints that still serve while they terminate are used, as kube-proxy does.
    """
    ready: dict[Address, None] = {}
    serving: dict[Address, None] = {}
    for item in slices:
        if item.get("addressType", "IPv4") != "IPv4":
            continue
        for entry in item.get("ports") or ():
            if (entry.get("name") or "") != port_name or entry.get("port") is None:
                continue
            for endpoint in item.get("endpoints") or ():
                conditions = endpoint.get("conditions") or {}
                target = ready if conditions.get("ready", True) in (True, None) else serving
                if target is serving and not (conditions.get("serving") and conditions.get("terminating")):
                    continue
                for address in endpoint.get("addresses") or ():
                    target[(socket_address(address), int(entry["port"]))] = None
    return tuple(ready or serving)


def service_of(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Namespace and name of the service that an EndpointSlice belongs to."""
    name = (item["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL)
    return (item["metadata"].get("namespace", ""), name) if name else None


def dns_name(host: str) -> tuple[str, str] | None:
    """(namespace, service) for ``svc.ns``, ``svc.ns.svc`` and ``svc.ns.svc.cluster.local``; ``svc`` alone is taken to
    be in ``default``. None for what cannot be a service's name."""
    labels = host.rstrip(".").lower().removesuffix(".cluster.local").removesuffix(".svc").split(".")
    if len(labels) == 1 and labels[0]:
        return "default", labels[0]
    if len(labels) == 2 and all(labels):
        return labels[1], labels[0]
    return None
