"""Deployments: ReplicaSets for templates, rolled from one to the next. Source: pkg/controller/deployment."""

from __future__ import annotations

from typing import Any

from kaito.embedded.controllers import revisions
from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.claiming import Claimer, owners_of
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import condition, find, put
from kaito.embedded.controllers.deployment_status import PROGRESSING, deployment_status, is_complete
from kaito.embedded.controllers.pods import phase_of
from kaito.embedded.controllers.replica_counts import (
    DESIRED_REPLICAS,
    fenceposts,
    new_replica_count,
    observed,
    proportional_shares,
    wanted_of,
)
from kaito.kube.controller import Result
from kaito.kube.errors import AlreadyExists
from kaito.kube.objects import Key, controller_of, is_deleting, key_of
from kaito.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS


class Deployments:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._deployments = cluster.cache(DEPLOYMENTS)
        self._sets, self._pods = cluster.cache(REPLICA_SETS), cluster.cache(PODS)
        self._claimer = Claimer(cluster.client, DEPLOYMENTS, self._sets)
        self._events = cluster.recorder("deployment-controller")
        cluster.run(
            "deployment",
            self.reconcile,
            watches={
                DEPLOYMENTS: None,
                REPLICA_SETS: owners_of(self._deployments, "Deployment"),
                PODS: self._recreating,
            },
        )

    def _recreating(self, pod: Object) -> list[Key]:
        """A Recreate rollout goes on when the last pod of the old template is gone."""
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "ReplicaSet":
            return []
        namespace = pod["metadata"]["namespace"]
        replica_set = self._sets.get(Key(namespace, owner["name"]))
        above = controller_of(replica_set) if replica_set else None
        if above is None:
            return []
        deployment = self._deployments.get(Key(namespace, above["name"]))
        strategy = (deployment or {"spec": {}})["spec"].get("strategy") or {}
        return [Key(namespace, above["name"])] if strategy.get("type") == "Recreate" else []

    async def reconcile(self, key: Key) -> Result | None:
        """One step of one Deployment: its ReplicaSets' sizes and its status."""
        deployment = self._deployments.get(key)
        if deployment is None:
            return None
        selector = deployment["spec"].get("selector")
        if not selector:
            self._events.event(
                deployment,
                "Warning",
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        everything = await self._claimer.claim(deployment, selector)
        if is_deleting(deployment):
            return await self._write_status(deployment, everything, revisions.find_new(deployment, everything))
        deployment = await self._note_pause(deployment)
        new = revisions.find_new(deployment, everything)
        if deployment["spec"].get("paused") or self._is_resize(deployment, everything):
            await self._resize(deployment, everything, new)
            everything = self._current(everything)
            new = self._fresh(new) if new else None
            if deployment["spec"].get("paused"):
                await self._clean_up(deployment, everything, new)
            return await self._write_status(deployment, everything, new, tracking=False)
        strategy = (deployment["spec"].get("strategy") or {}).get("type") or "RollingUpdate"
        if strategy == "Recreate":
            return await self._recreate(deployment, everything)
        return await self._roll(deployment, everything)

    # ---- the two strategies

    async def _roll(self, deployment: Object, everything: list[Object]) -> Result | None:
        new, created = await self._ensure_new(deployment, everything)
        everything = self._current([*everything, new])
        old = [each for each in everything if key_of(each) != key_of(new)]
        moved = await self._scale(deployment, new, self._target(deployment, everything, new))
        if not moved:
            await self._shrink_old(deployment, everything, new, old)
        return await self._finish(deployment, everything, new, created)

    async def _recreate(self, deployment: Object, everything: list[Object]) -> Result | None:
        new = revisions.find_new(deployment, everything)
        old = [each for each in everything if new is None or key_of(each) != key_of(new)]
        shrunk = [await self._scale(deployment, each, 0) for each in old if each["spec"].get("replicas", 1)]
        running = [
            pod
            for each in old
            for pod in self._pods.controlled_by(each)
            if phase_of(pod) not in ("Succeeded", "Failed")
        ]
        if any(shrunk) or running:
            return await self._write_status(deployment, self._current(everything), new)
        new, created = await self._ensure_new(deployment, everything)
        await self._scale(deployment, new, deployment["spec"].get("replicas", 1))
        return await self._finish(deployment, self._current([*everything, new]), new, created)

    async def _finish(self, deployment: Object, everything: list[Object], new: Object, created: bool) -> Result | None:
        everything, new = self._current(everything), self._fresh(new)
        result = await self._write_status(deployment, everything, new, created=created)
        latest = self._deployments.get(key_of(deployment)) or deployment
        if is_complete(deployment, latest.get("status") or {}):
            await self._clean_up(deployment, everything, new)
        return result

    @staticmethod
    def _target(deployment: Object, everything: list[Object], new: Object) -> int:
        replicas: int = deployment["spec"].get("replicas", 1)
        if new["spec"].get("replicas", 1) >= replicas:
            return replicas
        return new_replica_count(deployment, everything, new)

    async def _shrink_old(self, deployment: Object, everything: list[Object], new: Object, old: list[Object]) -> None:
        """Take pods from old ReplicaSets as far as enough stay available: the unhealthy ones first, then the oldest."""
        if not wanted_of(old):
            return
        replicas = deployment["spec"].get("replicas", 1)
        least = replicas - fenceposts(deployment)[1]
        new_unavailable = new["spec"].get("replicas", 1) - observed([new], "availableReplicas")
        most = wanted_of(everything) - least - new_unavailable
        if most <= 0:
            return
        for each in sorted(old, key=revisions.creation_order):
            size = each["spec"].get("replicas", 1)
            unhealthy = min(most, size - observed([each], "availableReplicas"))
            if size and unhealthy > 0:
                await self._scale(deployment, each, size - unhealthy)
                most -= unhealthy
        old = self._current(old)
        surplus = observed(self._current(everything), "availableReplicas") - least
        for each in sorted(old, key=revisions.creation_order):
            size = each["spec"].get("replicas", 1)
            cut = min(size, surplus)
            if cut <= 0:
                continue
            await self._scale(deployment, each, size - cut)
            surplus -= cut

    # ---- ReplicaSets

    async def _ensure_new(self, deployment: Object, everything: list[Object]) -> tuple[Object, bool]:
        """The ReplicaSet of the current template, made or brought up to date; True when it was made."""
        new = revisions.find_new(deployment, everything)
        others = [each for each in everything if new is None or key_of(each) != key_of(new)]
        revision = max((revisions.revision_of(each) for each in others), default=0) + 1
        if new is not None:
            wanted = revisions.annotations_for(deployment, new, revision)
            minimum = deployment["spec"].get("minReadySeconds") or 0
            if wanted != (new["metadata"].get("annotations") or {}) or minimum != (
                new["spec"].get("minReadySeconds") or 0
            ):
                new = await self._sets.patch(
                    new, {"metadata": {"annotations": wanted}, "spec": {"minReadySeconds": minimum or None}}
                )
            await self._annotate(deployment, revisions.revision_of(new))
            return new, False
        collisions = (deployment.get("status") or {}).get("collisionCount")
        fresh = revisions.new_replica_set(deployment, 0, revision, collisions)
        fresh["spec"]["replicas"] = new_replica_count(deployment, [*everything, fresh], fresh)
        try:
            new = await self._sets.create(fresh)
        except AlreadyExists:
            # A ReplicaSet that is not ours, or whose template was changed, has the name: use another next time.
            status = {**(deployment.get("status") or {}), "collisionCount": (collisions or 0) + 1}
            await self._deployments.update_status(deployment, status)
            raise
        name, size = new["metadata"]["name"], new["spec"]["replicas"]
        if size:
            self._events.event(
                deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}"
            )
        await self._annotate(deployment, revision)
        return new, True

    async def _annotate(self, deployment: Object, revision: int) -> None:
        """Write the revision with the status, which raises no generation; a server that drops it gets a patch."""
        latest = self._deployments.get(key_of(deployment)) or deployment
        annotations = {**(latest["metadata"].get("annotations") or {}), revisions.REVISION: str(revision)}
        if annotations == latest["metadata"].get("annotations"):
            return
        written = await self._deployments.update(
            {**latest, "metadata": {**latest["metadata"], "annotations": annotations}}, subresource="status"
        )
        if (written["metadata"].get("annotations") or {}).get(revisions.REVISION) != str(revision):
            await self._deployments.patch(written, {"metadata": {"annotations": annotations}})

    async def _scale(self, deployment: Object, replica_set: Object, size: int) -> bool:
        """Give a ReplicaSet its size; True when it had another."""
        before = replica_set["spec"].get("replicas", 1)
        if before == size:
            return False
        replicas = deployment["spec"].get("replicas", 1)
        annotations = {
            DESIRED_REPLICAS: str(replicas),
            "deployment.kubernetes.io/max-replicas": str(replicas + fenceposts(deployment)[0]),
        }
        version = replica_set["metadata"]["resourceVersion"]
        await self._sets.patch(
            replica_set,
            {"metadata": {"annotations": annotations, "resourceVersion": version}, "spec": {"replicas": size}},
        )
        direction, name = ("up" if size > before else "down"), replica_set["metadata"]["name"]
        message = f"Scaled {direction} replica set {name} from {before} to {size}"
        self._events.event(deployment, "Normal", "ScalingReplicaSet", message)
        return True

    @staticmethod
    def _is_resize(deployment: Object, everything: list[Object]) -> bool:
        """Whether only the wanted number has changed since the ReplicaSets with pods were last scaled."""
        wanted = str(deployment["spec"].get("replicas", 1))
        return any(
            each["spec"].get("replicas", 1)
            and (each["metadata"].get("annotations") or {}).get(DESIRED_REPLICAS, wanted) != wanted
            for each in everything
        )

    async def _resize(self, deployment: Object, everything: list[Object], new: Object | None) -> None:
        active = [each for each in everything if each["spec"].get("replicas", 1)]
        replicas = deployment["spec"].get("replicas", 1)
        if len(active) <= 1:
            only = active[0] if active else new or max(everything, key=revisions.creation_order, default=None)
            if only is not None:
                await self._scale(deployment, only, replicas)
            return
        if new is not None and observed([new], "availableReplicas") == new["spec"].get("replicas", 1) == replicas:
            for each in active:
                if key_of(each) != key_of(new):
                    await self._scale(deployment, each, 0)
            return
        if (deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
            sizes = proportional_shares(deployment, active)
            for each in active:
                if not await self._scale(deployment, each, sizes[each["metadata"]["name"]]):
                    await self._sets.patch(each, {"metadata": {"annotations": {DESIRED_REPLICAS: str(replicas)}}})

    async def _clean_up(self, deployment: Object, everything: list[Object], new: Object | None) -> None:
        old = [each for each in everything if new is None or key_of(each) != key_of(new)]
        for each in revisions.expired(deployment, old):
            await self._sets.delete(each, propagation="Background")

    def _fresh(self, replica_set: Object) -> Object:
        return self._sets.get(key_of(replica_set)) or replica_set

    def _current(self, replica_sets: list[Object]) -> list[Object]:
        """The newest known versions, without those that are gone, each once."""
        return list({key_of(each): found for each in replica_sets if (found := self._sets.get(key_of(each)))}.values())

    # ---- status

    async def _note_pause(self, deployment: Object) -> Object:
        """Keep the Progressing condition in step with `spec.paused`, so that a pause does not count as time lost."""
        if deployment["spec"].get("progressDeadlineSeconds") is None:
            return deployment
        status: dict[str, Any] = deployment.get("status") or {}
        current = find(status.get("conditions") or [], PROGRESSING)
        if current is not None and current.get("reason") == "ProgressDeadlineExceeded":
            return deployment
        paused, was = (
            bool(deployment["spec"].get("paused")),
            bool(current and current.get("reason") == "DeploymentPaused"),
        )
        if paused == was:
            return deployment
        reason, message = (
            ("DeploymentPaused", "Deployment is paused") if paused else ("DeploymentResumed", "Deployment is resumed")
        )
        fresh = condition(PROGRESSING, "Unknown", reason, message, self._clock.now(), updated=True)
        return await self._deployments.update_status(
            deployment, {**status, "conditions": put(list(status.get("conditions") or ()), fresh)}
        )

    async def _write_status(
        self,
        deployment: Object,
        everything: list[Object],
        new: Object | None,
        *,
        created: bool = False,
        tracking: bool = True,
    ) -> Result | None:
        status, again = deployment_status(
            deployment, everything, new, self._clock.now(), created=created, tracking=tracking
        )
        latest = self._deployments.get(key_of(deployment)) or deployment
        await self._deployments.update_status(latest, status)
        return Result(requeue_after=again + 1) if again is not None else None
