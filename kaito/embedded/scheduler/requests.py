"""What a pod asks of a node and what a node has, as integers that compare fast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from kaito.kube.quantities import parse_quantity

Amounts = dict[str, int]
"""Resource name to amount: thousandths of a core for `cpu`, whole units (bytes, devices) for everything else."""


@lru_cache(maxsize=8192)
def _amount(name: str, quantity: str) -> int:
    value = parse_quantity(quantity)
    return math.ceil(value * 1000) if name == "cpu" else math.ceil(value)


def amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    """The amounts of a resource list such as `status.allocatable`."""
    return {name: _amount(name, str(quantity)) for name, quantity in (quantities or {}).items()}


def _container_requests(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    # The server copies limits into missing requests; doing it here too keeps objects of fakes honest.
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _maximum(total: Amounts, other: Mapping[str, int]) -> None:
    for name, amount in other.items():
        total[name] = max(total.get(name, 0), amount)


def pod_requests(pod: Mapping[str, Any]) -> Amounts:
    """The amounts a pod reserves.

    The sum of its containers and restartable init containers, or the most that any init container needs together
    with the sidecars started before it, whichever is more; plus overhead. Pod-level requests replace the sum for the
    resources they name. Source: k8s.io/component-helpers `resource.PodRequests`.
    """
    spec = pod["spec"]
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(container))
    sidecars: Amounts = {}
    initial: Amounts = {}
    for container in spec.get("initContainers") or ():
        wanted = _container_requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, wanted)
            _add(sidecars, wanted)
            _maximum(initial, sidecars)
        else:
            _add(wanted, sidecars)
            _maximum(initial, wanted)
    _maximum(total, initial)
    total.update(amounts((spec.get("resources") or {}).get("requests")))
    _add(total, amounts(spec.get("overhead")))
    return total


HostPort = tuple[str, str, int]
"""Address ("0.0.0.0" when the pod names none), protocol and port on the node."""


def host_ports(pod: Mapping[str, Any]) -> list[HostPort]:
    """The ports of the node that the pod's containers, sidecars included, want for themselves."""
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])  # noqa: S104 - not bound
        for container in (*(spec.get("containers") or ()), *sidecars)
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def ports_clash(wanted: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    """Whether any wanted port is taken; the wildcard address clashes with every address."""
    taken = list(taken)
    wildcard = "0.0.0.0"  # noqa: S104 - compared, not bound
    return any(
        protocol == other_protocol and port == other_port and (address == other or wildcard in (address, other))
        for address, protocol, port in wanted
        for other, other_protocol, other_port in taken
    )
