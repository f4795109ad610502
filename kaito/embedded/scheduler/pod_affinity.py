"""Required inter-pod affinity and anti-affinity. Source: kube-scheduler's InterPodAffinity plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.embedded.scheduler.cluster_state import ClusterState, NodeInfo, PodInfo, affinity_terms
from kaito.kube.objects import matches_labels

NamespaceLabels = Mapping[str, Mapping[str, str]]
"""Labels of every namespace, for `namespaceSelector`."""

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"


def term_selects(term: Mapping[str, Any], owner: PodInfo, other: PodInfo, namespaces: NamespaceLabels) -> bool:
    """Whether an affinity term of `owner` is about the pod `other`."""
    named, selector = term.get("namespaces") or (), term.get("namespaceSelector")
    if named or selector is not None:
        inside = other.namespace in named or (
            selector is not None and matches_labels(selector, namespaces.get(other.namespace) or {})
        )
    else:
        inside = other.namespace == owner.namespace
    if not inside or not matches_labels(term.get("labelSelector"), other.labels):
        return False
    same = all(owner.labels.get(key) == other.labels.get(key) for key in term.get("matchLabelKeys") or ())
    return same and all(owner.labels.get(key) != other.labels.get(key) for key in term.get("mismatchLabelKeys") or ())


class PodAffinity:
    """The affinity rules around one pod, counted over the cluster once and then asked node by node."""

    def __init__(self, pod: PodInfo, state: ClusterState, namespaces: NamespaceLabels) -> None:
        self._affinity = affinity_terms(pod.pod, "podAffinity")
        self._topologies: list[set[str]] = [set() for _ in self._affinity]
        self._forbidden: set[tuple[str, str]] = set()
        self._forbidden_by_others: set[tuple[str, str]] = set()
        any_match = False
        for other in state.with_anti_affinity.values():
            node = state.node_of(other.uid)
            for term in other.anti_affinity:
                if node and term["topologyKey"] in node.labels and term_selects(term, other, pod, namespaces):
                    self._forbidden_by_others.add((term["topologyKey"], node.labels[term["topologyKey"]]))
        if self._affinity or pod.anti_affinity:
            for node, other in state.placed():
                for term in pod.anti_affinity:
                    if term["topologyKey"] in node.labels and term_selects(term, pod, other, namespaces):
                        self._forbidden.add((term["topologyKey"], node.labels[term["topologyKey"]]))
                # A pod counts for affinity only when it matches every term.
                if self._affinity and all(term_selects(term, pod, other, namespaces) for term in self._affinity):
                    for term, values in zip(self._affinity, self._topologies, strict=True):
                        if term["topologyKey"] in node.labels:
                            any_match = True
                            values.add(node.labels[term["topologyKey"]])
        # The first pod of a group that attracts itself may go anywhere the topology keys exist.
        self._first_of_group = (
            bool(self._affinity)
            and not any_match
            and all(term_selects(term, pod, pod, namespaces) for term in self._affinity)
        )

    def refuses(self, node: NodeInfo) -> tuple[str, bool] | None:
        """The reason why the pod may not go to the node, with whether it is final for preemption; None when it may."""
        for term, values in zip(self._affinity, self._topologies, strict=True):
            value = node.labels.get(term["topologyKey"])
            if value is None or (value not in values and not self._first_of_group):
                return AFFINITY, True
        labels = node.labels
        if any(labels.get(key) == value for key, value in self._forbidden):
            return ANTI_AFFINITY, False
        if any(labels.get(key) == value for key, value in self._forbidden_by_others):
            return EXISTING_ANTI_AFFINITY, False
        return None


def preferences(pod: PodInfo, state: ClusterState, namespaces: NamespaceLabels) -> dict[tuple[str, str], int]:
    """Weights by (topology key, value) from the pod's preferred affinity, anti-affinity counted negative."""
    weights: dict[tuple[str, str], int] = {}
    affinity = pod.pod["spec"].get("affinity") or {}
    terms = [
        (sign * term["weight"], term["podAffinityTerm"])
        for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1))
        for term in (affinity.get(kind) or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    ]
    if not terms:
        return weights
    for node, other in state.placed():
        for weight, term in terms:
            if term["topologyKey"] in node.labels and term_selects(term, pod, other, namespaces):
                place = (term["topologyKey"], node.labels[term["topologyKey"]])
                weights[place] = weights.get(place, 0) + weight
    return weights
