"""What PodDisruptionBudgets allow: the part of an eviction that asks them (EvictionREST)."""

from __future__ import annotations

import orjson

from kaito.embedded.apiserver.errors import GroupResource, StatusError, forbidden
from kaito.embedded.apiserver.store import Change, Entry, Object, Store
from kaito.embedded.apiserver.writing import timestamp
from kaito.kube.clock import Clock
from kaito.kube.objects import matches_labels

_COLLECTION = "policy/poddisruptionbudgets"
_BUDGET = GroupResource("policy", "poddisruptionbudget")
_VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
_MOST_DISRUPTED = 2000


class Budgets:
    """Asks the budgets of a pod for one disruption."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def spend(self, pod: Entry, *, dry_run: bool) -> Object | None:
        """Takes one disruption from the pod's budget, where it has one. Raises a 429 where none is left.

        Returns the Status for a pod of several budgets, which has no reason, unlike other failures.
        """
        labels = pod.object["metadata"].get("labels")
        budgets = [
            budget
            for budget in self._store.collection(_COLLECTION).entries(pod.key.namespace)
            if matches_labels((budget.object.get("spec") or {}).get("selector"), labels)
        ]
        if len(budgets) > 1:
            why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            return {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": why,
                "code": 500,
            }
        if budgets and not _goes_anyway(pod.object, budgets[0].object):
            self._take(budgets[0], pod.key.name, dry_run=dry_run)
        return None

    def _take(self, budget: Entry, pod: str, *, dry_run: bool) -> None:
        name = budget.key.name
        new = orjson.loads(budget.encoded)
        status = new.setdefault("status", {})
        if status.get("observedGeneration", 0) < new["metadata"].get("generation", 0):
            raise _refused(f"The disruption budget {name} is still being processed by the server.", 10)
        allowed = status.get("disruptionsAllowed", 0)
        if allowed < 0:
            raise forbidden(_BUDGET, name, "pdb disruptions allowed is negative")
        if len(status.get("disruptedPods") or ()) > _MOST_DISRUPTED:
            why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
            raise forbidden(_BUDGET, name, why)
        if allowed == 0:
            desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
            raise _refused(f"The disruption budget {name} needs {desired} healthy pods and has {current} currently", 0)
        if dry_run:
            return
        now = timestamp(self._clock.now())
        status["disruptionsAllowed"] = allowed - 1
        status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: now}
        if allowed == 1:
            _say_exhausted(status, now)
        self._store.commit([Change(_COLLECTION, budget.key, new)])


def _goes_anyway(pod: Object, budget: Object) -> bool:
    """Whether an unready pod may go without counting (UnhealthyPodEvictionPolicy)."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    return bool(status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0)


def _say_exhausted(status: Object, now: str) -> None:
    conditions = [c for c in status.get("conditions") or () if c.get("type") != "DisruptionAllowed"]
    before = next((c for c in status.get("conditions") or () if c.get("type") == "DisruptionAllowed"), None)
    changed = now if before is None or before.get("status") != "False" else before.get("lastTransitionTime", now)
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": status.get("observedGeneration", 0),
        "lastTransitionTime": changed,
        "reason": "InsufficientPods",
        "message": "",
    }
    status["conditions"] = [*conditions, condition]


def _refused(why: str, seconds: int) -> StatusError:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    headers = {}
    if seconds:
        details["retryAfterSeconds"] = seconds
        headers["Retry-After"] = str(seconds)
    return StatusError(429, "TooManyRequests", _VIOLATED, details, headers)
