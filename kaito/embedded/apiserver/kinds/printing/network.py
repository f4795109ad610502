"""Services, Endpoints, EndpointSlices, Ingresses and network policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.kinds.printing.text import NONE, UNSET, age, created, labels, name, selector

Json = dict[str, Any]
SHOWN: Final = 3


def service_row(service: Json, now: datetime) -> list[Any]:
    spec = service.get("spec", {})
    return [
        name(service),
        spec.get("type", ""),
        next(iter(spec.get("clusterIPs") or ()), NONE),
        _external(service),
        _service_ports(spec.get("ports") or []),
        age(created(service), now),
        labels(spec.get("selector")),
    ]


def _external(service: Json) -> str:
    spec = service.get("spec", {})
    external = spec.get("externalIPs", [])
    match spec.get("type"):
        case "LoadBalancer":
            ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
            found = sorted({i.get("ip") or i.get("hostname", "") for i in ingress} - {""})
            return ",".join(found + external) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case _:
            return "<unknown>"


def _service_ports(ports: list[Json]) -> str:
    texts = []
    for port in ports:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port.get('port', 0)}{node}/{port.get('protocol', '')}")
    return ",".join(texts) or NONE


def endpoints_row(endpoints: Json, now: datetime) -> list[Any]:
    found = []
    for subset in endpoints.get("subsets") or ():
        addresses, ports = subset.get("addresses") or (), subset.get("ports") or ()
        if not ports:
            found += [address.get("ip", "") for address in addresses]
        else:
            found += [f"{_bracket(a.get('ip', ''))}:{p.get('port', 0)}" for p in ports for a in addresses]
    return [name(endpoints), _shortened(found), age(created(endpoints), now)]


def _bracket(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _shortened(found: list[str]) -> str:
    if not found:
        return NONE
    text = ",".join(found[:SHOWN])
    return f"{text} + {len(found) - SHOWN} more..." if len(found) > SHOWN else text


def endpoint_slice_row(endpoint_slice: Json, now: datetime) -> list[Any]:
    ports = endpoint_slice.get("ports") or []
    texts = ["*" if p.get("port") is None else str(p["port"]) for p in ports]
    addresses = [address for e in endpoint_slice.get("endpoints") or () for address in e.get("addresses") or ()]
    return [
        name(endpoint_slice),
        endpoint_slice.get("addressType", ""),
        _shortened(texts) if texts else UNSET,
        _shortened(addresses) if addresses else UNSET,
        age(created(endpoint_slice), now),
    ]


def ingress_row(ingress: Json, now: datetime) -> list[Any]:
    spec = ingress.get("spec", {})
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    found = ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    addresses = sorted({i.get("ip") or i.get("hostname", "") for i in found} - {""})
    return [
        name(ingress),
        spec.get("ingressClassName") or NONE,
        _shortened(hosts) if hosts else "*",
        ",".join(addresses),
        "80, 443" if spec.get("tls") else "80",
        age(created(ingress), now),
    ]


def ingress_class_row(ingress_class: Json, now: datetime) -> list[Any]:
    spec = ingress_class.get("spec", {})
    parameters = NONE
    if found := spec.get("parameters"):
        kind = found.get("kind", "") + (f".{found['apiGroup']}" if found.get("apiGroup") else "")
        parameters = f"{kind}/{found.get('name', '')}"
    return [name(ingress_class), spec.get("controller", ""), parameters, age(created(ingress_class), now)]


def network_policy_row(policy: Json, now: datetime) -> list[Any]:
    return [name(policy), selector(policy.get("spec", {}).get("podSelector")), age(created(policy), now)]


def service_cidr_row(cidr: Json, now: datetime) -> list[Any]:
    return [name(cidr), ",".join(cidr.get("spec", {}).get("cidrs") or ()), age(created(cidr), now)]


def ip_address_row(address: Json, now: datetime) -> list[Any]:
    del now
    parent = address.get("spec", {}).get("parentRef") or {}
    parts = [
        f"{parent.get('resource', '')}{'.' + parent['group'] if parent.get('group') else ''}",
        parent.get("namespace", ""),
        parent.get("name", ""),
    ]
    return [name(address), "/".join(part for part in parts if part) or NONE]
