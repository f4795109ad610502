"""DaemonSets follow the nodes, CronJobs the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.controllers.cron_schedules import parse_schedule
from kaito.embedded.controllers.daemonsets import node_of
from kaito.kube.resources import CRON_JOBS, DAEMON_SETS, JOBS, NODES

Object = dict[str, Any]


def seed_node(world: Any, name: str, **spec: Any) -> None:
    world.client.seed(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"n": name}}, "spec": spec}
    )


async def test_a_daemon_set_has_one_pod_on_every_node_it_tolerates(world: Any, template: Callable[..., Object]) -> None:
    seed_node(world, "a")
    seed_node(
        world, "b", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    )
    seed_node(world, "c", taints=[{"key": "sku", "value": "gpu", "effect": "NoSchedule"}])
    await world.start(["daemonset"], kubelet=False)
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template("d")}
    await world.create(DAEMON_SETS, "d", spec)
    await world.settle()
    assert [node_of(pod) for pod in world.pods()] == ["a", "b"]
    seed_node(world, "e")
    await world.client.delete(NODES, "a")
    await world.settle()
    assert sorted(node_of(pod) for pod in world.pods()) == ["b", "e"]
    status = world.get(DAEMON_SETS, "d")["status"]
    assert (status["desiredNumberScheduled"], status["currentNumberScheduled"], status["numberReady"]) == (2, 2, 0)


async def test_a_daemon_set_rolls_one_pod_at_a_time(world: Any, template: Callable[..., Object]) -> None:
    seed_node(world, "n0")
    await world.start(["daemonset"])
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template("d")}
    await world.create(DAEMON_SETS, "d", spec)
    await world.settle()
    await world.patch(DAEMON_SETS, "d", {"spec": {"template": template("d", image="y")}})
    await world.settle()
    assert [pod["spec"]["containers"][0]["image"] for pod in world.pods()] == ["y"]
    assert world.get(DAEMON_SETS, "d")["status"]["updatedNumberScheduled"] == 1


@pytest.fixture
def cron_job(world: Any, template: Callable[..., Object]) -> Callable[..., Any]:
    async def make(**spec: Any) -> None:
        await world.start(["cronjob"])
        job = {"spec": {"template": template("j", restart="Never")}}
        await world.create(CRON_JOBS, "c", {"schedule": "*/5 * * * *", "jobTemplate": job, **spec})
        await world.settle()

    return make


def finish(world: Any, name: str) -> Any:
    stamp = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Complete", "status": "True", "lastTransitionTime": stamp}]
    status = {"conditions": conditions, "startTime": stamp, "completionTime": stamp}
    return world.client.patch(JOBS, name, {"status": status}, "default", subresource="status")


async def test_a_cron_job_starts_a_job_at_its_times_and_keeps_three(world: Any, cron_job: Any) -> None:
    await cron_job()
    assert world.client.objects(JOBS) == []
    for _ in range(5):
        await world.settle(300)
        (active,) = world.get(CRON_JOBS, "c")["status"]["active"]
        await finish(world, active["name"])
        await world.settle()
    names = sorted(job["metadata"]["name"] for job in world.client.objects(JOBS))
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) // 60
    assert names == [f"c-{start + minute}" for minute in (15, 20, 25)]
    assert world.said("SuccessfulCreate")[0] == f"Created job c-{start + 5}"
    assert f"Saw completed job: c-{start + 5}, condition: Complete" in world.said("SawCompletedJob")
    assert world.get(CRON_JOBS, "c")["status"]["lastScheduleTime"] == "2026-01-01T00:25:00Z"


@pytest.mark.parametrize(("policy", "jobs"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
async def test_what_still_runs_is_joined_waited_for_or_replaced(
    world: Any, cron_job: Any, policy: str, jobs: int
) -> None:
    await cron_job(concurrencyPolicy=policy)
    await world.settle(300)
    first = world.client.objects(JOBS)[0]["metadata"]["name"]
    await world.settle(300)
    names = [job["metadata"]["name"] for job in world.client.objects(JOBS)]
    assert len(names) == jobs
    assert (first in names) == (policy != "Replace")


async def test_a_suspended_cron_job_starts_nothing_and_a_late_one_only_the_latest(world: Any, cron_job: Any) -> None:
    await cron_job(suspend=True)
    await world.settle(3600)
    assert world.client.objects(JOBS) == []
    await world.patch(CRON_JOBS, "c", {"spec": {"suspend": False}})
    await world.settle()
    assert len(world.client.objects(JOBS)) == 1


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("*/15 * * * *", "2026-01-01T00:00:30", "2026-01-01T00:15:00"),
        ("@hourly", "2026-01-01T00:00:00", "2026-01-01T01:00:00"),
        ("30 4 * * mon-fri", "2026-01-02T04:30:00", "2026-01-05T04:30:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 12 13 * 5", "2026-01-10T00:00:00", "2026-01-13T12:00:00"),
        ("0 0 1 jan,jul *", "2026-01-01T00:00:00", "2026-07-01T00:00:00"),
        ("5/20 * * * 7", "2026-01-01T00:00:00", "2026-01-04T00:05:00"),
    ],
)
def test_schedules_strike_when_cron_does(schedule: str, after: str, expected: str) -> None:
    strike = parse_schedule(schedule).next_after(datetime.fromisoformat(after))
    assert strike == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "60 * * * *", "* * 0 * *", "x * * * *", "*/0 * * * *", "5-1 * * * *"]
)
def test_bad_schedules_are_refused_in_a_sentence(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"schedule"):
        parse_schedule(schedule)


def test_a_date_that_never_comes_is_none() -> None:
    assert parse_schedule("0 0 30 2 *").next_after(datetime(2026, 1, 1)) is None


@given(
    minute=st.integers(0, 59), hour=st.integers(0, 23), moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1))
)
def test_a_daily_schedule_strikes_within_a_day(minute: int, hour: int, moment: datetime) -> None:
    strike = parse_schedule(f"{minute} {hour} * * *").next_after(moment)
    assert strike is not None
    assert 0 < (strike - moment).total_seconds() <= 86400
    assert (strike.minute, strike.hour) == (minute, hour)
