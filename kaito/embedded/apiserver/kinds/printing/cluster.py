"""Nodes, events, secrets, access, admission, leases, quotas and the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.kinds.printing.text import NONE, UNKNOWN, UNSET, age, created, human_duration, name

Json = dict[str, Any]
ROLE_PREFIX: Final = "node-role.kubernetes.io/"
ROLE_LABEL: Final = "kubernetes.io/role"


def node_row(node: Json, now: datetime) -> list[Any]:
    status, info = node.get("status", {}), node.get("status", {}).get("nodeInfo", {})
    ready = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), None)
    states = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if node.get("spec", {}).get("unschedulable"):
        states.append("SchedulingDisabled")
    return [
        name(node),
        ",".join(states),
        _roles(node),
        age(created(node), now),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _roles(node: Json) -> str:
    found = set()
    for key, value in node.get("metadata", {}).get("labels", {}).items():
        if key.startswith(ROLE_PREFIX) and len(key) > len(ROLE_PREFIX):
            found.add(key[len(ROLE_PREFIX) :])
        elif key == ROLE_LABEL and value:
            found.add(value)
    return ",".join(sorted(found)) or NONE


def _address(status: Json, kind: str) -> str:
    return next((a.get("address", "") for a in status.get("addresses") or () if a.get("type") == kind), NONE)


def event_row(event: Json, now: datetime) -> list[Any]:
    """Events of both groups: events.k8s.io renames the older fields to deprecated ones."""
    new = event.get("apiVersion", "").startswith("events.k8s.io/")
    involved = event.get("regarding" if new else "involvedObject", {})
    source = event.get("deprecatedSource" if new else "source", {})
    first_time = event.get("deprecatedFirstTimestamp" if new else "firstTimestamp")
    last_time = event.get("deprecatedLastTimestamp" if new else "lastTimestamp")
    series, count = event.get("series"), event.get("deprecatedCount" if new else "count", 0)
    first = age(first_time or event.get("eventTime"), now)
    last = age(last_time, now) if last_time else first
    if series:
        last, count = age(series.get("lastObservedTime"), now), series.get("count", 0)
    kind = involved.get("kind", "").lower()
    component = source.get("component") or event.get("reportingController" if new else "reportingComponent", "")
    instance = source.get("host") or event.get("reportingInstance", "")
    return [
        last,
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{involved['name']}" if involved.get("name") else kind,
        involved.get("fieldPath", ""),
        f"{component}, {instance}" if instance else component,
        event.get("note" if new else "message", "").strip(),
        first,
        count or 1,
        name(event),
    ]


def namespace_row(namespace: Json, now: datetime) -> list[Any]:
    return [name(namespace), namespace.get("status", {}).get("phase", ""), age(created(namespace), now)]


def config_map_row(config: Json, now: datetime) -> list[Any]:
    return [
        name(config),
        len(config.get("data") or ()) + len(config.get("binaryData") or ()),
        age(created(config), now),
    ]


def secret_row(secret: Json, now: datetime) -> list[Any]:
    return [name(secret), secret.get("type", ""), len(secret.get("data") or ()), age(created(secret), now)]


def service_account_row(account: Json, now: datetime) -> list[Any]:
    return [name(account), len(account.get("secrets") or ()), age(created(account), now)]


def lease_row(lease: Json, now: datetime) -> list[Any]:
    return [name(lease), lease.get("spec", {}).get("holderIdentity") or "", age(created(lease), now)]


def created_row(obj: Json, now: datetime) -> list[Any]:
    """Kinds without a printer: name and creation time as it is."""
    del now
    return [name(obj), created(obj)]


def name_age_row(obj: Json, now: datetime) -> list[Any]:
    return [name(obj), age(created(obj), now)]


def binding_row(binding: Json, now: datetime) -> list[Any]:
    role = binding.get("roleRef", {})
    subjects = binding.get("subjects") or ()
    accounts = [f"{s.get('namespace', '')}/{s.get('name', '')}" for s in subjects if s.get("kind") == "ServiceAccount"]
    return [
        name(binding),
        f"{role.get('kind', '')}/{role.get('name', '')}",
        age(created(binding), now),
        ", ".join(s.get("name", "") for s in subjects if s.get("kind") == "User"),
        ", ".join(s.get("name", "") for s in subjects if s.get("kind") == "Group"),
        ", ".join(accounts),
    ]


def quota_row(quota: Json, now: datetime) -> list[Any]:
    status = quota.get("status", {})
    requests: list[str] = []
    limits: list[str] = []
    for resource in sorted(status.get("hard", {})):
        text = f"{resource}: {status.get('used', {}).get(resource, '0')}/{status['hard'][resource]}"
        (limits if resource.startswith("limits") else requests).append(text)
    return [name(quota), ", ".join(requests), ", ".join(limits), age(created(quota), now)]


def priority_class_row(priority: Json, now: datetime) -> list[Any]:
    return [
        name(priority),
        priority.get("value", 0),
        priority.get("globalDefault", False),
        age(created(priority), now),
        priority.get("preemptionPolicy", ""),
    ]


def runtime_class_row(runtime: Json, now: datetime) -> list[Any]:
    return [name(runtime), runtime.get("handler", ""), age(created(runtime), now)]


def webhooks_row(configuration: Json, now: datetime) -> list[Any]:
    return [name(configuration), len(configuration.get("webhooks") or ()), age(created(configuration), now)]


def admission_policy_row(policy: Json, now: datetime) -> list[Any]:
    spec = policy.get("spec", {})
    param = spec.get("paramKind")
    text = f"{param.get('apiVersion', '')}/{param.get('kind', '')}" if param else UNSET
    return [name(policy), len(spec.get("validations") or ()), text, age(created(policy), now)]


def admission_binding_row(binding: Json, now: datetime) -> list[Any]:
    spec, param = binding.get("spec", {}), binding.get("spec", {}).get("paramRef")
    text = UNSET
    if param:
        text = (
            f"{param['namespace']}/{param.get('name', '')}" if param.get("namespace") else f"*/{param.get('name', '')}"
        )
    return [name(binding), spec.get("policyName", ""), text, age(created(binding), now)]


def api_service_row(service: Json, now: datetime) -> list[Any]:
    target = service.get("spec", {}).get("service")
    available = next(
        (c for c in service.get("status", {}).get("conditions") or () if c.get("type") == "Available"), None
    )
    text = "Unknown"
    if available is not None:
        reason = f" ({available['reason']})" if available.get("status") != "True" and available.get("reason") else ""
        text = f"{available.get('status', '')}{reason}"
    place = f"{target.get('namespace', '')}/{target.get('name', '')}" if target else "Local"
    return [name(service), place, text, age(created(service), now)]


def signing_request_row(request: Json, now: datetime) -> list[Any]:
    spec, status = request.get("spec", {}), request.get("status", {})
    seconds = spec.get("expirationSeconds")
    kinds = [c.get("type") for c in status.get("conditions") or ()]
    state = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    if "Failed" in kinds:
        state += ",Failed"
    if status.get("certificate"):
        state += ",Issued"
    return [
        name(request),
        age(created(request), now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else human_duration(seconds),
        state,
    ]


def component_status_row(component: Json, now: datetime) -> list[Any]:
    del now
    healthy: Json = next((c for c in component.get("conditions") or () if c.get("type") == "Healthy"), {})
    status = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [name(component), status, healthy.get("message", ""), healthy.get("error", "")]


def resource_claim_row(claim: Json, now: datetime) -> list[Any]:
    status = claim.get("status", {})
    states = []
    if claim.get("metadata", {}).get("deletionTimestamp"):
        states.append("deleted")
    if status.get("allocation") is None:
        if not claim.get("metadata", {}).get("deletionTimestamp"):
            states.append("pending")
    else:
        states.append("allocated")
        if status.get("reservedFor"):
            states.append("reserved")
    return [name(claim), ",".join(states), age(created(claim), now)]


def resource_slice_row(resource_slice: Json, now: datetime) -> list[Any]:
    spec = resource_slice.get("spec", {})
    node = spec.get("nodeName") or ("<all>" if spec.get("allNodes") else NONE)
    pool = spec.get("pool", {}).get("name", "")
    return [name(resource_slice), node, spec.get("driver", ""), pool, age(created(resource_slice), now)]


def flow_schema_row(schema: Json, now: datetime) -> list[Any]:
    spec = schema.get("spec", {})
    distinguisher = spec.get("distinguisherMethod")
    missing = next((c for c in schema.get("status", {}).get("conditions") or () if c.get("type") == "Dangling"), None)
    return [
        name(schema),
        spec.get("priorityLevelConfiguration", {}).get("name", ""),
        spec.get("matchingPrecedence", 0),
        distinguisher.get("type", "") if distinguisher else NONE,
        age(created(schema), now),
        missing.get("status", "?") if missing else "?",
    ]


def priority_level_row(level: Json, now: datetime) -> list[Any]:
    spec = level.get("spec", {})
    limited = spec.get("limited") or spec.get("exempt") or {}
    queuing = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing")
    return [
        name(level),
        spec.get("type", ""),
        limited.get("nominalConcurrencyShares", NONE),
        queuing.get("queues", 0) if queuing else NONE,
        queuing.get("handSize", 0) if queuing else NONE,
        queuing.get("queueLengthLimit", 0) if queuing else NONE,
        age(created(level), now),
    ]
