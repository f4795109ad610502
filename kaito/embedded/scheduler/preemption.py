"""Which less important pods would have to go so that a pod finds a place.

Source: kube-scheduler's DefaultPreemption plugin. Left out: its random start among more than a hundred nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaito.embedded.scheduler.cluster_state import ClusterState, NodeInfo, PodInfo
from kaito.embedded.scheduler.filtering import Filter, Refusal
from kaito.kube.objects import get_condition, matches_labels

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
ENDING = "not eligible due to a terminating pod on the nominated node."
REASON = "PreemptionByScheduler"
"""Of a victim's condition `DisruptionTarget`."""
MOST_CANDIDATES = 100
"""Nodes on which victims are looked for."""
PRIORITY_OFFSET = 2**31
"""Added to each priority before they are summed, so that many negative ones do not look cheap."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, and the pods on it that would have to go, the most important first."""

    node: str
    victims: list[PodInfo]
    violations: int
    """How many of them a PodDisruptionBudget protects."""

    @property
    def cost(self) -> tuple[int, int, int, int]:
        """What is compared: broken budgets, the highest priority among the victims, their sum, their number."""
        priorities = [victim.priority for victim in self.victims]
        return self.violations, max(priorities), sum(each + PRIORITY_OFFSET for each in priorities), len(priorities)

    @property
    def latest_start(self) -> str:
        """When the first of its most important victims started; of equal candidates the latest is taken."""
        highest = self.victims[0].priority
        return min(victim.started for victim in self.victims if victim.priority == highest)


def ineligible(pod: PodInfo, state: ClusterState, refusals: Mapping[str, Refusal]) -> str | None:
    """Why the pod may not preempt others now, or None."""
    if pod.pod["spec"].get("preemptionPolicy") == "Never":
        return NEVER
    nominated = state.nominated_node(pod.uid)
    node = state.nodes.get(nominated) if nominated is not None else None
    if node is None or ((refusal := refusals.get(node.name)) and refusal.final):
        return None
    if any(other.priority < pod.priority and _is_ending_victim(other.pod) for other in node.pods.values()):
        return ENDING
    return None


def _is_ending_victim(pod: Mapping[str, Any]) -> bool:
    condition = get_condition(pod, "DisruptionTarget")
    return bool(pod["metadata"].get("deletionTimestamp") and condition and condition.get("reason") == REASON)


def find_candidate(
    pod: PodInfo,
    state: ClusterState,
    refusals: Mapping[str, Refusal],
    budgets: Sequence[Mapping[str, Any]],
    rules: Callable[[], Filter],
) -> tuple[Candidate | None, list[str]]:
    """The best node to make room on; or None and, for every node, why not.

    `refusals` has one entry a node. `rules` makes the filters of the pod anew from `state`, which is changed and
    changed back while victims are tried.
    """
    candidates: list[Candidate] = []
    reasons: list[str] = []
    for name, refusal in refusals.items():
        if refusal.final:
            reasons.append(NOT_HELPFUL)
        elif len(candidates) < MOST_CANDIDATES:
            found = _victims(pod, state.nodes[name], state, budgets, rules)
            if isinstance(found, Candidate):
                candidates.append(found)
            else:
                reasons.extend(found)
    if not candidates:
        return None, reasons
    cheapest = min(candidate.cost for candidate in candidates)
    equal = [candidate for candidate in candidates if candidate.cost == cheapest]
    return max(equal, key=lambda candidate: candidate.latest_start), []


def _victims(
    pod: PodInfo,
    node: NodeInfo,
    state: ClusterState,
    budgets: Sequence[Mapping[str, Any]],
    rules: Callable[[], Filter],
) -> Candidate | Sequence[str]:
    """The fewest pods that must go from a node: all lesser ones, but for those that can stay after all."""
    lesser = sorted((other for other in node.pods.values() if other.priority < pod.priority), key=_importance)
    if not lesser:
        return (NO_VICTIMS,)
    for other in lesser:
        state.remove_pod(other.uid)
    try:
        refusal = rules().refuses(node)
        if refusal is not None:
            return refusal.reasons
        protected = _protected(lesser, budgets)
        victims: list[PodInfo] = []
        for other in sorted(lesser, key=lambda each: each.uid not in protected):
            state.place(other, node.name)
            if rules().refuses(node) is not None:
                state.remove_pod(other.uid)
                victims.append(other)
        violations = sum(victim.uid in protected for victim in victims)
        return Candidate(node.name, sorted(victims, key=_importance), violations)
    finally:
        for other in lesser:
            state.place(other, node.name)


def _importance(pod: PodInfo) -> tuple[int, str]:
    """Sorts the most important first: higher priority, then earlier start."""
    return -pod.priority, pod.started


def _protected(pods: Sequence[PodInfo], budgets: Sequence[Mapping[str, Any]]) -> set[str]:
    """The uids of those that a budget protects once the disruptions that it allows are used up, in the given order."""
    allowed = [(budget.get("status") or {}).get("disruptionsAllowed") or 0 for budget in budgets]
    protected: set[str] = set()
    for pod in pods:
        for index, budget in enumerate(budgets):
            if not _covers(budget, pod):
                continue
            allowed[index] -= 1
            if allowed[index] < 0:
                protected.add(pod.uid)
    return protected


def _covers(budget: Mapping[str, Any], pod: PodInfo) -> bool:
    selector = budget["spec"].get("selector")
    if not selector or not pod.labels or budget["metadata"].get("namespace") != pod.namespace:
        return False
    disrupted = (budget.get("status") or {}).get("disruptedPods") or {}
    return pod.pod["metadata"]["name"] not in disrupted and matches_labels(selector, pod.labels)
