"""Ephemeral containers: what `kubectl debug` adds to a pod that is there."""

import signal

from kaito.kube.resources import EVENTS, PODS
from tests.unit.kubelet.world import World


async def add(world: World, *containers: dict, pod: str = "p") -> None:
    obj = world.client.find(PODS, pod, "ns")
    known = obj["spec"].get("ephemeralContainers", [])
    obj["spec"]["ephemeralContainers"] = [*known, *({"image": "busybox", **container} for container in containers)]
    world.client.seed(obj)
    await world.pass_time(1)


def states(world: World) -> dict[str, str]:
    return {entry["name"]: next(iter(entry["state"])) for entry in world.status()["ephemeralContainerStatuses"]}


async def test_one_that_is_added_runs_beside_the_others_and_is_never_restarted(world):
    world.pod()
    await world.pass_time()
    await add(world, {"name": "debug", "command": ["look"]})
    assert states(world) == {"debug": "running"}
    assert [entry["name"] for entry in world.status()["containerStatuses"]] == ["c0"]
    assert "initContainerStatuses" not in world.status()
    world.process("look").exit(3)
    await world.pass_time(60)
    (status,) = world.status()["ephemeralContainerStatuses"]
    assert (status["state"]["terminated"]["exitCode"], status["restartCount"], status["ready"]) == (3, 0, False)
    assert "started" not in status
    assert len(world.runner.started) == 2
    assert world.status()["phase"] == "Running"
    assert world.condition("Ready")["status"] == "True"


async def test_its_events_carry_its_own_field(world):
    world.pod()
    await add(world, {"name": "debug", "command": ["look"]})
    paths = {
        event["message"]: event["involvedObject"].get("fieldPath")
        for event in world.client.objects(EVENTS)
        if "debug" in event["message"]
    }
    assert paths == {
        "Created container: debug": "spec.ephemeralContainers{debug}",
        "Started container debug": "spec.ephemeralContainers{debug}",
    }


async def test_it_runs_although_an_init_container_fails(world):
    world.pod(initContainers=[{}])
    await world.pass_time()
    world.process("i0").exit(1)
    await world.pass_time()
    world.process("i0").exit(1)
    await world.pass_time(1)
    await add(world, {"name": "debug", "command": ["look"]})
    assert states(world) == {"debug": "running"}
    assert world.state("i0") == ("waiting", "CrashLoopBackOff")
    assert world.status()["phase"] == "Pending"


async def test_it_does_not_keep_a_finished_pod_alive(world):
    world.pod(restartPolicy="Never")
    await add(world, {"name": "debug", "command": ["look"]})
    world.process("work").exit(0)
    await world.pass_time(1)
    assert world.status()["phase"] == "Succeeded"
    assert world.process("look").signals == [signal.SIGTERM]
    assert states(world) == {"debug": "terminated"}


async def test_an_image_that_is_not_there_is_told_and_disturbs_nobody(world):
    world.pod()
    await add(world, {"name": "debug", "image": "example.com/nope:1"})
    assert states(world) == {"debug": "waiting"}
    assert world.status()["phase"] == "Running"
    await world.pass_time(11)
    assert world.events("Failed").count("Error: ErrImagePull") == 1
    assert world.status()["ephemeralContainerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImagePull"


async def test_deleting_the_pod_ends_it(world):
    world.pod()
    await add(world, {"name": "debug", "command": ["look"]})
    await world.delete()
    assert world.process("look").signals == [signal.SIGTERM]
    assert sorted(world.events("Killing")) == ["Stopping container c0", "Stopping container debug"]
