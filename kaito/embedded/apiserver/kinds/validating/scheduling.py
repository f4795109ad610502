"""Affinity, tolerations, taints and topology spread."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import duplicate, invalid, invalid_each, not_supported, required, shown
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.selectors import check_node_term, check_selector

Json = dict[str, Any]
EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
ALL_KEYS: Final = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
WEIGHT: Final = "must be in the range 1-100"


def check_tolerations(tolerations: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, operator, effect = (toleration.get(name, "") for name in ("key", "operator", "effect"))
        if key:
            causes += invalid_each(f"{here}.key", key, names.qualified_name(key))
        elif operator != "Exists":
            causes.append(invalid(f"{here}.operator", operator, ALL_KEYS))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            causes.append(invalid(f"{here}.effect", effect, detail))
        value = toleration.get("value", "")
        if operator in ("", "Equal"):
            causes += invalid_each(f"{here}.operator", value, names.label_value(value)[:1])
        elif operator == "Exists":
            if value:
                detail = "value must be empty when `operator` is 'Exists'"
                causes.append(invalid(f"{here}.operator", value, detail))
        else:
            causes.append(not_supported(f"{here}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in EFFECTS:
            causes.append(not_supported(f"{here}.effect", effect, EFFECTS))
    return causes


def check_taints(taints: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        here = f"{path}[{index}]"
        key, value, effect = (taint.get(name, "") for name in ("key", "value", "effect"))
        causes += invalid_each(f"{here}.key", key, names.qualified_name(key))
        complaints = names.label_value(value)
        if complaints:
            causes.append(invalid(f"{here}.value", value, ";".join(complaints)))
        if effect not in EFFECTS:
            causes.append(not_supported(f"{here}.effect", effect, EFFECTS) if effect else required(f"{here}.effect"))
        if effect and (key, effect) in seen:
            internal = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            message = f"Duplicate value: {shown(internal)}: taints must be unique by key and effect pair"
            causes.append(Cause(here, message, "FieldValueDuplicate"))
        seen.add((key, effect))
    return causes


def check_spread(constraints: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, constraint in enumerate(constraints):
        here = f"{path}[{index}]"
        key, action = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        if constraint.get("maxSkew", 0) <= 0:
            causes.append(invalid(f"{here}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
        causes += required_topology(key, f"{here}.topologyKey")
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            options = ("DoNotSchedule", "ScheduleAnyway")
            causes.append(not_supported(f"{here}.whenUnsatisfiable", action, options))
        if any((key, action) == (o.get("topologyKey"), o.get("whenUnsatisfiable")) for o in constraints[index + 1 :]):
            causes.append(duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        minimum = constraint.get("minDomains")
        if minimum is not None and minimum <= 0:
            causes.append(invalid(f"{here}.minDomains", minimum, "must be greater than zero"))
        causes += check_selector(constraint.get("labelSelector"), f"{here}.labelSelector")
    return causes


def required_topology(key: str, path: str) -> list[Cause]:
    return [] if key else [required(path, "can not be empty")]


def check_affinity(affinity: Json | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    affinity = affinity or {}
    if (node := affinity.get("nodeAffinity")) is not None:
        causes += check_node_affinity(node, f"{path}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind) or {}
        here = f"{path}.{kind}.{REQUIRED}"
        for index, term in enumerate(pods.get(REQUIRED) or ()):
            causes += _check_pod_term(term, f"{here}[{index}]")
        here = f"{path}.{kind}.{PREFERRED}"
        for index, weighted in enumerate(pods.get(PREFERRED) or ()):
            weight = weighted.get("weight", 0)
            if not 1 <= weight <= 100:
                causes.append(invalid(f"{here}[{index}].weight", weight, WEIGHT))
            causes += _check_pod_term(weighted.get("podAffinityTerm") or {}, f"{here}[{index}].podAffinityTerm")
    return causes


def check_node_affinity(node: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (needed := node.get(REQUIRED)) is not None:
        causes += check_node_selector(needed, f"{path}.{REQUIRED}")
    for index, term in enumerate(node.get(PREFERRED) or ()):
        here = f"{path}.{PREFERRED}[{index}]"
        if not 1 <= term.get("weight", 0) <= 100:
            causes.append(invalid(f"{here}.weight", term.get("weight", 0), WEIGHT))
        causes += check_node_term(term.get("preference") or {}, f"{here}.preference")
    return causes


def check_node_selector(selector: Json, path: str) -> list[Cause]:
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    return [
        cause
        for index, term in enumerate(terms)
        for cause in check_node_term(term, f"{path}.nodeSelectorTerms[{index}]")
    ]


def _check_pod_term(term: Json, path: str) -> list[Cause]:
    causes = check_selector(term.get("labelSelector"), f"{path}.labelSelector")
    causes += check_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for namespace in term.get("namespaces") or ():
        causes += invalid_each(f"{path}.namespace", namespace, names.label(namespace))
    key = term.get("topologyKey", "")
    causes += required_topology(key, f"{path}.topologyKey")
    return causes + invalid_each(f"{path}.topologyKey", key, names.qualified_name(key))
