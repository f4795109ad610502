"""HorizontalPodAutoscalers (pkg/apis/autoscaling/validation), in their v2 form."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas import quantities

Json = dict[str, Any]
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800
UNEXPECTED: Final = "unexpected GroupVersion string"
POSITIVE: Final = "must be greater than zero"
ONE_TARGET: Final = "must set either a target value for metric or a per-pod target"
RAW_OR_SHARE: Final = "must set either a target raw value or a target utilization"
NOT_BOTH: Final = "may not set both a target raw value and a target utilization"
SOURCES: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
"""The kinds of metrics and the member that each fills in."""


def check_autoscaler(autoscaler: Json) -> list[Cause]:
    spec = autoscaler.get("spec") or {}
    causes: list[Cause] = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        causes.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    causes += _check_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for index, metric in enumerate(_metrics(spec)):
        causes += _check_metric(metric, f"spec.metrics[{index}]")
    if least == 0 and not any(m.get("type") in ("Object", "External") for m in _metrics(spec)):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(forbidden("spec.metrics", detail))
    for field in ("scaleUp", "scaleDown"):
        causes += _check_rules((spec.get("behavior") or {}).get(field), f"spec.behavior.{field}")
    return causes


def _metrics(spec: Json) -> list[Json]:
    """Autoscalers of v1 have one metric, which has no name."""
    share = spec.get("targetCPUUtilizationPercentage")
    if share is None:
        return spec.get("metrics") or []
    target = {"type": "Utilization", "averageUtilization": share}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _check_reference(reference: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("kind", "name"):
        value, here = reference.get(field, ""), f"{path}.{field}"
        causes += invalid_each(here, value, names.path_segment(value)) if value else [required(here)]
    group, slash, version = reference.get("apiVersion", "").partition("/")
    if "/" in version:
        causes.append(
            invalid(f"{path}.apiVersion", reference["apiVersion"], f"{UNEXPECTED}: {reference['apiVersion']}")
        )
    elif not slash or not group:
        detail = "apiVersion must specify API group"
        causes.append(invalid(f"{path}.apiVersion", reference.get("apiVersion", ""), detail))
    return causes


def _check_metric(metric: Json, path: str) -> list[Cause]:
    kind = metric.get("type", "")
    causes: list[Cause] = []
    if not kind:
        causes.append(required(f"{path}.type", "must specify a metric source type"))
    if kind not in SOURCES:
        causes.append(not_supported(f"{path}.type", kind, SOURCES))
    present = [f for f in ("object", "external", "pods", "resource", "containerResource") if metric.get(f) is not None]
    if present:
        causes += CHECKS[present[0]](metric[present[0]], f"{path}.{present[0]}")
    expected = SOURCES.get(kind, "")
    if not expected:
        causes.append(not_supported(f"{path}.type", kind, SOURCES))
    elif expected not in present:
        causes.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        detail = "must populate the given metric source only"
        causes += [forbidden(f"{path}.{field}", detail) for field in present if field != expected]
    return causes


def _check_object(source: Json, path: str) -> list[Cause]:
    causes = _check_reference(source.get("describedObject") or {}, f"{path}.describedObject")
    causes += _check_identifier(source, path) + _check_target(source, path)
    target = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        causes.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return causes


def _check_external(source: Json, path: str) -> list[Cause]:
    causes = _check_identifier(source, path) + _check_target(source, path)
    target = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        causes.append(required(f"{path}.target.averageValue", ONE_TARGET))
    if target.get("value") is not None and target.get("averageValue") is not None:
        detail = "may not set both a target value for metric and a per-pod target"
        causes.append(forbidden(f"{path}.target.value", detail))
    return causes


def _check_pods(source: Json, path: str) -> list[Cause]:
    causes = _check_identifier(source, path) + _check_target(source, path)
    if (source.get("target") or {}).get("averageValue") is None:
        causes.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return causes


def _check_resource(source: Json, path: str) -> list[Cause]:
    causes = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return causes + _check_target(source, path) + _check_share(source, path)


def _check_container_resource(source: Json, path: str) -> list[Cause]:
    causes = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    if not source.get("container"):
        causes.append(required(f"{path}.container", "must specify a container"))
    return causes + _check_target(source, path) + _check_share(source, path)


def _check_share(source: Json, path: str) -> list[Cause]:
    target = source.get("target") or {}
    share, amount = target.get("averageUtilization"), target.get("averageValue")
    if share is None and amount is None:
        return [required(f"{path}.target.averageUtilization", RAW_OR_SHARE)]
    both = share is not None and amount is not None
    return [forbidden(f"{path}.target.averageValue", NOT_BOTH)] if both else []


CHECKS: Final = {
    "containerResource": _check_container_resource,
    "external": _check_external,
    "object": _check_object,
    "pods": _check_pods,
    "resource": _check_resource,
}


def _check_identifier(source: Json, path: str) -> list[Cause]:
    name, here = (source.get("metric") or {}).get("name", ""), f"{path}.metric.name"
    return (
        invalid_each(here, name, names.path_segment(name)) if name else [required(here, "must specify a metric name")]
    )


def _check_target(source: Json, path: str) -> list[Cause]:
    target, here = source.get("target") or {}, f"{path}.target"
    kind = target.get("type", "")
    causes = [] if kind else [required(f"{here}.type", "must specify a metric target type")]
    if kind not in ("Utilization", "Value", "AverageValue"):
        causes.append(invalid(f"{here}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        if (amount := target.get(field)) is not None and quantities.value_of(amount) <= 0:
            causes.append(invalid(f"{here}.{field}", amount, "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        causes.append(invalid(f"{here}.averageUtilization", share, "must be greater than 0"))
    return causes


def _check_rules(rules: Json | None, path: str) -> list[Cause]:
    if rules is None:
        return []
    causes: list[Cause] = []
    window, here = rules.get("stabilizationWindowSeconds"), f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        causes.append(invalid(here, window, "must be greater than or equal to zero"))
    if window is not None and window > LONGEST_WINDOW:
        causes.append(invalid(here, window, f"must be less than or equal to {LONGEST_WINDOW}"))
    selected = rules.get("selectPolicy")
    if selected not in (None, "Disabled", "Max", "Min"):
        causes.append(not_supported(f"{path}.selectPolicy", selected, ("Disabled", "Max", "Min")))
    policies = rules.get("policies") or []
    if not policies:
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        causes += _check_policy(policy, f"{path}.policies[{index}]")
    return causes


def _check_policy(policy: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if policy.get("type") not in ("Pods", "Percent"):
        causes.append(not_supported(f"{path}.type", policy.get("type", ""), ("Percent", "Pods")))
    value, period = policy.get("value", 0), policy.get("periodSeconds", 0)
    if value <= 0:
        causes.append(invalid(f"{path}.value", value, POSITIVE))
    if period <= 0:
        causes.append(invalid(f"{path}.periodSeconds", period, POSITIVE))
    if period > LONGEST_PERIOD:
        causes.append(invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {LONGEST_PERIOD}"))
    return causes
