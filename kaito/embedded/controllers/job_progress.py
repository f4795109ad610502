"""What the pods of a Job mean for it: counts, the verdict, how many pods it wants. Pure functions of Job and pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kaito.embedded.controllers import job_failure_policy
from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.conditions import condition, find
from kaito.embedded.controllers.job_indexes import index_of, parse_indexes
from kaito.embedded.controllers.job_pods import (
    has_failed,
    is_terminating,
    is_tracked,
    replaces_only_failed,
    restarts,
)
from kaito.embedded.controllers.pods import is_active, is_ready, phase_of
from kaito.kube.objects import parse_time

FAILURE_TARGET, FAILED = "FailureTarget", "Failed"
SUCCESS_MET, COMPLETE = "SuccessCriteriaMet", "Complete"
SUSPENDED = "Suspended"

BACKOFF_LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
FAILED_INDEXES = ("FailedIndexes", "Job has failed indexes")
TOO_MANY_FAILED_INDEXES = (
    "MaxFailedIndexesExceeded",
    "Job has exceeded the specified maximal number of failed indexes",
)


def is_finished(job: Mapping[str, Any]) -> bool:
    """Whether the Job is Complete or Failed."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(each["type"] in (COMPLETE, FAILED) and each["status"] == "True" for each in conditions)


def is_indexed(job: Mapping[str, Any]) -> bool:
    """Whether the Job's pods have completion indexes."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def counts_as_failure(job: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether a failed pod counts towards the back-off limit; rules with `Ignore` say that it does not."""
    match = job_failure_policy.match(job["spec"].get("podFailurePolicy"), pod)
    return match is None or match.action != "Ignore"


