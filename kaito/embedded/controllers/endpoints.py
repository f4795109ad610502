"""Endpoints, the older form of EndpointSlices that some clients still read. Source: pkg/controller/endpoint."""

from __future__ import annotations

from functools import partial
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.service_endpoints import (
    HEADLESS,
    LABEL_INDEX,
    SELECTOR_INDEX,
    Port,
    address_of,
    backends,
    hostname_of,
    is_headless,
    label_keys,
    ports_of,
    selector_keys,
    serves,
    services_of,
    target_of,
)
from kaito.kube.errors import AlreadyExists
from kaito.kube.objects import Key, is_deleting
from kaito.kube.resources import ENDPOINTS, PODS, SERVICES

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"


def desired_subsets(service: Object, pods: list[Object]) -> list[dict[str, Any]]:
    """The subsets: pods with the same ports together, ready and not ready apart; pods being deleted are left out."""
    groups: dict[tuple[Port, ...], dict[str, Any]] = {}
    for pod in backends(service, pods, with_terminating=False):
        ports = ports_of(service, pod)
        if not ports and not is_headless(service):
            continue
        subset = groups.setdefault(ports, {})
        address: dict[str, Any] = {"ip": address_of(pod), "targetRef": target_of(pod)}
        if pod["spec"].get("nodeName"):
            address["nodeName"] = pod["spec"]["nodeName"]
        hostname = hostname_of(service, pod)
        if hostname:
            address["hostname"] = hostname
        subset.setdefault("addresses" if serves(service, pod) else "notReadyAddresses", []).append(address)
    return [
        {**subset, **({"ports": [port.as_dict(keep_empty_name=False) for port in ports]} if ports else {})}
        for ports, subset in sorted(groups.items())
    ]


class Endpoints:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._services, self._endpoints = cluster.cache(SERVICES), cluster.cache(ENDPOINTS)
        self._pods = cluster.cache(PODS)
        self._services.add_index(SELECTOR_INDEX, selector_keys)
        self._pods.add_index(LABEL_INDEX, label_keys)
        by_selector = partial(self._services.informer.by_index, SELECTOR_INDEX)
        cluster.run(
            "endpoint",
            self.reconcile,
            watches={SERVICES: None, PODS: services_of(by_selector), ENDPOINTS: None},
        )

    async def reconcile(self, key: Key) -> None:
        """Bring the Endpoints of one Service in line with its pods; those of a Service that is gone are deleted."""
        service, existing = self._services.get(key), self._endpoints.get(key)
        if service is None:
            if existing is not None and not is_deleting(existing) and _is_ours(existing):
                await self._endpoints.delete(existing)
            return
        if not selector_keys(service):
            return
        labels = {k: v for k, v in (service["metadata"].get("labels") or {}).items() if k != HEADLESS}
        labels |= {MANAGED_BY: MANAGER} | ({HEADLESS: ""} if is_headless(service) else {})
        selected = self._pods.by_index(LABEL_INDEX, selector_keys(service)[0])
        subsets = desired_subsets(service, selected)
        if existing is None:
            metadata = {"name": key.name, "namespace": key.namespace, "labels": labels}
            body: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
            try:
                await self._endpoints.create(body | ({"subsets": subsets} if subsets else {}))
            except AlreadyExists:
                return
        elif (existing.get("subsets") or []) != subsets or (existing["metadata"].get("labels") or {}) != labels:
            await self._endpoints.update(
                {**existing, "metadata": {**existing["metadata"], "labels": labels}, "subsets": subsets}
            )


def _is_ours(endpoints: Object) -> bool:
    return (endpoints["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER
