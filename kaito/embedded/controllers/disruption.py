"""PodDisruptionBudgets: how many of their pods may be ended on purpose now. Source: pkg/controller/disruption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import condition, find, put
from kaito.embedded.controllers.pods import is_ready
from kaito.embedded.controllers.replica_counts import resolve
from kaito.kube.controller import Result
from kaito.kube.objects import Key, controller_of, is_deleting, key_of, matches_labels, parse_time
from kaito.kube.resources import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, STATEFUL_SETS

EVICTION_SECONDS = 120.0
"""How long an evicted pod that is still there counts as disrupted (DeletionTimeout)."""
UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of "
    "the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please "
    'set ".spec.minAvailable" field of the PDB to an integer value.'
)


class Disruption:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._budgets, self._pods = cluster.cache(POD_DISRUPTION_BUDGETS), cluster.cache(PODS)
        self._events = cluster.recorder("controllermanager")
        self._owners = {
            "ReplicaSet": cluster.cache(REPLICA_SETS),
            "StatefulSet": cluster.cache(STATEFUL_SETS),
            "Deployment": cluster.cache(DEPLOYMENTS),
        }
        cluster.run(
            "disruption",
            self.reconcile,
            watches={POD_DISRUPTION_BUDGETS: None, PODS: self._budgets_of},
            needs=[REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS],
        )

    def _budgets_of(self, pod: Object) -> Iterable[Key]:
        namespace = pod["metadata"]["namespace"]
        return [key_of(budget) for budget in self._budgets.informer.list(namespace) if _selects(budget, pod)]

    async def reconcile(self, key: Key) -> Result | None:
        """Bring the status of one budget in line with its pods."""
        budget = self._budgets.get(key)
        if budget is None or is_deleting(budget):
            return None
        pods = [pod for pod in self._pods.informer.list(key.namespace) if _selects(budget, pod)]
        if not pods:
            self._events.event(budget, "Normal", "NoPods", "No matching pods found")
        expected, desired = self._counts(budget, pods)
        now = self._clock.now()
        disrupted, again = _disrupted(budget, pods, now)
        healthy = sum(
            is_ready(pod) for pod in pods if not is_deleting(pod) and pod["metadata"]["name"] not in disrupted
        )
        status = budget_status(budget, expected=expected, desired=desired, healthy=healthy, now=now)
        if disrupted:
            status["disruptedPods"] = disrupted
        await self._budgets.update_status(budget, status)
        return Result(requeue_after=again) if again is not None else None

    def _counts(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many of them must be healthy."""
        spec = budget["spec"]
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if most is None and not isinstance(least, str):
            return len(pods), int(least or 0)
        owners = {reference["uid"]: (reference, pod) for pod in pods if (reference := controller_of(pod))}
        if any(controller_of(pod) is None for pod in pods):
            self._events.event(budget, "Warning", "UnmanagedPods", UNMANAGED.format(_shown(spec.get("selector"))))
        expected = sum(self._scale(reference, pod["metadata"]["namespace"]) for reference, pod in owners.values())
        if most is not None:
            return expected, max(0, expected - resolve(most, expected, round_up=True))
        return expected, resolve(least, expected, round_up=True)

    def _scale(self, reference: Mapping[str, Any], namespace: str) -> int:
        """How many pods the owner of a pod wants: its Deployment's number where a ReplicaSet has one."""
        cache = self._owners.get(reference["kind"])
        owner = cache.get(Key(namespace, reference["name"])) if cache is not None else None
        if owner is None or owner["metadata"]["uid"] != reference["uid"]:
            return 0
        above = controller_of(owner)
        if above is not None and above["kind"] == "Deployment":
            return self._scale(above, namespace)
        return int(owner["spec"].get("replicas", 1))


def budget_status(budget: Object, *, expected: int, desired: int, healthy: int, now: datetime) -> dict[str, Any]:
    """The status for so many pods that should be there, must be healthy and are healthy."""
    allowed = max(0, healthy - desired) if expected > 0 else 0
    reason = (
        ("DisruptionAllowed", "True", "SufficientPods")
        if allowed
        else ("DisruptionAllowed", "False", "InsufficientPods")
    )
    old = list((budget.get("status") or {}).get("conditions") or ())
    conditions = put(old, condition(*reason, "", now))
    generation = budget["metadata"].get("generation", 0)
    current = find(conditions, "DisruptionAllowed")
    assert current is not None
    return {
        "expectedPods": expected,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "observedGeneration": generation,
        "conditions": [
            each if each is not current else {**each, "observedGeneration": generation} for each in conditions
        ],
    }


def _selects(budget: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether a budget is about a pod; an empty selector is about all of the namespace, none about nothing."""
    selector = budget["spec"].get("selector")
    return selector is not None and matches_labels(selector, pod["metadata"].get("labels"))


def _disrupted(budget: Object, pods: list[Object], now: datetime) -> tuple[dict[str, str], float | None]:
    """The evicted pods that are there still, and the seconds until the first of them counts as staying after all."""
    names = {pod["metadata"]["name"] for pod in pods if not is_deleting(pod)}
    left = {
        name: EVICTION_SECONDS - (now - parse_time(moment)).total_seconds()
        for name, moment in ((budget.get("status") or {}).get("disruptedPods") or {}).items()
        if name in names
    }
    kept = {name: seconds for name, seconds in left.items() if seconds > 0}
    moments = (budget.get("status") or {}).get("disruptedPods") or {}
    return {name: moments[name] for name in kept}, min(kept.values(), default=None)


def _shown(selector: Mapping[str, Any] | None) -> str:
    """A selector as Go prints it."""
    labels = [f"{key}: {value}," for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    shown = f"MatchLabels:map[string]string{{{''.join(labels)}}}"
    return f"&LabelSelector{{{shown},MatchExpressions:[]LabelSelectorRequirement{{}},}}"