@dataclass(frozen=True)
class Progress:
    """A Job's pods, counted. `succeeded` and `failed` include finished pods that the status does not have yet."""

    job: Object
    pods: Sequence[Object]
    active: Sequence[Object]
    ready: int
    terminating: int
    succeeded: int
    failed: int
    new_succeeded: Sequence[Object]
    """Finished pods still tracked and not yet noted in `status.uncountedTerminatedPods`."""
    new_failed: Sequence[Object]
    completed_indexes: frozenset[int]
    failed_indexes: frozenset[int]

    @classmethod
    def of(cls, job: Object, pods: Sequence[Object]) -> Progress:
        status = job.get("status") or {}
        uncounted = status.get("uncountedTerminatedPods") or {}
        noted = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
        fresh = [pod for pod in pods if is_tracked(pod) and pod["metadata"]["uid"] not in noted]
        new_succeeded = [pod for pod in fresh if phase_of(pod) == "Succeeded"]
        new_failed = [pod for pod in fresh if has_failed(job, pod)]
        counted = [pod for pod in new_failed if counts_as_failure(job, pod)]
        active = [pod for pod in pods if is_active(pod)]
        completed = frozenset(
            {index for pod in pods if phase_of(pod) == "Succeeded" and (index := index_of(pod)) is not None}
            | parse_indexes(status.get("completedIndexes"))
            if is_indexed(job)
            else ()
        )
        succeeded = status.get("succeeded", 0) + len(uncounted.get("succeeded") or ()) + len(new_succeeded)
        return cls(
            job=job,
            pods=pods,
            active=active,
            ready=sum(is_ready(pod) for pod in active),
            terminating=sum(is_terminating(pod) for pod in pods),
            succeeded=len(completed) if is_indexed(job) else succeeded,
            failed=status.get("failed", 0) + len(uncounted.get("failed") or ()) + len(counted),
            new_succeeded=new_succeeded,
            new_failed=new_failed,
            completed_indexes=completed,
            failed_indexes=frozenset(parse_indexes(status.get("failedIndexes")) | _failed_indexes(job, pods)),
        )

    @property
    def suspended(self) -> bool:
        return bool(self.job["spec"].get("suspend"))

    def verdict(self, now: datetime) -> dict[str, Any] | None:
        """The condition that settles the Job's fate: FailureTarget or SuccessCriteriaMet; None while it is open."""
        conditions = (self.job.get("status") or {}).get("conditions") or []
        for kind in (FAILURE_TARGET, SUCCESS_MET):
            settled = find(conditions, kind)
            if settled is not None and settled["status"] == "True":
                return settled
        failure = self._failure(now)
        if failure is not None:
            return condition(FAILURE_TARGET, "True", *failure, now, probed=True)
        success = self._success()
        return condition(SUCCESS_MET, "True", *success, now, probed=True) if success else None

    def _failure(self, now: datetime) -> tuple[str, str] | None:
        spec = self.job["spec"]
        for pod in self.pods:
            match = job_failure_policy.match(spec.get("podFailurePolicy"), pod)
            if match is not None and match.action == "FailJob":
                return "PodFailurePolicy", match.message
        limit = spec.get("backoffLimit", 6)
        if self.failed > limit or self._restarted_too_often(limit):
            return BACKOFF_LIMIT
        left = self.deadline_left(now)
        if left is not None and left <= 0:
            return DEADLINE
        most = spec.get("maxFailedIndexes")
        if most is not None and len(self.failed_indexes) > most:
            return TOO_MANY_FAILED_INDEXES
        done = len(self.failed_indexes) + len(self.completed_indexes - self.failed_indexes)
        if self.failed_indexes and done >= (spec.get("completions") or 0):
            return FAILED_INDEXES
        return None

    def _restarted_too_often(self, limit: int) -> bool:
        if self.job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        count = restarts(self.pods)
        return count > 0 if limit == 0 else count >= limit

    def _success(self) -> tuple[str, str] | None:
        spec = self.job["spec"]
        for index, rule in enumerate((spec.get("successPolicy") or {}).get("rules") or ()):
            among = self.completed_indexes
            if rule.get("succeededIndexes"):
                wanted = parse_indexes(rule["succeededIndexes"])
                among = among & wanted
                enough = len(among) >= rule.get("succeededCount", len(wanted))
            else:
                enough = len(among) >= rule.get("succeededCount", 1)
            if enough:
                return "SuccessPolicy", f"Matched rules at index {index}"
        completions = spec.get("completions")
        if completions is None:
            done = self.succeeded > 0 and not self.active
        else:
            done = self.succeeded >= completions and not self.active
        return REACHED if done else None

    def deadline_left(self, now: datetime) -> float | None:
        """Seconds until `activeDeadlineSeconds` ends the Job; None when it cannot."""
        seconds = self.job["spec"].get("activeDeadlineSeconds")
        started = (self.job.get("status") or {}).get("startTime")
        if seconds is None or started is None or self.suspended:
            return None
        return float(seconds - (now - parse_time(started)).total_seconds())

    def wanted_active(self) -> int:
        """How many pods should be active now."""
        spec = self.job["spec"]
        if self.suspended:
            return 0
        parallelism: int = spec.get("parallelism", 1)
        completions = spec.get("completions")
        if completions is None:
            return len(self.active) if self.succeeded else parallelism
        return max(0, min(parallelism, int(completions) - self.succeeded - len(self.failed_indexes)))

    def missing(self) -> int:
        """Pods to create now; negative: pods to delete."""
        difference = self.wanted_active() - len(self.active)
        if difference > 0 and replaces_only_failed(self.job):
            return max(0, difference - self.terminating)
        return difference


def _failed_indexes(job: Mapping[str, Any], pods: Sequence[Object]) -> set[int]:
    """Indexes that have used up `backoffLimitPerIndex`, or met a rule with FailIndex."""
    limit = job["spec"].get("backoffLimitPerIndex")
    if limit is None:
        return set()
    failures: dict[int, int] = {}
    failed: set[int] = set()
    for pod in pods:
        index = index_of(pod)
        if index is None or not has_failed(job, pod):
            continue
        match = job_failure_policy.match(job["spec"].get("podFailurePolicy"), pod)
        if match is not None and match.action == "FailIndex":
            failed.add(index)
        elif match is None or match.action != "Ignore":
            failures[index] = failures.get(index, 0) + 1
    return failed | {index for index, count in failures.items() if count > limit}
