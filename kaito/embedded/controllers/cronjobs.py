"""CronJobs: Jobs at set times. Source: pkg/controller/cronjob."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.conditions import find
from kaito.embedded.controllers.cron_schedules import Schedule, parse_schedule
from kaito.embedded.controllers.job_progress import COMPLETE, FAILED, is_finished
from kaito.kube.controller import Result, owner_of
from kaito.kube.errors import AlreadyExists, ApiError
from kaito.kube.objects import Key, format_time, is_deleting, owner_reference, parse_time
from kaito.kube.resources import CRON_JOBS, JOBS

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
TOO_MANY_MISSED = 100


class CronJobs:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._cron_jobs, self._jobs = cluster.cache(CRON_JOBS), cluster.cache(JOBS)
        self._events = cluster.recorder("cronjob-controller")
        cluster.run("cronjob", self.reconcile, watches={CRON_JOBS: None, JOBS: owner_of("CronJob", group="batch")})

    async def reconcile(self, key: Key) -> Result | None:
        """Start what is due, note what has ended, and forget old Jobs."""
        cron_job = self._cron_jobs.get(key)
        if cron_job is None:
            return None
        jobs = self._jobs.controlled_by(cron_job)
        status = self._note_finished(cron_job, jobs)
        await self._forget_old(cron_job, jobs)
        again: float | None = None
        if not is_deleting(cron_job) and not cron_job["spec"].get("suspend"):
            again = await self._start_due(cron_job, jobs, status)
        await self._cron_jobs.update_status(cron_job, {name: value for name, value in status.items() if value})
        return Result(requeue_after=again) if again is not None else None

    def _note_finished(self, cron_job: Object, jobs: list[Object]) -> dict[str, Any]:
        status: dict[str, Any] = dict(cron_job.get("status") or {})
        active = list(status.get("active") or ())
        by_uid = {job["metadata"]["uid"]: job for job in jobs}
        for reference in list(active):
            job = by_uid.get(reference["uid"])
            if job is None:
                active.remove(reference)
                self._say(cron_job, "MissingJob", f"Active job went missing: {reference['name']}")
            elif is_finished(job):
                active.remove(reference)
                kind = COMPLETE if find(job["status"]["conditions"], COMPLETE) else FAILED
                message = f"Saw completed job: {reference['name']}, condition: {kind}"
                self._say(cron_job, "SawCompletedJob", message)
        ends = [job["status"]["completionTime"] for job in jobs if (job.get("status") or {}).get("completionTime")]
        if ends and max(ends) > (status.get("lastSuccessfulTime") or ""):
            status["lastSuccessfulTime"] = max(ends)
        status["active"] = active
        return status

    async def _forget_old(self, cron_job: Object, jobs: list[Object]) -> None:
        for kind, field, default in (
            (COMPLETE, "successfulJobsHistoryLimit", 3),
            (FAILED, "failedJobsHistoryLimit", 1),
        ):
            done = [job for job in jobs if is_finished(job) and find(job["status"]["conditions"], kind)]
            done.sort(key=lambda job: (job["status"].get("startTime") or "", job["metadata"]["name"]))
            for job in done[: max(0, len(done) - cron_job["spec"].get(field, default))]:
                if not is_deleting(job):
                    await self._jobs.delete(job, propagation="Background")
                    self._say(cron_job, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")

    async def _start_due(self, cron_job: Object, jobs: list[Object], status: dict[str, Any]) -> float | None:
        """Start the Job of the latest missed time, if policy allows; seconds until the next time."""
        spec = cron_job["spec"]
        try:
            schedule = parse_schedule(spec["schedule"])
            zone = ZoneInfo(spec["timeZone"]) if spec.get("timeZone") else None
        except (ValueError, ZoneInfoNotFoundError) as error:
            reason = "UnknownTimeZone" if isinstance(error, ZoneInfoNotFoundError) else "UnparseableSchedule"
            self._say(cron_job, reason, f"unparseable schedule: {spec['schedule']!r} : {error}", "Warning")
            return None
        now = self._clock.now()
        local = now.astimezone(zone) if zone else now
        due = self._latest_missed(cron_job, schedule, status, local)
        upcoming = schedule.next_after(local)
        again = (upcoming - local).total_seconds() if upcoming else None
        if due is None:
            return again
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and (local - due).total_seconds() > deadline:
            message = f"Missed scheduled time to start a job: {due.strftime('%a, %d %b %Y %H:%M:%S +0000')}"
            self._say(cron_job, "MissSchedule", message, "Warning")
            return again
        policy = spec.get("concurrencyPolicy") or "Allow"
        if status["active"] and policy == "Forbid":
            self._say(
                cron_job,
                "JobAlreadyActive",
                "Not starting job because prior execution is running and concurrency policy is Forbid",
            )
            return again
        if policy == "Replace":
            for job in jobs:
                if any(each["uid"] == job["metadata"]["uid"] for each in status["active"]):
                    await self._jobs.delete(job, propagation="Background")
                    self._say(cron_job, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")
            status["active"] = []
        await self._start(cron_job, due, status)
        return again

    def _latest_missed(
        self, cron_job: Object, schedule: Schedule, status: dict[str, Any], now: datetime
    ) -> datetime | None:
        earliest = parse_time(status.get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"])
        deadline = cron_job["spec"].get("startingDeadlineSeconds")
        if deadline is not None:
            earliest = max(earliest, now - timedelta(seconds=deadline))
        latest: datetime | None = None
        moment = earliest.astimezone(now.tzinfo)
        missed = 0
        while (strike := schedule.next_after(moment)) is not None and strike <= now:
            latest = moment = strike
            missed += 1
            if missed == TOO_MANY_MISSED + 1:
                self._say(
                    cron_job,
                    "TooManyMissedTimes",
                    f"too many missed start times: {missed}. Set or decrease .spec.startingDeadlineSeconds or check "
                    "clock skew",
                    "Warning",
                )
        return latest

    async def _start(self, cron_job: Object, due: datetime, status: dict[str, Any]) -> None:
        template = cron_job["spec"]["jobTemplate"]
        metadata = template.get("metadata") or {}
        name = f"{cron_job['metadata']['name']}-{int(due.timestamp()) // 60}"
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": cron_job["metadata"]["namespace"],
                "labels": dict(metadata.get("labels") or {}),
                "annotations": {
                    **(metadata.get("annotations") or {}),
                    SCHEDULED: due.isoformat().replace("+00:00", "Z"),
                },
                "ownerReferences": [owner_reference(cron_job)],
            },
            "spec": copy.deepcopy(template["spec"]),
        }
        try:
            created = await self._jobs.create(job)
        except AlreadyExists:
            status["lastScheduleTime"] = format_time(due)
            return
        except ApiError as error:
            self._say(cron_job, "FailedCreate", f"Error creating job: {error.message}", "Warning")
            raise
        self._say(cron_job, "SuccessfulCreate", f"Created job {name}")
        reference = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": name,
            "namespace": created["metadata"]["namespace"],
            "uid": created["metadata"]["uid"],
            "resourceVersion": created["metadata"]["resourceVersion"],
        }
        status["active"] = [*status["active"], reference]
        status["lastScheduleTime"] = format_time(due)

    def _say(self, cron_job: Object, reason: str, message: str, kind: Any = "Normal") -> None:
        self._events.event(cron_job, kind, reason, message)
