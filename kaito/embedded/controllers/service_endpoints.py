"""Which pods stand behind a Service, and on which ports. Source: k8s.io/endpointslice, pkg/controller/endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.pods import FINISHED, is_ready, phase_of
from kaito.kube.objects import Key, is_deleting, key_of

HEADLESS = "service.kubernetes.io/headless"
SELECTOR_INDEX = "by-selector"
"""Index over Services: `namespace/key=value` of one pair of the selector, the first in order."""

LABEL_INDEX = "by-label"
"""Index over pods: `namespace/key=value` of every label, to be asked with a Service's `selector_keys`."""


class Port(NamedTuple):
    """A port of the pods."""

    name: str
    number: int
    protocol: str
    app_protocol: str | None

    def as_dict(self, *, keep_empty_name: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name} if self.name or keep_empty_name else {}
        found |= {"port": self.number, "protocol": self.protocol}
        return found | ({"appProtocol": self.app_protocol} if self.app_protocol else {})


def selector_keys(service: Mapping[str, Any]) -> list[str]:
    """The values of `SELECTOR_INDEX` for a Service."""
    selector = service["spec"].get("selector")
    if not selector or service["spec"].get("type") == "ExternalName":
        return []
    name = min(selector)
    return [f"{service['metadata']['namespace']}/{name}={selector[name]}"]


def label_keys(pod: Mapping[str, Any]) -> list[str]:
    """The values of `LABEL_INDEX` for a pod."""
    namespace = pod["metadata"]["namespace"]
    return [f"{namespace}/{key}={value}" for key, value in (pod["metadata"].get("labels") or {}).items()]


def services_of(by_selector: Any) -> Any:
    """A key map from a pod to the Services that select it; `by_selector(value)` looks into the index."""

    def keys(pod: Object) -> Iterable[Key]:
        labels = pod["metadata"].get("labels") or {}
        namespace = pod["metadata"]["namespace"]
        for name, value in labels.items():
            for service in by_selector(f"{namespace}/{name}={value}"):
                if selects(service, pod):
                    yield key_of(service)

    return keys


def selects(service: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether the Service's selector matches the pod."""
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in (service["spec"].get("selector") or {}).items())


def backends(service: Object, pods: Sequence[Object], *, with_terminating: bool) -> list[Object]:
    """The pods that have an address and have not finished, sorted by address."""
    found = [
        pod
        for pod in pods
        if selects(service, pod)
        and address_of(pod)
        and phase_of(pod) not in FINISHED
        and (with_terminating or not is_deleting(pod))
    ]
    return sorted(found, key=lambda pod: (address_of(pod), pod["metadata"]["name"]))


def address_of(pod: Mapping[str, Any]) -> str:
    """The pod's API address, empty when it has none."""
    return str((pod.get("status") or {}).get("podIP") or "")


def serves(service: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether traffic may go to the pod: it is ready, or the Service publishes addresses that are not."""
    return bool(service["spec"].get("publishNotReadyAddresses")) or is_ready(pod)


def ports_of(service: Object, pod: Object) -> tuple[Port, ...]:
    """The Service's ports as numbers of this pod; a named target port that the pod lacks is left out."""
    found: list[Port] = []
    for port in service["spec"].get("ports") or ():
        number = _target_port(port, pod)
        if number is not None:
            found.append(Port(port.get("name") or "", number, port.get("protocol") or "TCP", port.get("appProtocol")))
    return tuple(found)


def _target_port(port: Mapping[str, Any], pod: Object) -> int | None:
    target = port.get("targetPort")
    if isinstance(target, int):
        return target or int(port["port"])
    if not target:
        return int(port["port"])
    spec = pod["spec"]
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in (*spec["containers"], *sidecars):
        for each in container.get("ports") or ():
            if each.get("name") == target and (each.get("protocol") or "TCP") == (port.get("protocol") or "TCP"):
                return int(each["containerPort"])
    return None


def is_headless(service: Mapping[str, Any]) -> bool:
    """Whether the Service has no address of its own."""
    return bool(service["spec"].get("clusterIP") == "None")


def hostname_of(service: Object, pod: Object) -> str | None:
    """The host name under the Service's domain, for pods that have asked for one there."""
    spec = pod["spec"]
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        return str(spec["hostname"])
    return None


def target_of(pod: Object) -> dict[str, str]:
    """The reference to the pod behind an address."""
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
