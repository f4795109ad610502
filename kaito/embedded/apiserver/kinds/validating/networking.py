"""Ingresses, ingress classes and network policies (pkg/apis/networking/validation)."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, not_supported, required, too_long
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.selectors import check_selector

Json = dict[str, Any]
CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
FORBIDDEN_PARTS: Final = ("//", "/./", "/../", "%2f", "%2F")
FORBIDDEN_ENDS: Final = ("/..", "/.")
LONGEST_CONTROLLER: Final = 250
HTTP_PATH: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
PROTOCOLS: Final = ("TCP", "UDP", "SCTP")


def check_ingress(ingress: Json) -> list[Cause]:
    spec = ingress.get("spec") or {}
    rules = spec.get("rules") or []
    causes: list[Cause] = []
    if not rules and spec.get("defaultBackend") is None:
        causes.append(invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend") is not None:
        causes += _check_backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(rules):
        causes += _check_rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        causes += _check_tls(tls, f"spec.tls[{index}]")
    if (name := spec.get("ingressClassName")) is not None:
        causes += invalid_each("spec.ingressClassName", name, names.subdomain(name))
    return causes


def check_ingress_create(ingress: Json) -> list[Cause]:
    """As `check_ingress`; the old annotation may not contradict the class."""
    causes = check_ingress(ingress)
    annotated = ((ingress.get("metadata") or {}).get("annotations") or {}).get(CLASS_ANNOTATION)
    name = (ingress.get("spec") or {}).get("ingressClassName")
    if annotated is not None and name is not None and annotated != name:
        detail = "must match `ingressClassName` when both are specified"
        causes.append(invalid(f"annotations.{CLASS_ANNOTATION}", annotated, detail))
    return causes


def _check_host(host: str, path: str) -> list[Cause]:
    return invalid_each(path, host, names.wildcard(host) if "*" in host else names.subdomain(host))


def _check_rule(rule: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if host := rule.get("host"):
        if not names.ip_address(host):
            causes.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        causes += _check_host(host, f"{path}.host")
    http = rule.get("http")
    if http is None:
        return causes
    # The real server names the first rule whichever it means.
    here, paths = "spec.rules[0].http.paths", http.get("paths") or []
    if not paths:
        causes.append(required(here))
    for index, item in enumerate(paths):
        causes += _check_path(item, f"{here}[{index}]")
    return causes


def _check_path(item: Json, path: str) -> list[Cause]:
    kind, value, here = item.get("pathType"), item.get("path", ""), f"{path}.path"
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    causes: list[Cause] = []
    if kind not in PATH_TYPES:
        causes.append(not_supported(f"{path}.pathType", kind, PATH_TYPES))
    elif not value.startswith("/") and (value or kind != "ImplementationSpecific"):
        causes.append(invalid(here, value, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        causes += [invalid(here, value, f"must not contain '{part}'") for part in FORBIDDEN_PARTS if part in value]
        causes += [invalid(here, value, f"cannot end with '{end}'") for end in FORBIDDEN_ENDS if value.endswith(end)]
    return causes + _check_backend(item.get("backend") or {}, f"{path}.backend")


def _check_backend(backend: Json, path: str) -> list[Cause]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _check_reference(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name, port = service.get("name", ""), service.get("port") or {}
    here = f"{path}.service.name"
    causes = invalid_each(here, name, names.label_1035(name)) if name else [required(here)]
    word, number = port.get("name", ""), port.get("number", 0)
    if word and number:
        causes.append(invalid(path, "", "cannot set both port name & port number"))
    elif word:
        causes += invalid_each(f"{path}.service.port.name", word, names.port_name(word))
    elif number:
        causes += invalid_each(f"{path}.service.port.number", number, names.port_number(number))
    else:
        causes.append(required(path, "port name or number is required"))
    return causes


def _check_reference(reference: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (group := reference.get("apiGroup")) is not None:
        causes += invalid_each(f"{path}.apiGroup", group, names.subdomain(group))
    for field in ("kind", "name"):
        value, here = reference.get(field, ""), f"{path}.{field}"
        causes += invalid_each(here, value, names.path_segment(value)) if value else [required(here)]
    return causes


def _check_tls(tls: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, host in enumerate(tls.get("hosts") or ()):
        causes += _check_host(host, f"{path}.hosts[{index}]")
    if name := tls.get("secretName"):
        causes += invalid_each(f"{path}.secretName", name, names.subdomain(name))
    return causes


def check_ingress_status(ingress: Json) -> list[Cause]:
    causes: list[Cause] = []
    entries = (((ingress.get("status") or {}).get("loadBalancer")) or {}).get("ingress") or ()
    for index, entry in enumerate(entries):
        path = f"status.loadBalancer.ingress[{index}]"
        if address := entry.get("ip"):
            causes += invalid_each(f"{path}.ip", address, names.ip_address(address))
        if host := entry.get("hostname"):
            causes += invalid_each(f"{path}.hostname", host, names.subdomain(host))
            if not names.ip_address(host):
                causes.append(invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address"))
    return causes


def check_ingress_class(ingress_class: Json) -> list[Cause]:
    spec = ingress_class.get("spec") or {}
    controller = spec.get("controller", "")
    causes: list[Cause] = []
    if len(controller) > LONGEST_CONTROLLER:
        causes.append(too_long("spec.controller", LONGEST_CONTROLLER))
    causes += check_domain_path(controller, "spec.controller")
    parameters, here = spec.get("parameters"), "spec.parameters"
    if parameters is None:
        return causes
    causes += _check_reference(parameters, here)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*causes, required(f"{here}.scope")]
    if scope not in ("Cluster", "Namespace"):
        causes.append(not_supported(f"{here}.scope", scope, ("Cluster", "Namespace")))
    elif scope == "Namespace" and namespace is None:
        causes.append(required(f"{here}.namespace", "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Namespace" and namespace is not None:
        causes += invalid_each(f"{here}.namespace", namespace, names.label(namespace))
    elif namespace is not None:
        causes.append(forbidden(f"{here}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return causes


def check_domain_path(value: str, path: str) -> list[Cause]:
    """A domain-prefixed path such as acme.io/foo."""
    if not value:
        return [required(path)]
    host, _, rest = value.partition("/")
    if not host or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    causes = invalid_each(path, host, names.subdomain(host))
    if not HTTP_PATH.fullmatch(rest):
        causes.append(invalid(path, rest, f"Invalid path (regex used for validation is '{HTTP_PATH.pattern}')"))
    return causes


def check_ingress_class_update(new: Json, old: Json) -> list[Cause]:
    controller = (new.get("spec") or {}).get("controller", "")
    if controller != (old.get("spec") or {}).get("controller", ""):
        return [invalid("spec.controller", controller, names.IMMUTABLE)]
    return []


def check_network_policy(policy: Json) -> list[Cause]:
    spec = policy.get("spec") or {}
    causes = check_selector(spec.get("podSelector"), "spec.podSelector")
    for rules, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(rules) or ()):
            path = f"spec.{rules}[{index}]"
            for at, port in enumerate(rule.get("ports") or ()):
                causes += _check_policy_port(port, f"{path}.ports[{at}]")
            for at, peer in enumerate(rule.get(peers) or ()):
                causes += _check_peer(peer, f"{path}.{peers}[{at}]")
    kinds = spec.get("policyTypes") or []
    if len(kinds) > 2:
        return [*causes, invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")]
    for index, kind in enumerate(kinds):
        if kind not in ("Ingress", "Egress"):
            causes.append(not_supported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress")))
    return causes


def _check_policy_port(port: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if port.get("protocol") not in (None, *PROTOCOLS):
        causes.append(not_supported(f"{path}.protocol", port["protocol"], PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if number is None:
        if end is not None:
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(number, str):
        if end is not None:
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        causes += invalid_each(f"{path}.port", number, names.port_name(number))
    else:
        causes += invalid_each(f"{path}.port", number, names.port_number(number))
        if end is not None:
            if end < number:
                causes.append(invalid(f"{path}.endPort", number, "must be greater than or equal to `port`"))
            causes += invalid_each(f"{path}.endPort", end, names.port_number(end))
    return causes


def _check_peer(peer: Json, path: str) -> list[Cause]:
    causes = check_selector(peer.get("podSelector"), f"{path}.podSelector")
    causes += check_selector(peer.get("namespaceSelector"), f"{path}.namespaceSelector")
    block = peer.get("ipBlock")
    if block is not None:
        causes += _check_block(block, f"{path}.ipBlock")
    count = sum(peer.get(field) is not None for field in ("podSelector", "namespaceSelector", "ipBlock"))
    if count == 0:
        causes.append(required(path, "must specify a peer"))
    elif count > 1 and block is not None:
        causes.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return causes


def _check_block(block: Json, path: str) -> list[Cause]:
    cidr = block.get("cidr", "")
    if not cidr:
        return [required(f"{path}.cidr")]
    if complaints := names.cidr(cidr):
        return invalid_each(f"{path}.cidr", cidr, complaints)
    network = ipaddress.ip_network(cidr, strict=False)
    causes: list[Cause] = []
    for index, text in enumerate(block.get("except") or ()):
        here, complaints = f"{path}.except[{index}]", names.cidr(text)
        causes += invalid_each(here, text, complaints)
        if complaints:
            continue
        part = ipaddress.ip_network(text, strict=False)
        if part.network_address not in network or network.prefixlen >= part.prefixlen:
            causes.append(invalid(here, text, "must be a strict subset of `cidr`"))
    return causes
