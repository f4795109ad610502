"""Deletes finished Jobs when their ttlSecondsAfterFinished is over. Source: pkg/controller/ttlafterfinished."""

from __future__ import annotations

from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import find
from kaito.embedded.controllers.job_progress import COMPLETE, FAILED, is_finished
from kaito.kube.controller import Result
from kaito.kube.objects import Key, is_deleting, parse_time
from kaito.kube.resources import JOBS


class JobExpiry:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._jobs = cluster.cache(JOBS)
        cluster.run("ttl-after-finished", self.reconcile, watches={JOBS: None})

    async def reconcile(self, key: Key) -> Result | None:
        """Delete the Job with its pods once it has been finished for long enough."""
        job = self._jobs.get(key)
        if job is None or is_deleting(job) or not is_finished(job):
            return None
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        conditions = job["status"]["conditions"]
        finished = find(conditions, COMPLETE) or find(conditions, FAILED)
        assert finished is not None
        age = (self._clock.now() - parse_time(finished["lastTransitionTime"])).total_seconds()
        if age < seconds:
            return Result(requeue_after=seconds - age)
        await self._jobs.delete(job, propagation="Foreground")
        return None
