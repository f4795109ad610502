"""Defaults of everything that is neither workload, network nor storage: secrets, nodes, RBAC, admission, CRDs."""

from __future__ import annotations

import base64
from typing import Any, Final

Json = dict[str, Any]
RBAC_GROUP: Final = "rbac.authorization.k8s.io"


def default_secret(secret: Json) -> None:
    """Type Opaque; `stringData` is only ever written, and wins over `data`."""
    if strings := secret.pop("stringData", None):
        data = secret.get("data") or {}
        secret["data"] = {**data, **{k: base64.b64encode(v.encode()).decode() for k, v in strings.items()}}
    secret.setdefault("type", "Opaque")


def default_namespace(namespace: Json) -> None:
    namespace.setdefault("status", {}).setdefault("phase", "Active")
    metadata = namespace.setdefault("metadata", {})
    if name := metadata.get("name"):
        metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": name}


def default_node(node: Json) -> None:
    status = node.setdefault("status", {})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def default_limit_range(limit_range: Json) -> None:
    for item in limit_range.get("spec", {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = item.setdefault("default", {})
        request = item.setdefault("defaultRequest", {})
        for name, amount in item.get("max", {}).items():
            default.setdefault(name, amount)
        for name, amount in default.items():
            request.setdefault(name, amount)
        for name, amount in item.get("min", {}).items():
            request.setdefault(name, amount)
        for name in ("default", "defaultRequest"):
            if not item[name]:
                del item[name]


def default_binding(binding: Json) -> None:
    role = binding.setdefault("roleRef", {})
    if not role.get("apiGroup"):
        role["apiGroup"] = RBAC_GROUP
    for subject in binding.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = RBAC_GROUP


def default_priority_class(priority_class: Json) -> None:
    priority_class.setdefault("preemptionPolicy", "PreemptLowerPriority")


def default_webhooks(configuration: Json) -> None:
    mutating = configuration.get("kind") == "MutatingWebhookConfiguration"
    for hook in configuration.get("webhooks") or ():
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("matchPolicy", "Equivalent")
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        hook.setdefault("timeoutSeconds", 10)
        if mutating:
            hook.setdefault("reinvocationPolicy", "Never")
        for rule in hook.get("rules") or ():
            rule.setdefault("scope", "*")
        if (service := hook.get("clientConfig", {}).get("service")) is not None:
            service.setdefault("port", 443)


def default_admission_policy(policy: Json) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    if (constraints := spec.get("matchConstraints")) is not None:
        _default_match(constraints)


def default_admission_policy_binding(binding: Json) -> None:
    if (resources := binding.get("spec", {}).get("matchResources")) is not None:
        _default_match(resources)


def _default_match(resources: Json) -> None:
    resources.setdefault("matchPolicy", "Equivalent")
    resources.setdefault("namespaceSelector", {})
    resources.setdefault("objectSelector", {})
    for rule in (*(resources.get("resourceRules") or ()), *(resources.get("excludeResourceRules") or ())):
        rule.setdefault("scope", "*")


def default_crd(crd: Json) -> None:
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if not names.get("singular"):
        names["singular"] = names.get("kind", "").lower()
    if not names.get("listKind") and names.get("kind"):
        names["listKind"] = f"{names['kind']}List"
    if spec.get("conversion") is None:
        spec["conversion"] = {"strategy": "None"}
    service = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)


def default_api_service(service: Json) -> None:
    if (target := service.get("spec", {}).get("service")) is not None:
        target.setdefault("port", 443)


def default_device_requests(claim: Json) -> None:
    """ResourceClaim and ResourceClaimTemplate: exactly one device unless said otherwise; tolerations match equal
    values."""
    spec = claim.get("spec", {})
    spec = spec.get("spec", spec)
    for request in spec.get("devices", {}).get("requests") or ():
        for part in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if part is None:
                continue
            part.setdefault("allocationMode", "ExactCount")
            if part["allocationMode"] == "ExactCount":
                part.setdefault("count", 1)
            for toleration in part.get("tolerations") or ():
                toleration.setdefault("operator", "Equal")


def default_flow_schema(schema: Json) -> None:
    spec = schema.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def default_priority_level(level: Json) -> None:
    spec = level.setdefault("spec", {})
    if (limited := spec.get("limited")) is not None:
        if limited.get("nominalConcurrencyShares") is None:
            limited["nominalConcurrencyShares"] = 30
        limited.setdefault("lendablePercent", 0)
        if (queuing := limited.get("limitResponse", {}).get("queuing")) is not None:
            for name, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
                if not queuing.get(name):
                    queuing[name] = value
    if (exempt := spec.get("exempt")) is not None:
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)
