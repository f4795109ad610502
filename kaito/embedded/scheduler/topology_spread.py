"""Topology spread constraints with `DoNotSchedule`. Source: kube-scheduler's PodTopologySpread plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.embedded.scheduler.cluster_state import ClusterState, NodeInfo, PodInfo
from kaito.embedded.scheduler.node_affinity import selects_node
from kaito.embedded.scheduler.taints import untolerated
from kaito.kube.objects import matches_labels

SKEWED = "node(s) didn't match pod topology spread constraints"
UNLABELLED = "node(s) didn't match pod topology spread constraints (missing required label)"


class TopologySpread:
    """The hard constraints of one pod, counted over the cluster once and then asked node by node."""

    def __init__(self, pod: PodInfo, state: ClusterState) -> None:
        constraints = pod.pod["spec"].get("topologySpreadConstraints") or ()
        self._constraints = [each for each in constraints if each["whenUnsatisfiable"] == "DoNotSchedule"]
        self._counts: list[dict[str, int]] = []
        self._self_matches: list[bool] = []
        keys = [each["topologyKey"] for each in self._constraints]
        for constraint in self._constraints:
            selector = _selector_with_keys(constraint, pod)
            self._self_matches.append(matches_labels(selector, pod.labels))
            counts: dict[str, int] = {}
            for node in state.ready_nodes():
                if not all(key in node.labels for key in keys) or not _counts_node(constraint, pod, node):
                    continue
                value = node.labels[constraint["topologyKey"]]
                counts[value] = counts.get(value, 0) + sum(
                    other.namespace == pod.namespace
                    and not other.pod["metadata"].get("deletionTimestamp")
                    and matches_labels(selector, other.labels)
                    for other in node.pods.values()
                )
            self._counts.append(counts)

    def refuses(self, node: NodeInfo) -> tuple[str, bool] | None:
        """The reason why the pod may not go to the node, with whether it is final for preemption; None when it may."""
        for constraint, counts, itself in zip(self._constraints, self._counts, self._self_matches, strict=True):
            value = node.labels.get(constraint["topologyKey"])
            if value is None:
                return UNLABELLED, True
            least = min(counts.values(), default=0)
            if len(counts) < (constraint.get("minDomains") or 1):
                least = 0
            if counts.get(value, 0) + itself - least > constraint["maxSkew"]:
                return SKEWED, False
        return None


def _selector_with_keys(constraint: Mapping[str, Any], pod: PodInfo) -> Mapping[str, Any] | None:
    selector: Mapping[str, Any] | None = constraint.get("labelSelector")
    keys = [key for key in constraint.get("matchLabelKeys") or () if key in pod.labels]
    if not keys:
        return selector
    selector = selector or {}
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **{k: pod.labels[k] for k in keys}}}


def _counts_node(constraint: Mapping[str, Any], pod: PodInfo, node: NodeInfo) -> bool:
    if node.node is None:
        return False
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not selects_node(pod.pod, node.node):
        return False
    if constraint.get("nodeTaintsPolicy", "Ignore") == "Honor":
        return untolerated(pod.pod["spec"].get("tolerations") or (), node.taints) is None
    return True
