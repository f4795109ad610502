"""Services, Endpoints and EndpointSlices."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from kaito.embedded.apiserver.kinds.internal import internal
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.containers import check_port_reference, check_protocol
from kaito.embedded.apiserver.kinds.validating.selectors import check_labels

Json = dict[str, Any]
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
SPECIAL_RANGES: Final = (
    ("is_unspecified", 'may not be unspecified (0.0.0.0 or ::)'),
    ("is_loopback", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
    ("is_link_local", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
    ("is_multicast", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
)  # fmt: skip


def check_service(service: Json) -> list[Cause]:
    spec = service.get("spec") or {}
    kind, ports = spec.get("type", ""), spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    causes: list[Cause] = []
    if not ports and not headless and kind != "ExternalName":
        causes.append(required("spec.ports"))
    if kind == "LoadBalancer" and headless:
        causes.append(invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"))
    elif kind == "NodePort" and headless:
        causes.append(invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"))
    elif kind == "ExternalName":
        name = spec.get("externalName", "").removesuffix(".")
        causes += (
            invalid_each("spec.externalName", name, names.subdomain(name)) if name else [required("spec.externalName")]
        )
    many, seen = len(ports) > 1, set[str]()
    for index, port in enumerate(ports):
        causes += _check_port(port, f"spec.ports[{index}]", many=many, headless=headless, seen=seen)
    causes += check_labels(spec.get("selector") or {}, "spec.selector")
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        options = ("ClientIP", "None")
        causes.append(not_supported("spec.sessionAffinity", spec.get("sessionAffinity", ""), options))
    address = spec.get("clusterIP", "")
    if address not in ("", "None"):
        causes += invalid_each("spec.clusterIPs[0]", address, names.ip_address(address))
    for index, external in enumerate(spec.get("externalIPs") or ()):
        here = f"spec.externalIPs[{index}]"
        complaints = names.ip_address(external)
        causes += invalid_each(here, external, complaints)
        if not complaints:
            causes += check_non_special(external, here)
    if kind not in TYPES:
        causes.append(not_supported("spec.type", kind, TYPES) if kind else required("spec.type"))
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                detail = "may not be used when `type` is 'ClusterIP'"
                causes.append(forbidden(f"spec.ports[{index}].nodePort", detail))
    causes += _check_duplicate_ports(ports)
    return causes + _check_policies(spec, kind)


def _check_port(port: Json, path: str, *, many: bool, headless: bool, seen: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    name, number = port.get("name", ""), port.get("port", 0)
    if many and not name:
        causes.append(required(f"{path}.name"))
    elif name:
        causes += invalid_each(f"{path}.name", name, names.label(name))
        if name in seen:
            causes.append(duplicate(f"{path}.name", name))
        seen.add(name)
    causes += invalid_each(f"{path}.port", number, names.port_number(number))
    causes += check_protocol(port.get("protocol", ""), f"{path}.protocol")
    target = port.get("targetPort", 0)
    causes += check_port_reference(target, f"{path}.targetPort")
    del headless
    return causes


def _check_duplicate_ports(ports: list[Json]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            shown = internal("core.ServicePort", {"protocol": port.get("protocol"), "port": port.get("port")})
            causes.append(duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)
    return causes


def _check_policies(spec: Json, kind: str) -> list[Cause]:
    causes: list[Cause] = []
    external = spec.get("externalTrafficPolicy", "")
    outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    if external and not outside:
        detail = "may only be set for externally-accessible services"
        causes.append(invalid("spec.externalTrafficPolicy", external, detail))
    elif external and external not in ("Cluster", "Local"):
        causes.append(not_supported("spec.externalTrafficPolicy", external, ("Cluster", "Local")))
    if kind != "LoadBalancer":
        detail = "may only be used when `type` is 'LoadBalancer'"
        for field, shown in (
            ("loadBalancerSourceRanges", "LoadBalancerSourceRanges"), ("allocateLoadBalancerNodePorts", ""),
            ("loadBalancerClass", ""),
        ):  # fmt: skip
            if spec.get(field) not in (None, []):
                causes.append(forbidden(f"spec.{shown or field}", detail))
    internal_policy = spec.get("internalTrafficPolicy")
    if internal_policy is not None and internal_policy not in ("Cluster", "Local"):
        causes.append(not_supported("spec.internalTrafficPolicy", internal_policy, ("Cluster", "Local")))
    return causes


def check_service_update(new: Json, old: Json) -> list[Cause]:
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    before, after = known.get("clusterIP", ""), spec.get("clusterIP", "")
    if "ExternalName" in (spec.get("type"), known.get("type")) or not before or before == after:
        return []
    shown = spec.get("clusterIPs") or ([after] if after else [])
    if spec.get("clusterIPs") == known.get("clusterIPs"):
        shown = [after]
    return [invalid("spec.clusterIPs[0]", shown, "may not change once set")]


def check_non_special(address: str, path: str) -> list[Cause]:
    """Addresses that are outside what a pod or an external address can be."""
    found = ipaddress.ip_address(address)
    return [invalid(path, address, detail) for name, detail in SPECIAL_RANGES if getattr(found, name)]


def check_endpoints(endpoints: Json) -> list[Cause]:
    causes: list[Cause] = []
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(field) or ()):
                causes += _check_endpoint_address(address, f"{path}.{field}[{at}]")
        ports = subset.get("ports") or []
        for at, port in enumerate(ports):
            here = f"{path}.ports[{at}]"
            if len(ports) > 1 and not port.get("name"):
                causes.append(required(f"{here}.name"))
            elif name := port.get("name"):
                causes += invalid_each(f"{here}.name", name, names.label(name))
            number = port.get("port", 0)
            causes += invalid_each(f"{here}.port", number, names.port_number(number))
            causes += check_protocol(port.get("protocol", ""), f"{here}.protocol")
    return causes


def _check_endpoint_address(address: Json, path: str) -> list[Cause]:
    text = address.get("ip", "")
    complaints = names.ip_address(text)
    causes = invalid_each(f"{path}.ip", text, complaints)
    if host := address.get("hostname"):
        causes += invalid_each(f"{path}.hostname", host, names.label(host))
    if complaints:
        return [*causes, invalid(f"{path}.ip", text, "must be a valid IP address")]
    return causes + check_non_special(text, f"{path}.ip")


def check_endpoint_slice(endpoint_slice: Json) -> list[Cause]:
    kind = endpoint_slice.get("addressType", "")
    causes: list[Cause] = []
    if kind not in ("FQDN", "IPv4", "IPv6"):
        options = ("FQDN", "IPv4", "IPv6")
        causes.append(not_supported("addressType", kind, options) if kind else required("addressType"))
    for index, endpoint in enumerate(endpoint_slice.get("endpoints") or ()):
        path = f"endpoints[{index}]"
        addresses = endpoint.get("addresses") or []
        if not addresses:
            causes.append(required(f"{path}.addresses", "must contain at least 1 address"))
        for at, address in enumerate(addresses):
            causes += _check_slice_address(address, kind, f"{path}.addresses[{at}]")
        if (node := endpoint.get("nodeName")) is not None:
            causes += invalid_each(f"{path}.nodeName", node, names.subdomain(node))
        if (host := endpoint.get("hostname")) is not None:
            causes += invalid_each(f"{path}.hostname", host, names.label(host))
        causes += _check_hints(endpoint.get("hints") or {}, f"{path}.hints")
    seen: set[str] = set()
    for index, port in enumerate(endpoint_slice.get("ports") or ()):
        path = f"ports[{index}]"
        name = port.get("name") or ""
        if name:
            causes += invalid_each(f"{path}.name", name, names.label(name))
        if name in seen:
            causes.append(duplicate(f"{path}.name", name))
        seen.add(name)
        if port.get("protocol") not in PROTOCOLS:
            causes.append(not_supported(f"{path}.protocol", port.get("protocol") or "", PROTOCOLS))
        if (protocol := port.get("appProtocol")) is not None:
            causes += invalid_each(f"{path}.appProtocol", protocol, names.qualified_name(protocol))
    return causes


def _check_hints(hints: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, check in (("forZones", names.label_value), ("forNodes", names.subdomain)):
        seen: set[str] = set()
        for index, hint in enumerate(hints.get(field) or ()):
            here, name = f"{path}.{field}[{index}].name", hint.get("name", "")
            if name in seen:
                causes.append(duplicate(here, name))
            seen.add(name)
            causes += invalid_each(here, name, check(name))
    return causes


def _check_slice_address(address: str, kind: str, path: str) -> list[Cause]:
    if kind == "FQDN":
        return invalid_each(path, address, names.subdomain(address))
    if kind not in ("IPv4", "IPv6"):
        return []
    complaints = names.ip_address(address)
    if complaints:
        return invalid_each(path, address, complaints)
    version = ipaddress.ip_address(address).version
    if (version == 4) != (kind == "IPv4"):
        return [invalid(path, address, f"must be an {kind} address")]
    return check_non_special(address, path)


def check_endpoint_slice_update(new: Json, old: Json) -> list[Cause]:
    if new.get("addressType") != old.get("addressType"):
        return [invalid("addressType", new.get("addressType"), names.IMMUTABLE)]
    return []
