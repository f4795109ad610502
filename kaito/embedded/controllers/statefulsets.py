"""StatefulSets: pods with names and storage of their own. Source: pkg/controller/statefulset."""

from __future__ import annotations

import asyncio
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.claim_retention import ClaimRetention
from kaito.embedded.controllers.claiming import Claimer, owners_of
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.controller_revisions import History, template_of
from kaito.embedded.controllers.pods import FINISHED, available_in, phase_of
from kaito.embedded.controllers.statefulset_pods import (
    claims_of,
    identity_labels,
    new_pod,
    ordinal_of,
    ordinals,
    revision_of,
)
from kaito.embedded.controllers.statefulset_status import is_available, is_healthy, stateful_set_status
from kaito.kube.controller import Result
from kaito.kube.errors import AlreadyExists, ApiError
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.kube.resources import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS


class StatefulSets:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._sets, self._pods = cluster.cache(STATEFUL_SETS), cluster.cache(PODS)
        self._claims = cluster.cache(PERSISTENT_VOLUME_CLAIMS)
        self._claimer = Claimer(cluster.client, STATEFUL_SETS, self._pods)
        self._history = History(cluster, STATEFUL_SETS)
        self._retention = ClaimRetention(self._claims)
        self._events = cluster.recorder("statefulset-controller")
        cluster.run(
            "statefulset",
            self.reconcile,
            watches={STATEFUL_SETS: None, PODS: owners_of(self._sets, "StatefulSet")},
            needs=[PERSISTENT_VOLUME_CLAIMS, CONTROLLER_REVISIONS],
        )

    async def reconcile(self, key: Key) -> Result | None:
        """One look at one StatefulSet: as many steps as its policies allow now, and its status."""
        owner = self._sets.get(key)
        if owner is None:
            return None
        claimed = await self._claimer.claim(owner, owner["spec"].get("selector"))
        pods = {index: pod for pod in claimed if (index := ordinal_of(pod, owner)) is not None}
        status = owner.get("status") or {}
        revisions = await self._history.of(owner)
        update, collisions = await self._history.ensure(owner, revisions, status.get("collisionCount") or 0)
        update_name = update["metadata"]["name"]
        current = next((r for r in revisions if r["metadata"]["name"] == status.get("currentRevision")), update)
        error: ApiError | None = None
        if not is_deleting(owner):
            try:
                await self._step(owner, pods, current, update)
            except ApiError as failure:
                error = None if failure.namespace_terminating else failure
        pods = {i: p for p in self._pods.controlled_by(owner) if (i := ordinal_of(p, owner)) is not None}
        now = self._clock.now()
        await self._sets.update_status(
            owner,
            stateful_set_status(
                owner,
                list(pods.values()),
                current=current["metadata"]["name"],
                update=update_name,
                collisions=collisions,
                now=now,
            ),
        )
        live = {update_name, current["metadata"]["name"], *(revision_of(pod) for pod in pods.values())}
        await self._history.truncate(revisions, live, owner["spec"].get("revisionHistoryLimit", 10))
        if error is not None:
            raise error
        minimum = owner["spec"].get("minReadySeconds") or 0
        waits = [wait for pod in pods.values() if (wait := available_in(pod, minimum, now))]
        return Result(requeue_after=min(waits)) if waits else None

    async def _step(self, owner: Object, pods: dict[int, Object], current: Object, update: Object) -> None:
        """Create, replace and delete pods as far as the policies allow before the world has to answer."""
        one_by_one = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        wanted = ordinals(owner)
        condemned = sorted((index for index in pods if index not in wanted), reverse=True)
        await self._retention.apply(owner, pods, wanted)
        if not await self._fill(owner, pods, current, update, one_by_one):
            return
        if condemned and not await self._drain(owner, pods, condemned, one_by_one):
            return
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") == "RollingUpdate":
            partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
            await self._roll(owner, pods, update["metadata"]["name"], wanted.start + partition)

    async def _fill(
        self, owner: Object, pods: dict[int, Object], current: Object, update: Object, one_by_one: bool
    ) -> bool:
        """See that every ordinal has its pod; False when the next step has to wait."""
        missing: list[int] = []
        complete = True
        for index in ordinals(owner):
            pod = pods.get(index)
            if pod is not None and phase_of(pod) in FINISHED:
                await self._replace_finished(owner, pod)
                complete = False
                if one_by_one:
                    return False
            elif pod is None:
                missing.append(index)
                if one_by_one:
                    break
            else:
                await self._keep_identity(owner, pod, index)
                if one_by_one and (is_deleting(pod) or not is_available(owner, pod, self._clock.now())):
                    return False
        if missing:
            made = [self._create(owner, index, *self._version_for(owner, index, current, update)) for index in missing]
            results = await asyncio.gather(*made, return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            return not one_by_one and complete
        return complete

    @staticmethod
    def _version_for(owner: Object, index: int, current: Object, update: Object) -> tuple[dict[str, Any], str]:
        """The template and revision for a new pod: below the partition the current one, else the update."""
        strategy = owner["spec"].get("updateStrategy") or {}
        chosen = update
        if strategy.get("type", "RollingUpdate") == "RollingUpdate":
            rolling = strategy.get("rollingUpdate")
            below = (
                (rolling.get("partition") or 0)
                if rolling is not None
                else (owner.get("status") or {}).get("currentReplicas", 0)
            )
            if index < ordinals(owner).start + below:
                chosen = current
        if chosen is update:
            return owner["spec"]["template"], update["metadata"]["name"]
        return template_of(chosen), chosen["metadata"]["name"]

    async def _drain(self, owner: Object, pods: dict[int, Object], condemned: list[int], one_by_one: bool) -> bool:
        """End the pods beyond the wanted ordinals, highest first; False while a strict order has to wait."""
        unhealthy = min((i for i in pods if not is_healthy(pods[i])), default=None)
        for index in condemned:
            pod = pods[index]
            if is_deleting(pod):
                if one_by_one:
                    return False
                continue
            if one_by_one and not is_healthy(pod) and index != unhealthy:
                return False
            await self._delete(owner, pod)
            if one_by_one:
                return False
        return True

    async def _roll(self, owner: Object, pods: dict[int, Object], revision: str, lowest: int) -> None:
        """End one outdated pod, the highest first, and only while all above it are healthy."""
        for index in sorted((i for i in pods if i in ordinals(owner) and i >= lowest), reverse=True):
            pod = pods[index]
            if revision_of(pod) != revision and not is_deleting(pod):
                await self._delete(owner, pod)
                return
            if not is_healthy(pod):
                return

    # ---- one pod

    async def _create(self, owner: Object, index: int, template: dict[str, Any], revision: str) -> None:
        pod = new_pod(owner, template, revision, index)
        name, set_name = pod["metadata"]["name"], owner["metadata"]["name"]
        for claim in claims_of(owner, index):
            await self._create_claim(owner, claim, name)
        try:
            await self._pods.create(pod)
        except ApiError as error:
            if not error.namespace_terminating:
                message = f"create Pod {name} in StatefulSet {set_name} failed error: {error.message}"
                self._events.event(owner, "Warning", "FailedCreate", message)
            raise
        message = f"create Pod {name} in StatefulSet {set_name} successful"
        self._events.event(owner, "Normal", "SuccessfulCreate", message)

    async def _create_claim(self, owner: Object, claim: Object, pod_name: str) -> None:
        if self._claims.get(key_of(claim)) is not None:
            return
        what = f"create Claim {claim['metadata']['name']} Pod {pod_name} in StatefulSet {owner['metadata']['name']}"
        try:
            await self._claims.create(claim)
        except AlreadyExists:
            return
        except ApiError as error:
            self._events.event(owner, "Warning", "FailedCreate", f"{what} failed error: {error.message}")
            raise
        self._events.event(owner, "Normal", "SuccessfulCreate", f"{what} success")

    async def _delete(self, owner: Object, pod: Object) -> None:
        what = f"delete Pod {pod['metadata']['name']} in StatefulSet {owner['metadata']['name']}"
        try:
            await self._pods.delete(pod)
        except ApiError as error:
            self._events.event(owner, "Warning", "FailedDelete", f"{what} failed error: {error.message}")
            raise
        self._events.event(owner, "Normal", "SuccessfulDelete", f"{what} successful")

    async def _replace_finished(self, owner: Object, pod: Object) -> None:
        """End a pod that has finished; the next look finds its place empty."""
        if is_deleting(pod):
            return
        failed = phase_of(pod) == "Failed"
        metadata = owner["metadata"]
        what = f"{'failed' if failed else 'terminated'} Pod {pod['metadata']['name']}"
        self._events.event(
            owner,
            "Warning" if failed else "Normal",
            "RecreatingFailedPod" if failed else "RecreatingTerminatedPod",
            f"StatefulSet {metadata['namespace']}/{metadata['name']} is recreating {what}",
        )
        await self._delete(owner, pod)

    async def _keep_identity(self, owner: Object, pod: Object, index: int) -> None:
        wanted = identity_labels(pod, index)
        labels = pod["metadata"].get("labels") or {}
        if is_deleting(pod) or all(labels.get(name) == value for name, value in wanted.items()):
            return
        await self._pods.patch(pod, {"metadata": {"labels": wanted}})
        message = f"update Pod {pod['metadata']['name']} in StatefulSet {owner['metadata']['name']} successful"
        self._events.event(owner, "Normal", "SuccessfulUpdate", message)
