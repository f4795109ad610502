"""Jobs: pods run to completion, counted exactly once. Source: pkg/controller/job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.claiming import Claimer, owners_of
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import find
from kaito.embedded.controllers.creating import BURST, PodControl
from kaito.embedded.controllers.job_indexes import free_indexes, index_of
from kaito.embedded.controllers.job_pods import TRACKING, backoff_left, is_terminating, is_tracked, new_pod
from kaito.embedded.controllers.job_progress import (
    COMPLETE,
    FAILED,
    SUSPENDED,
    Progress,
    is_finished,
    is_indexed,
)
from kaito.embedded.controllers.job_status import counted_status, noted_status, settled_status
from kaito.embedded.controllers.pods import deletion_rank
from kaito.kube.controller import Result
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.objects import Key, controller_of, is_deleting, key_of
from kaito.kube.resources import JOBS, PODS

BACKOFF_SECONDS = 10.0
"""Wait after the first failed pod; it doubles with each further failure."""


class Jobs:
    """The reconciler, and a second one that frees tracked pods whose Job is gone or finished."""

    def __init__(self, cluster: Cluster, *, backoff_seconds: float = BACKOFF_SECONDS) -> None:
        self._clock, self._client = cluster.clock, cluster.client
        self._backoff_seconds = backoff_seconds
        self._jobs, self._pods = cluster.cache(JOBS), cluster.cache(PODS)
        self._claimer = Claimer(cluster.client, JOBS, self._pods)
        self._events = cluster.recorder("job-controller")
        self._control = PodControl(self._pods, self._events)
        cluster.run("job", self.reconcile, watches={JOBS: None, PODS: owners_of(self._jobs, "Job")})
        cluster.run(
            "job-orphans",
            self.free_orphan,
            watches={PODS: lambda pod: [key_of(pod)] if is_tracked(pod) else [], JOBS: self._tracked_pods},
        )

    def _tracked_pods(self, job: Object) -> list[Key]:
        if is_finished(job) or self._jobs.informer.get(job["metadata"]["name"], job["metadata"]["namespace"]) is None:
            return [key_of(pod) for pod in self._pods.controlled_by(job) if is_tracked(pod)]
        return []

    async def reconcile(self, key: Key) -> Result | None:
        """One look at a Job and its pods: start or end pods, note and count the finished ones, settle its fate."""
        job = self._jobs.get(key)
        if job is None or is_finished(job):
            return None
        pods = await self._claimer.claim(job, job["spec"].get("selector"))
        now = self._clock.now()
        progress = Progress.of(job, pods)
        verdict = None if is_deleting(job) else progress.verdict(now)
        again: float | None = None
        error: ApiError | None = None
        if not is_deleting(job):
            try:
                if verdict is not None:
                    await self._control.delete_all(job, progress.active)
                elif progress.suspended:
                    await self._discard(job, progress.active)
                else:
                    again, error = await self._scale(job, progress)
            except ApiError as failure:
                error = failure
        progress = Progress.of(job, self._pods.controlled_by(job))
        job = await self._track(job, progress, verdict)
        if error is not None:
            raise error
        if verdict is not None:
            return None
        waits = [wait for wait in (again, Progress.of(job, pods).deadline_left(now)) if wait is not None]
        return Result(requeue_after=max(0.0, min(waits))) if waits else None

    async def _scale(self, job: Object, progress: Progress) -> tuple[float | None, ApiError | None]:
        missing = progress.missing()
        if missing < 0:
            surplus = sorted(progress.active, key=lambda pod: deletion_rank(pod, {}))[: min(-missing, BURST)]
            await self._discard(job, surplus)
        elif missing > 0:
            wait = backoff_left(job, progress.pods, self._backoff_seconds, self._clock.now())
            if wait > 0:
                return wait, None
            count = min(missing, BURST)
            indexes: list[int | None] = [None] * count
            if is_indexed(job):
                busy = [*progress.active, *(pod for pod in progress.pods if is_terminating(pod))]
                taken = {index for pod in busy if (index := index_of(pod)) is not None}
                taken |= progress.completed_indexes | progress.failed_indexes
                indexes = [*free_indexes(count, job["spec"]["completions"], taken)]
            return None, await self._control.create_all(job, [new_pod(job, index) for index in indexes])
        return None, None

    async def _discard(self, job: Object, pods: Sequence[Object]) -> None:
        """Delete pods that are not wanted now; they lose the finalizer first, so that they do not count as failed."""
        for pod in pods:
            await self._pods.drop_finalizer(pod, TRACKING)
        await self._control.delete_all(job, pods)

    async def _track(self, job: Object, progress: Progress, verdict: dict[str, Any] | None) -> Object:
        """Write the status in the two steps that `job_status` explains; the second only when pods have finished."""
        now = self._clock.now()
        before = job
        status = noted_status(progress, verdict, now)
        finished = [*progress.new_succeeded, *progress.new_failed]
        if not finished and not status["uncountedTerminatedPods"]:
            status = self._settle(status, progress, now)
            job = await self._jobs.update_status(job, status)
        else:
            job = await self._jobs.update_status(job, status)
            uncounted = status["uncountedTerminatedPods"]
            noted = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
            let_go = {pod["metadata"]["uid"] for pod in finished} | noted
            held = set()
            for pod in progress.pods:
                uid = pod["metadata"]["uid"]
                if uid in let_go and is_tracked(pod) and not await self._let_go(pod):
                    held.add(uid)
            status = counted_status(status, held=held, indexed=is_indexed(job))
            progress = Progress.of({**job, "status": status}, self._pods.controlled_by(job))
            status["terminating"] = progress.terminating
            job = await self._jobs.update_status(job, self._settle(status, progress, now))
        self._record(before, job)
        return job

    async def _let_go(self, pod: Object) -> bool:
        try:
            await self._pods.drop_finalizer(pod, TRACKING)
        except ApiError:
            # Somebody changed the finalizers meanwhile; the pod's event brings us back.
            return False
        return True

    @staticmethod
    def _settle(status: dict[str, Any], progress: Progress, now: Any) -> dict[str, Any]:
        open_ends = progress.terminating or progress.active or progress.new_succeeded or progress.new_failed
        return status if open_ends else settled_status(status, now)

    def _record(self, before: Object, after: Object) -> None:
        old = (before.get("status") or {}).get("conditions") or []
        for kind in (SUSPENDED, COMPLETE, FAILED):
            was, now = find(old, kind), find((after.get("status") or {}).get("conditions") or [], kind)
            if now is None or (was is not None and was["status"] == now["status"]):
                continue
            if kind == COMPLETE:
                self._events.event(after, "Normal", "Completed", "Job completed")
            elif kind == FAILED:
                self._events.event(after, "Warning", now["reason"], now["message"])
            elif now["status"] == "True":
                self._events.event(after, "Normal", "Suspended", "Job suspended")
            else:
                self._events.event(after, "Normal", "Resumed", "Job resumed")

    async def free_orphan(self, key: Key) -> None:
        """Take the tracking finalizer off a pod that no unfinished Job will count."""
        pod = self._pods.get(key)
        if pod is None or not is_tracked(pod):
            return
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == "Job":
            try:
                job = self._jobs.get(Key(key.namespace, owner["name"])) or await self._client.get(
                    JOBS, owner["name"], key.namespace
                )
            except NotFound:
                job = None
            if job is not None and job["metadata"]["uid"] == owner["uid"] and not is_finished(job):
                return
        await self._pods.drop_finalizer(pod, TRACKING)
