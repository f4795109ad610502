"""Jobs: counting, retries, policies, suspension, indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kaito.embedded.controllers.job_indexes import format_indexes, parse_indexes
from kaito.kube.errors import ServerError
from kaito.kube.resources import JOBS, PODS

Object = dict[str, Any]


def conditions(job: Object) -> list[tuple[str, str, str]]:
    return [(c["type"], c["status"], c["reason"]) for c in job["status"].get("conditions", [])]


@pytest.fixture
def job(world: Any, template: Callable[..., Object]) -> Callable[..., Any]:
    async def make(name: str = "j", *, code: str | None = None, start: bool = True, **spec: Any) -> None:
        annotations = {} if code is None else {"exit": code}
        body = {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 6,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, restart="Never", **annotations),
            **spec,
        }
        if start:
            await world.start(["job", "ttl-after-finished"])
        await world.create(JOBS, name, {key: value for key, value in body.items() if value is not None})
        await world.settle()

    return make


async def test_a_job_completes_with_both_conditions_and_frees_its_pod(world: Any, job: Any) -> None:
    await job(code="0")
    status = world.get(JOBS, "j")["status"]
    assert conditions(world.get(JOBS, "j")) == [
        ("SuccessCriteriaMet", "True", "CompletionsReached"),
        ("Complete", "True", "CompletionsReached"),
    ]
    assert (status["succeeded"], status["ready"], status["terminating"]) == (1, 0, 0)
    assert status["uncountedTerminatedPods"] == {}
    assert "active" not in status
    assert status["completionTime"]
    (pod,) = world.pods()
    assert pod["metadata"]["finalizers"] == []
    assert world.said("Completed") == ["Job completed"]


async def test_a_finished_job_is_written_to_no_more(world: Any, job: Any) -> None:
    await job(code="0")
    before = world.client.writes()
    await world.patch(JOBS, "j", {"metadata": {"labels": {"a": "b"}}})
    await world.settle(100)
    assert world.client.writes() - before == {"patch jobs": 1}
    assert before["update jobs/status"] <= 4


async def test_failed_pods_are_replaced_after_ten_seconds_doubling_until_the_limit(world: Any, job: Any) -> None:
    await job(code="3", backoffLimit=2)
    assert len(world.pods()) == 1
    await world.settle(9)
    assert len(world.pods()) == 1
    await world.settle(2)
    assert len(world.pods()) == 2
    await world.settle(18)
    assert len(world.pods()) == 2
    await world.settle(4)
    assert len(world.pods()) == 3
    assert conditions(world.get(JOBS, "j")) == [
        ("FailureTarget", "True", "BackoffLimitExceeded"),
        ("Failed", "True", "BackoffLimitExceeded"),
    ]
    assert world.get(JOBS, "j")["status"]["failed"] == 3
    assert world.said("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]


async def test_an_exit_code_of_the_policy_fails_the_job_at_once(world: Any, job: Any) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [64]}}
    await job(code="64", podFailurePolicy={"rules": [rule]})
    pod = world.pods()[0]["metadata"]["name"]
    failed = world.get(JOBS, "j")["status"]["conditions"][-1]
    assert (failed["type"], failed["reason"]) == ("Failed", "PodFailurePolicy")
    assert failed["message"] == (
        f"Container c for pod default/{pod} failed with exit code 64 matching FailJob rule at index 0"
    )


async def test_ignored_failures_do_not_count(world: Any, job: Any) -> None:
    rule = {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [64]}}
    await job(code="3", backoffLimit=0, podFailurePolicy={"rules": [rule]})
    await world.settle(12)
    assert len(world.pods()) == 2
    assert "failed" not in world.get(JOBS, "j")["status"]
    assert all(not pod["metadata"]["finalizers"] for pod in world.pods())


async def test_a_condition_of_the_policy_is_matched_and_named(world: Any, job: Any) -> None:
    rules = [
        {"action": "Count", "onExitCodes": {"operator": "In", "values": [1]}},
        {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ]
    await job(podFailurePolicy={"rules": rules})
    pod = world.pods()[0]
    target = {"type": "DisruptionTarget", "status": "True"}
    await world.client.patch(
        PODS,
        pod["metadata"]["name"],
        {"status": {"phase": "Failed", "conditions": [target]}},
        "default",
        subresource="status",
    )
    await world.settle()
    name = pod["metadata"]["name"]
    assert world.get(JOBS, "j")["status"]["conditions"][-1]["message"] == (
        f"Pod default/{name} has condition DisruptionTarget matching FailJob rule at index 1"
    )


async def test_the_active_deadline_ends_the_pods(world: Any, job: Any) -> None:
    await job(parallelism=2, completions=2, activeDeadlineSeconds=5)
    assert len(world.pods()) == 2
    await world.settle(5)
    assert world.pods() == []
    assert conditions(world.get(JOBS, "j"))[-1] == ("Failed", "True", "DeadlineExceeded")
    assert world.get(JOBS, "j")["status"]["failed"] == 2


async def test_suspending_ends_pods_without_counting_them_and_resuming_starts_anew(world: Any, job: Any) -> None:
    await job()
    await world.patch(JOBS, "j", {"spec": {"suspend": True}})
    await world.settle()
    assert world.pods() == []
    status = world.get(JOBS, "j")["status"]
    assert conditions(world.get(JOBS, "j")) == [("Suspended", "True", "JobSuspended")]
    assert "failed" not in status
    await world.settle(30)
    await world.patch(JOBS, "j", {"spec": {"suspend": False}})
    await world.settle()
    assert len(world.pods()) == 1
    resumed = world.get(JOBS, "j")["status"]
    assert conditions(world.get(JOBS, "j")) == [("Suspended", "False", "JobResumed")]
    assert resumed["startTime"] > status["startTime"]
    assert (world.said("Suspended"), world.said("Resumed")) == (["Job suspended"], ["Job resumed"])


async def test_an_indexed_job_runs_every_index_once(world: Any, job: Any) -> None:
    await job(code="0", completionMode="Indexed", completions=5, parallelism=2)
    status = world.get(JOBS, "j")["status"]
    assert (status["completedIndexes"], status["succeeded"]) == ("0-4", 5)
    indexes = [pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for pod in world.pods()]
    assert sorted(indexes) == ["0", "1", "2", "3", "4"]
    assert world.pods()[0]["spec"]["hostname"] == "j-0"


async def test_a_finished_job_goes_when_its_time_is_over(world: Any, job: Any) -> None:
    await job(code="0", ttlSecondsAfterFinished=30)
    await world.settle(28)
    assert world.get(JOBS, "j")
    await world.settle(3)
    assert world.client.find(JOBS, "j", "default") is None


async def test_a_pod_whose_job_is_gone_loses_its_finalizer(world: Any, job: Any) -> None:
    await job()
    (pod,) = world.pods()
    await world.client.delete(JOBS, "j", "default")
    await world.client.delete(PODS, pod["metadata"]["name"], "default")
    await world.settle()
    assert world.pods() == []


async def test_a_refused_pod_is_reported_and_tried_again(world: Any, job: Any) -> None:
    await world.start(["job"])
    world.client.fail(ServerError("no room", status=500), verb="create", resource="pods")
    await job(code="0", start=False)
    await world.settle(1)
    assert world.said("FailedCreate") == ["Error creating: no room"]
    assert conditions(world.get(JOBS, "j"))[-1][0] == "Complete"


@pytest.mark.parametrize(
    ("text", "indexes"), [("", set()), ("0", {0}), ("0,1", {0, 1}), ("0-2,5", {0, 1, 2, 5}), ("1,3-6", {1, 3, 4, 5, 6})]
)
def test_indexes_are_written_as_kubernetes_writes_them(text: str, indexes: set[int]) -> None:
    assert format_indexes(indexes) == text
    assert parse_indexes(text) == indexes
