"""Node selectors: `nodeSelector`, node affinity and the node affinity of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def _compare(operator: str, actual: str, wanted: str) -> bool:
    try:
        left, right = int(actual), int(wanted)
    except ValueError:
        return False
    return left > right if operator == "Gt" else left < right


def matches_requirement(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One NodeSelectorRequirement against labels. NotIn and DoesNotExist also match where the key is absent."""
    key, operator = requirement["key"], requirement["operator"]
    values: Sequence[str] = requirement.get("values") or ()
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt" | "Lt":
            return key in labels and len(values) == 1 and _compare(operator, labels[key], values[0])
    return False


def matches_term(term: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> bool:
    """One NodeSelectorTerm; an empty term matches no node."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(matches_requirement(each, labels) for each in expressions) and all(
        matches_requirement(each, {"metadata.name": name}) for each in fields
    )


def matches_node_selector(selector: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """A NodeSelector: any of its terms."""
    metadata = node["metadata"]
    labels = metadata.get("labels") or {}
    return any(matches_term(term, metadata["name"], labels) for term in selector.get("nodeSelectorTerms") or ())


def required_affinity(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod's required node affinity (a NodeSelector), or None."""
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity")) or {}
    required: Mapping[str, Any] | None = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required


def selects_node(pod: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether the pod's `nodeSelector` and required node affinity both allow the node."""
    labels = node["metadata"].get("labels") or {}
    wanted = pod["spec"].get("nodeSelector")
    if wanted and any(labels.get(key) != value for key, value in wanted.items()):
        return False
    required = required_affinity(pod)
    return required is None or matches_node_selector(required, node)


def preference(pod: Mapping[str, Any], node: Mapping[str, Any]) -> int:
    """The summed weight of the pod's preferred node affinity terms that the node matches."""
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity")) or {}
    name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
    return sum(
        term["weight"]
        for term in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        # Unlike a required one, an empty preferred term matches every node.
        if not any((term.get("preference") or {}).values()) or matches_term(term["preference"], name, labels)
    )


def named_nodes(pod: Mapping[str, Any]) -> set[str] | None:
    """The only nodes the pod can go to when every term names nodes by `metadata.name In [...]`, else None.

    DaemonSet pods do; the real scheduler then leaves every other node out before it filters.
    """
    required = required_affinity(pod)
    if required is None:
        return None
    names: set[str] = set()
    for term in required.get("nodeSelectorTerms") or ():
        fields = [f for f in term.get("matchFields") or () if f["key"] == "metadata.name" and f["operator"] == "In"]
        if not fields:
            return None
        allowed = set(fields[0].get("values") or ())
        for field in fields[1:]:
            allowed &= set(field.get("values") or ())
        names |= allowed
    return names
