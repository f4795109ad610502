"""Other resources for running containers: the `resize` subresource."""

from typing import Any

import pytest

from kaito.kube.resources import PODS
from tests.unit.kubelet.world import World


def resources(cpu: str, **more: Any) -> dict[str, Any]:
    return {"requests": {"cpu": cpu}, **more}


async def ask(world: World, wanted: dict[str, Any]) -> None:
    pod = world.client.find(PODS, "p", "ns")
    pod["spec"]["containers"][0]["resources"] = wanted
    world.client.seed(pod)
    await world.pass_time(1)


async def test_resources_that_the_node_has_are_given_without_a_restart(world):
    world.pod("p", {"resources": resources("50m")})
    await world.pass_time()
    await ask(world, resources("60m"))
    assert world.container()["resources"] == resources("60m")
    assert world.container()["allocatedResources"] == {"cpu": "60m"}
    assert world.container()["restartCount"] == 0
    assert world.events("ResizeCompleted") == [
        'Pod resize completed: {"containers":[{"name":"c0","resources":{"requests":{"cpu":"60m"}}}]}'
    ]


async def test_more_than_the_node_has_at_all_stays_pending_until_it_is_taken_back(world):
    world.pod("p", {"resources": resources("50m")})
    await world.pass_time()
    await ask(world, resources("9000"))
    condition = world.condition("PodResizePending")
    assert (condition["status"], condition["reason"]) == ("True", "Infeasible")
    assert condition["message"].startswith("Node didn't have enough capacity: cpu, requested: 9000000, capacity: ")
    assert world.container()["resources"] == resources("50m")
    assert world.container()["allocatedResources"] == {"cpu": "50m"}
    await ask(world, resources("50m"))
    assert "PodResizePending" not in [entry["type"] for entry in world.status()["conditions"]]
    assert world.events("ResizeCompleted") == []


@pytest.mark.parametrize(("policy", "restarts"), [("RestartContainer", 1), ("NotRequired", 0)])
async def test_the_resize_policy_decides_about_a_restart(world, policy, restarts):
    policies = [{"resourceName": "cpu", "restartPolicy": policy}]
    world.pod("p", {"resources": resources("50m"), "resizePolicy": policies})
    await world.pass_time()
    await ask(world, resources("60m"))
    assert world.container()["restartCount"] == restarts
