"""EndpointSlices of Services with a selector. Source: k8s.io/endpointslice."""

from __future__ import annotations

from functools import partial
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.pods import is_ready
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
from kaito.kube.objects import Key, is_deleting, owner_reference
from kaito.kube.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
MOST_ENDPOINTS = 100
"""Endpoints in one slice."""
_ZONE = "topology.kubernetes.io/zone"


def desired_slices(service: Object, pods: list[Object], zones: dict[str, str]) -> list[dict[str, Any]]:
    """The slices without names: labels, address type, ports and endpoints, one or more for each set of ports.

    A Service without pods has one slice without endpoints. `zones` maps node names to zones.
    """
    groups: dict[tuple[Port, ...], list[dict[str, Any]]] = {}
    for pod in backends(service, pods, with_terminating=True):
        groups.setdefault(ports_of(service, pod), []).append(_endpoint(service, pod, zones))
    metadata = service["metadata"]
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HEADLESS}
    labels |= {MANAGED_BY: MANAGER, SERVICE_NAME: metadata["name"]}
    if is_headless(service):
        labels[HEADLESS] = ""
    family = (service["spec"].get("ipFamilies") or ["IPv4"])[0]
    if not groups:
        return [{"labels": labels, "addressType": family, "ports": None, "endpoints": None}]
    return [
        {
            "labels": labels,
            "addressType": family,
            "ports": [port.as_dict(keep_empty_name=True) for port in ports],
            "endpoints": endpoints[start : start + MOST_ENDPOINTS],
        }
        for ports, endpoints in groups.items()
        for start in range(0, len(endpoints), MOST_ENDPOINTS)
    ]


def _endpoint(service: Object, pod: Object, zones: dict[str, str]) -> dict[str, Any]:
    terminating = is_deleting(pod)
    endpoint: dict[str, Any] = {
        "addresses": [address_of(pod)],
        "conditions": {
            "ready": bool(service["spec"].get("publishNotReadyAddresses"))
            or (serves(service, pod) and not terminating),
            "serving": is_ready(pod),
            "terminating": terminating,
        },
        "targetRef": target_of(pod),
    }
    node = pod["spec"].get("nodeName")
    if node:
        endpoint["nodeName"] = node
        if zones.get(node):
            endpoint["zone"] = zones[node]
    hostname = hostname_of(service, pod)
    return endpoint | ({"hostname": hostname} if hostname else {})


def _content(slice_: Object) -> dict[str, Any]:
    return {
        "labels": slice_["metadata"].get("labels") or {},
        "addressType": slice_["addressType"],
        "ports": slice_.get("ports") or None,
        "endpoints": slice_.get("endpoints") or None,
    }


class EndpointSlices:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._services, self._slices = cluster.cache(SERVICES), cluster.cache(ENDPOINT_SLICES)
        self._pods, self._nodes = cluster.cache(PODS), cluster.cache(NODES)
        self._services.add_index(SELECTOR_INDEX, selector_keys)
        self._slices.add_index("service", _service_of)
        by_selector = partial(self._services.informer.by_index, SELECTOR_INDEX)
        self._pods.add_index(LABEL_INDEX, label_keys)
        cluster.run(
            "endpointslice",
            self.reconcile,
            watches={
                SERVICES: None,
                PODS: services_of(by_selector),
                ENDPOINT_SLICES: lambda obj: [Key(*value.split("/")) for value in _service_of(obj)],
            },
            needs=[NODES],
        )

    async def reconcile(self, key: Key) -> None:
        """Bring the slices of one Service in line with its pods."""
        service = self._services.get(key)
        existing = [
            each for each in self._slices.by_index("service", f"{key.namespace}/{key.name}") if not is_deleting(each)
        ]
        if service is None or is_deleting(service):
            for each in existing if service is None else ():
                await self._slices.delete(each)
            return
        selectors = selector_keys(service)
        if not selectors:
            return
        zones = {
            node["metadata"]["name"]: (node["metadata"].get("labels") or {}).get(_ZONE, "")
            for node in self._nodes.informer.list()
        }
        wanted = desired_slices(service, self._pods.by_index(LABEL_INDEX, selectors[0]), zones)
        left = list(existing)
        pending: list[dict[str, Any]] = []
        for each in wanted:
            same = next((slice_ for slice_ in left if _content(slice_) == each), None)
            if same is not None:
                left.remove(same)
            else:
                pending.append(each)
        for each in pending:
            reusable = next((s for s in left if s["addressType"] == each["addressType"]), None)
            if reusable is not None:
                left.remove(reusable)
                metadata = {**reusable["metadata"], "labels": each["labels"]}
                await self._slices.update(
                    {**reusable, "metadata": metadata, "ports": each["ports"], "endpoints": each["endpoints"]}
                )
            else:
                await self._create(service, each)
        for unused in left:
            await self._slices.delete(unused)

    async def _create(self, service: Object, content: dict[str, Any]) -> None:
        metadata = service["metadata"]
        await self._slices.create(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": f"{metadata['name']}-",
                    "namespace": metadata["namespace"],
                    "labels": content["labels"],
                    "ownerReferences": [owner_reference(service)],
                },
                "addressType": content["addressType"],
                "ports": content["ports"],
                "endpoints": content["endpoints"],
            }
        )


def _service_of(slice_: Object) -> list[str]:
    labels = slice_["metadata"].get("labels") or {}
    if labels.get(MANAGED_BY) != MANAGER or SERVICE_NAME not in labels:
        return []
    return [f"{slice_['metadata']['namespace']}/{labels[SERVICE_NAME]}"]
