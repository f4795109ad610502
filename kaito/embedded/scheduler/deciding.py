"""What to do with one pod: the node for it, the pods that must go first, or the sentence that says why neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kaito.embedded.scheduler.cluster_state import ClusterState, NodeInfo, PodInfo
from kaito.embedded.scheduler.filtering import Filter, Refusal
from kaito.embedded.scheduler.messages import unschedulable, without_looking
from kaito.embedded.scheduler.pod_affinity import NamespaceLabels
from kaito.embedded.scheduler.preemption import Candidate, find_candidate, ineligible
from kaito.embedded.scheduler.scoring import scores
from kaito.embedded.scheduler.volumes import PodVolumes

ENOUGH_NODES = 100
"""Fitting nodes after which the search stops, as kube-scheduler's sampling does on large clusters."""
NOT_NAMED = Refusal(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), True)


class Surroundings(NamedTuple):
    """What beside nodes and pods a decision looks at."""

    volumes: PodVolumes
    namespaces: NamespaceLabels
    budgets: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Decision:
    """Exactly one of a node and a message."""

    node: str | None = None
    message: str = ""
    candidate: Candidate | None = None
    """Where room is to be made for a pod that fits nowhere."""
    hopeless: bool = False
    """No node would fit after preemption either: a nomination made before is void."""


def decide(pod: PodInfo, state: ClusterState, around: Surroundings) -> Decision:
    """Find a node for a pod; where there is none, find out whether others should make room."""
    everyone = state.ready_nodes()
    if around.volumes.problem is not None:
        return Decision(message=without_looking(len(everyone), around.volumes.problem))

    def rules() -> Filter:
        return Filter(pod, state, volumes=around.volumes, namespaces=around.namespaces)

    filters = rules()
    nominated = state.nodes.get(state.nominated_node(pod.uid) or "")
    if nominated is not None and nominated.node is not None and _refusal(filters, nominated) is None:
        return Decision(nominated.name)
    fitting: list[NodeInfo] = []
    for node in state.candidates(pod.pod):
        if _refusal(filters, node) is None:
            fitting.append(node)
            if len(fitting) == ENOUGH_NODES:
                break
    if len(fitting) == 1:
        return Decision(fitting[0].name)
    if fitting:
        points = scores(pod, fitting, state, around.namespaces)
        return Decision(min(points, key=lambda name: (-points[name], name)))
    refusals = {node.name: refusal for node in everyone if (refusal := _refusal(filters, node)) is not None}
    why_not = ineligible(pod, state, refusals)
    if why_not is not None:
        return Decision(message=unschedulable(len(everyone), refusals, why_not))
    candidate, reasons = find_candidate(pod, state, refusals, around.budgets, rules)
    message = unschedulable(len(everyone), refusals, reasons if candidate is None else None)
    return Decision(message=message, candidate=candidate, hopeless=candidate is None)


def _refusal(filters: Filter, node: NodeInfo) -> Refusal | None:
    if filters.named_nodes is not None and node.name not in filters.named_nodes:
        return NOT_NAMED
    return filters.refuses(node)
