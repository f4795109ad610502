"""Which nodes may take a pod, with kube-scheduler's reasons in its order: the first filter that refuses names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kaito.embedded.scheduler.cluster_state import ClusterState, NodeInfo, PodInfo
from kaito.embedded.scheduler.node_affinity import named_nodes, selects_node
from kaito.embedded.scheduler.pod_affinity import NamespaceLabels, PodAffinity
from kaito.embedded.scheduler.requests import ports_clash
from kaito.embedded.scheduler.taints import UNSCHEDULABLE, Tolerations, tolerated, untolerated
from kaito.embedded.scheduler.topology_spread import TopologySpread
from kaito.embedded.scheduler.volumes import PodVolumes

UNSCHEDULABLE_NODE = "node(s) were unschedulable"
WRONG_NAME = "node(s) didn't match the requested node name"
TAINTED = "node(s) had untolerated taint(s)"
NOT_SELECTED = "node(s) didn't match Pod's node affinity/selector"
PORT_TAKEN = "node(s) didn't have free ports for the requested pod ports"
TOO_MANY_PODS = "Too many pods"


class Refusal(NamedTuple):
    """Why a node cannot take a pod. `final`: evicting pods from the node would not help."""

    reasons: Sequence[str]
    final: bool


class Filter:
    """The filters around one pod: what they count over the whole cluster is counted once."""

    def __init__(self, pod: PodInfo, state: ClusterState, *, volumes: PodVolumes, namespaces: NamespaceLabels) -> None:
        self.pod = pod
        self._state = state
        self.volumes = volumes
        spec = pod.pod["spec"]
        self.named_nodes = named_nodes(pod.pod)
        self._node_name: str | None = spec.get("nodeName")
        self._tolerations: Tolerations = spec.get("tolerations") or ()
        self._constrained = bool(spec.get("nodeSelector") or (spec.get("affinity") or {}).get("nodeAffinity"))
        self._spread = TopologySpread(pod, state) if spec.get("topologySpreadConstraints") else None
        needs_affinity = bool(pod.anti_affinity or (spec.get("affinity") or {}).get("podAffinity"))
        self._affinity = PodAffinity(pod, state, namespaces) if needs_affinity or state.with_anti_affinity else None

    def refuses(self, node: NodeInfo) -> Refusal | None:
        """Why the node cannot take the pod; None when it can."""
        node = self._state.as_seen_by(self.pod, node)
        assert node.node is not None
        if node.unschedulable and not tolerated(self._tolerations, UNSCHEDULABLE):
            return Refusal((UNSCHEDULABLE_NODE,), True)
        if self._node_name and self._node_name != node.name:
            return Refusal((WRONG_NAME,), True)
        if node.taints and untolerated(self._tolerations, node.taints) is not None:
            return Refusal((TAINTED,), True)
        if self._constrained and not selects_node(self.pod.pod, node.node):
            return Refusal((NOT_SELECTED,), True)
        if self.pod.ports and ports_clash(self.pod.ports, (p for other in node.pods.values() for p in other.ports)):
            return Refusal((PORT_TAKEN,), False)
        refusal = _lacks(self.pod, node)
        if refusal is not None:
            return refusal
        for rule in (self.volumes, self._spread, self._affinity):
            found = rule.refuses(node) if rule is not None else None
            if found is not None:
                return Refusal((found[0],), found[1])
        return None


def _lacks(pod: PodInfo, node: NodeInfo) -> Refusal | None:
    """NodeResourcesFit: every resource that the node lacks is named; what exceeds the whole node is final."""
    reasons: list[str] = []
    final = False
    if len(node.pods) + 1 > node.allocatable.get("pods", 0):
        reasons.append(TOO_MANY_PODS)
    for name, amount in pod.requests.items():
        allocatable = node.allocatable.get(name, 0)
        if amount > allocatable - node.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            final = final or amount > allocatable
    return Refusal(reasons, final) if reasons else None
