"""Random histories, crashes included: whatever happens, the workloads end where their specs say they should."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kaito.kube.errors import Conflict, ServerError, Unreachable
from kaito.kube.resources import DEPLOYMENTS, JOBS, REPLICA_SETS, STATEFUL_SETS

Object = dict[str, Any]

RELAXED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
FAULTS = {
    "conflict": Conflict("changed", status=409, reason="Conflict"),
    "lost": Unreachable("gone"),
    "broken": ServerError("broken", status=500),
}
fault = st.tuples(
    st.just("fault"),
    st.sampled_from(sorted(FAULTS)),
    st.sampled_from(["create", "update", "patch", "delete"]),
    st.integers(0, 3),
)


def play(coroutine: Any) -> None:
    asyncio.run(coroutine)


def arm(world: Any, step: Any) -> None:
    """Let one of the controllers' next calls of a verb fail."""
    _, name, verb, skipped = step
    left = skipped

    def crash(call: Any) -> None:
        nonlocal left
        if call.verb == verb and call.resource != "events":
            left -= 1
            if left == -1:
                raise FAULTS[name]

    world.crash = crash


job_step = st.one_of(
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from([0, 1, 64])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 11, 45])),
    fault,
)


@given(
    completions=st.integers(1, 4),
    parallelism=st.integers(1, 3),
    limit=st.integers(0, 3),
    indexed=st.booleans(),
    policy=st.booleans(),
    steps=st.lists(job_step, max_size=14),
)
@example(completions=1, parallelism=1, limit=0, indexed=False, policy=True, steps=[("end", 0, 64)])
@RELAXED
def test_a_job_counts_every_pod_once_whatever_happens(
    tmp_path: Path,
    make_world: Callable[[], Any],
    template: Callable[..., Object],
    completions: int,
    parallelism: int,
    limit: int,
    indexed: bool,
    policy: bool,
    steps: list[Any],
) -> None:
    async def history() -> None:
        world = make_world()
        await world.start(["job"])
        spec: Object = {
            "completions": completions,
            "parallelism": parallelism,
            "backoffLimit": limit,
            "selector": {"matchLabels": {"app": "j"}},
            "template": template("j", restart="Never"),
        }
        if indexed:
            spec["completionMode"] = "Indexed"
        if policy:
            rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [64]}}
            spec["podFailurePolicy"] = {"rules": [rule]}
        await world.create(JOBS, "j", spec)
        await world.settle()
        lost: set[str] = set()
        for step in steps:
            running = world.pods(lambda pod: pod.get("status", {}).get("phase") == "Running")
            if step[0] == "end" and running:
                pod = running[step[1] % len(running)]
                if not pod["metadata"].get("deletionTimestamp"):
                    await world.kubelet.end(pod, step[2])
            elif step[0] == "delete" and running and not policy:
                pod = running[step[1] % len(running)]
                lost.add(pod["metadata"]["uid"])
                await world.delete_pod(pod)
            elif step[0] == "restart":
                await world.stop()
                await world.start(["job"])
            elif step[0] == "wait":
                await world.settle(step[1])
            elif step[0] == "fault":
                arm(world, step)
            await world.settle()
        # Everything that still runs succeeds in the end.
        for _ in range(60):
            job = world.get(JOBS, "j")
            if any(c["type"] in ("Complete", "Failed") for c in job["status"].get("conditions", ())):
                break
            for pod in world.pods(lambda pod: pod.get("status", {}).get("phase") == "Running"):
                if not pod["metadata"].get("deletionTimestamp"):
                    await world.kubelet.end(pod, 0)
            await world.settle(60)
        await world.settle(60)
        await world.stop()
        status = world.get(JOBS, "j")["status"]
        kinds = [c["type"] for c in status["conditions"] if c["type"] != "Suspended"]
        assert kinds in (["SuccessCriteriaMet", "Complete"], ["FailureTarget", "Failed"])
        codes = Counter(code == 0 for uid, code in world.kubelet.ended.items() if uid not in lost)
        assert status.get("succeeded", 0) == codes[True] if not indexed else status.get("succeeded", 0) <= completions
        if kinds[-1] == "Complete":
            assert status.get("succeeded", 0) == completions
            assert status.get("failed", 0) <= limit
        if not lost and kinds[-1] == "Complete":
            assert status.get("failed", 0) == codes[False]
        assert status["uncountedTerminatedPods"] == {}
        assert not [pod for pod in world.pods() if pod["metadata"].get("finalizers")]
        assert "active" not in status

    play(history())


workload_step = st.one_of(
    st.tuples(st.just("scale"), st.integers(0, 5)),
    st.tuples(st.just("image"), st.sampled_from(["x", "y", "z"])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 2])),
    fault,
)


