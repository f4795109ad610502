"""PodDisruptionBudgets; the numbers are those of the real controller for the same pods."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.kube.objects import get_condition, owner_reference
from kaito.kube.resources import EVENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS

Object = dict[str, Any]


def seed_pods(world: Any, app: str, count: int, *, ready: int, owner: Object | None = None) -> None:
    for index in range(count):
        metadata: Object = {"name": f"{app}{index}", "namespace": "default", "labels": {"app": app}}
        if owner is not None:
            metadata["ownerReferences"] = [owner_reference(owner)]
        status = {"conditions": [{"type": "Ready", "status": "True" if index < ready else "False"}]}
        world.client.seed(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}, "status": status}
        )


def seed_budget(world: Any, app: str, **spec: Any) -> None:
    metadata = {"name": "budget", "namespace": "default", "generation": 1}
    selector = {"selector": {"matchLabels": {"app": app}}}
    kind = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    world.client.seed({**kind, "metadata": metadata, "spec": {**selector, **spec}})


def status(world: Any) -> Object:
    budget = world.client.find(POD_DISRUPTION_BUDGETS, "budget", "default")
    return dict(budget["status"])


def numbers(world: Any) -> tuple[int, int, int, int]:
    found = status(world)
    return tuple(found[key] for key in ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 1}, (3, 2, 1, 1)),
        ({"minAvailable": 5}, (3, 2, 5, 0)),
        ({"minAvailable": "50%"}, (0, 2, 0, 0)),
        ({"maxUnavailable": 1}, (0, 2, 0, 0)),
    ],
)
async def test_pods_without_an_owner_count_for_whole_minimums_only(world: Any, spec: Object, expected: Any) -> None:
    seed_pods(world, "a", 3, ready=2)
    seed_budget(world, "a", **spec)
    await world.start(["disruption"], kubelet=False)
    await world.settle()
    assert numbers(world) == expected
    unmanaged = [event["message"] for event in world.client.objects(EVENTS) if event["reason"] == "UnmanagedPods"]
    assert len(unmanaged) == (0 if isinstance(spec.get("minAvailable"), int) else 1)
    assert all("MatchLabels:map[string]string{app: a,},MatchExpressions:" in message for message in unmanaged)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"maxUnavailable": 1}, (4, 3, 3, 0)),
        ({"maxUnavailable": "30%"}, (4, 3, 2, 1)),
        ({"minAvailable": "60%"}, (4, 3, 3, 0)),
        ({"maxUnavailable": "100%"}, (4, 3, 0, 3)),
    ],
)
async def test_shares_are_those_of_what_the_owner_wants(world: Any, spec: Object, expected: Any) -> None:
    owner = world.client.seed(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "b", "namespace": "default"},
            "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "b"}}, "template": {}},
        }
    )
    seed_pods(world, "b", 4, ready=3, owner=owner)
    seed_budget(world, "b", **spec)
    await world.start(["disruption"], kubelet=False)
    await world.settle()
    assert numbers(world) == expected
    condition = get_condition({"status": status(world)}, "DisruptionAllowed") or {}
    assert (condition["status"], condition["reason"], condition["observedGeneration"]) == (
        ("True", "SufficientPods", 1) if expected[3] else ("False", "InsufficientPods", 1)
    )
    await world.client.patch(REPLICA_SETS, "b", {"spec": {"replicas": 0}}, "default")
    await world.client.delete(PODS, "b0", "default")
    await world.settle()
    assert numbers(world)[3] == 0


async def test_a_pod_that_becomes_ready_is_counted(world: Any) -> None:
    seed_pods(world, "a", 2, ready=1)
    seed_budget(world, "a", minAvailable=1)
    await world.start(["disruption"], kubelet=False)
    await world.settle()
    assert status(world)["disruptionsAllowed"] == 0
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await world.client.patch(PODS, "a1", ready, "default", subresource="status")
    await world.settle()
    assert status(world)["disruptionsAllowed"] == 1
