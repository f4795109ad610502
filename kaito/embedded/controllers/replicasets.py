"""ReplicaSets: as many active pods as asked for. Source: pkg/controller/replicaset."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.claiming import Claimer, owners_of
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import condition, find, put, without
from kaito.embedded.controllers.creating import BURST, PodControl
from kaito.embedded.controllers.pods import available_in, deletion_rank, is_active, is_ready, pod_from_template
from kaito.kube.controller import Result
from kaito.kube.errors import ApiError
from kaito.kube.objects import Key, is_deleting, matches_labels
from kaito.kube.resources import PODS, REPLICA_SETS


def replica_set_status(
    replica_set: Object, pods: list[Object], now: datetime, failure: tuple[str, str] | None = None
) -> tuple[dict[str, Any], float | None]:
    """The status for the active pods, and in how many seconds it changes by itself (None: it does not).

    `failure` is the reason and message of what went wrong while pods were created or deleted.
    """
    spec = replica_set["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    waits = [available_in(pod, spec.get("minReadySeconds") or 0, now) for pod in pods]
    old = replica_set.get("status") or {}
    conditions = list(old.get("conditions") or ())
    if failure is not None and find(conditions, "ReplicaFailure") is None:
        conditions = put(conditions, condition("ReplicaFailure", "True", *failure, now))
    elif failure is None:
        conditions = without(conditions, "ReplicaFailure")
    status: dict[str, Any] = {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(matches_labels({"matchLabels": labels}, p["metadata"].get("labels")) for p in pods),
        "readyReplicas": sum(is_ready(pod) for pod in pods),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
        "conditions": conditions,
    }
    kept = {name: value for name, value in status.items() if value or name == "replicas"}
    return kept, min((wait for wait in waits if wait), default=None)


class ReplicaSets:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._sets, self._pods = cluster.cache(REPLICA_SETS), cluster.cache(PODS)
        self._claimer = Claimer(cluster.client, REPLICA_SETS, self._pods)
        self._control = PodControl(self._pods, cluster.recorder("replicaset-controller"))
        cluster.run(
            "replicaset",
            self.reconcile,
            watches={REPLICA_SETS: None, PODS: owners_of(self._sets, "ReplicaSet")},
        )

    async def reconcile(self, key: Key) -> Result | None:
        """Bring the pods of one ReplicaSet to its number and its status to what the pods are."""
        replica_set = self._sets.get(key)
        if replica_set is None:
            return None
        pods = await self._claimer.claim(replica_set, replica_set["spec"].get("selector"))
        active = [pod for pod in pods if is_active(pod)]
        failure: tuple[str, str] | None = None
        error: ApiError | None = None
        if not is_deleting(replica_set):
            failure, error = await self._scale(replica_set, active)
            active = [pod for pod in self._pods.controlled_by(replica_set) if is_active(pod)]
        status, again = replica_set_status(replica_set, active, self._clock.now(), failure)
        await self._sets.update_status(replica_set, status)
        if error is not None:
            raise error
        return Result(requeue_after=again) if again else None

    async def _scale(self, owner: Object, active: list[Object]) -> tuple[tuple[str, str] | None, ApiError | None]:
        wanted = owner["spec"].get("replicas", 1)
        missing = min(wanted - len(active), BURST)
        if missing > 0:
            template = owner["spec"]["template"]
            error = await self._control.create_all(owner, [pod_from_template(template, owner) for _ in range(missing)])
            return (("FailedCreate", error.message), error) if error else (None, None)
        if missing < 0:
            crowd = Counter(pod["spec"].get("nodeName") or "" for pod in active)
            surplus = sorted(active, key=lambda pod: deletion_rank(pod, crowd))[: min(-missing, BURST)]
            try:
                await self._control.delete_all(owner, surplus)
            except ApiError as error:
                return ("FailedDelete", error.message), error
        return None, None