async def disturb(world: Any, resource: Any, names: list[str], step: Any) -> None:
    pods = world.pods(lambda pod: pod.get("status", {}).get("phase") == "Running")
    if step[0] == "scale":
        await world.patch(resource, "w", {"spec": {"replicas": step[1]}})
    elif step[0] == "image":
        containers = [{"name": "c", "image": step[1]}]
        await world.patch(resource, "w", {"spec": {"template": {"spec": {"containers": containers}}}})
    elif step[0] == "delete" and pods:
        await world.delete_pod(pods[step[1] % len(pods)])
    elif step[0] == "end" and pods:
        await world.kubelet.end(pods[step[1] % len(pods)], 1)
    elif step[0] == "restart":
        await world.stop()
        await world.start(names)
    elif step[0] == "wait":
        await world.settle(step[1])
    elif step[0] == "fault":
        arm(world, step)


@given(
    strategy=st.sampled_from(["RollingUpdate", "Recreate"]),
    surge=st.integers(0, 2),
    unavailable=st.integers(0, 2),
    steps=st.lists(workload_step, max_size=10),
)
@RELAXED
def test_a_deployment_ends_with_its_number_of_pods_of_its_template(
    make_world: Callable[[], Any],
    template: Callable[..., Object],
    strategy: str,
    surge: int,
    unavailable: int,
    steps: list[Any],
) -> None:
    async def history() -> None:
        names = ["deployment", "replicaset"]
        world = make_world()
        await world.start(names)
        rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
        spec = {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "w"}},
            "template": template("w"),
            "strategy": {"type": strategy} | ({"rollingUpdate": rolling} if strategy == "RollingUpdate" else {}),
        }
        await world.create(DEPLOYMENTS, "w", spec)
        for step in steps:
            await disturb(world, DEPLOYMENTS, names, step)
            await world.settle()
        await world.settle(120)
        before = world.client.writes()
        await world.settle(120)
        assert world.client.writes() == before
        await world.stop()
        deployment = world.get(DEPLOYMENTS, "w")
        wanted = deployment["spec"]["replicas"]
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        active = world.pods(lambda pod: pod["status"]["phase"] == "Running")
        assert [pod["spec"]["containers"][0]["image"] for pod in active] == [image] * wanted
        status = deployment["status"]
        assert [status.get(n, 0) for n in ("replicas", "updatedReplicas", "availableReplicas")] == [wanted] * 3
        assert sum(rs["spec"]["replicas"] for rs in world.client.objects(REPLICA_SETS)) == wanted

    play(history())


@given(parallel=st.booleans(), steps=st.lists(workload_step, max_size=10))
@RELAXED
def test_a_stateful_set_ends_with_its_ordinals_of_its_template(
    make_world: Callable[[], Any], template: Callable[..., Object], parallel: bool, steps: list[Any]
) -> None:
    async def history() -> None:
        world = make_world()
        await world.start(["statefulset"])
        spec = {
            "replicas": 3,
            "serviceName": "s",
            "selector": {"matchLabels": {"app": "w"}},
            "template": template("w"),
            "podManagementPolicy": "Parallel" if parallel else "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        }
        await world.create(STATEFUL_SETS, "w", spec)
        for step in steps:
            await disturb(world, STATEFUL_SETS, ["statefulset"], step)
            await world.settle()
        await world.settle(120)
        before = world.client.writes()
        await world.settle(120)
        assert world.client.writes() == before
        await world.stop()
        owner = world.get(STATEFUL_SETS, "w")
        wanted = owner["spec"]["replicas"]
        image = owner["spec"]["template"]["spec"]["containers"][0]["image"]
        assert [(pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]) for pod in world.pods()] == [
            (f"w-{index}", image) for index in range(wanted)
        ]
        status = owner["status"]
        assert [status.get(n, 0) for n in ("replicas", "readyReplicas", "updatedReplicas")] == [wanted] * 3
        assert status["currentRevision"] == status["updateRevision"]

    play(history())


@pytest.mark.parametrize("crash_at", range(1, 12))
async def test_a_job_survives_a_crash_at_every_call(world: Any, template: Callable[..., Object], crash_at: int) -> None:
    spec = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 0,
        "selector": {"matchLabels": {"app": "j"}},
        "template": template("j", restart="Never", exit="0"),
    }
    await world.create(JOBS, "j", spec)
    calls = 0

    def crash(call: Any) -> None:
        nonlocal calls
        if call.verb in ("create", "update", "patch", "delete") and call.resource != "events":
            calls += 1
            if calls >= crash_at:
                raise Unreachable("crashed")

    world.crash = crash
    await world.start(["job"])
    await world.settle(5)
    world.crash = lambda call: None
    await world.stop()
    await world.start(["job"])
    for _ in range(3):
        for pod in world.pods(lambda pod: pod.get("status", {}).get("phase") == "Running"):
            await world.kubelet.end(pod, 0)
        await world.settle(60)
    assert world.get(JOBS, "j")["status"]["succeeded"] == 1
    assert "failed" not in world.get(JOBS, "j")["status"]
