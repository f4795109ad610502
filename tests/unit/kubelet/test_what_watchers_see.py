"""What `kubectl get pod -w` and `kubectl describe pod` show on the way; compared with the kubelet of a kind cluster."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from kaito.kube.errors import ServerError
from kaito.kube.informer import Informer
from kaito.kube.resources import EVENTS, PODS
from tests.unit.kubelet.world import World


class Watcher:
    """Every state that container `c0` of pod `p` was seen in: (restarts, state, reason)."""

    def __init__(self, world: World) -> None:
        self.seen: list[tuple[int, str, str]] = []
        self.messages: dict[str, str] = {}
        pods = Informer(world.client, PODS, clock=world.clock)
        pods.add_handler(lambda change: self._look(change.object))
        self.run = pods.run

    def _look(self, pod: dict[str, Any]) -> None:
        for entry in (pod.get("status") or {}).get("containerStatuses") or ():
            ((kind, detail),) = entry["state"].items()
            self.messages[detail.get("reason", "")] = detail.get("message", "")
            state = entry["restartCount"], kind, detail.get("reason", "")
            if entry["name"] == "c0" and [state] != self.seen[-1:]:
                self.seen.append(state)


@pytest.fixture
async def watcher(world):
    watcher = Watcher(world)
    task = asyncio.create_task(watcher.run())
    await world.pass_time()
    yield watcher
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def told(world: World) -> list[tuple[str, str, int]]:
    """Reason, message and count of every event."""
    return [(event["reason"], event["message"], event["count"]) for event in world.client.objects(EVENTS)]


async def test_each_end_of_a_container_is_seen_before_what_follows(world, watcher):
    world.pod()
    await world.pass_time()
    for _ in range(2):
        world.process("work").exit(1)
        await world.pass_time()
    assert watcher.seen == [
        (0, "waiting", "ContainerCreating"),
        (0, "running", ""),
        (0, "terminated", "Error"),
        (1, "running", ""),
        (1, "terminated", "Error"),
        (1, "waiting", "CrashLoopBackOff"),
    ]


async def test_a_program_that_is_not_there_is_seen_as_such_while_it_is_tried_again(world, watcher):
    world.runner.refuse["work"] = 'exec: "work": executable file not found in $PATH'
    world.pod()
    await world.pass_time(1)
    assert (0, "waiting", "RunContainerError") in watcher.seen
    assert world.container()["lastState"]["terminated"]["reason"] == "StartError"
    assert world.events("Created") == ["Created container: c0"]
    assert world.events("Started") == []


async def test_a_post_start_hook_that_fails_is_told_in_the_state_and_not_in_the_event(world, watcher):
    world.pod("p", {"lifecycle": {"postStart": {"exec": {"command": ["hook", "now"]}}}})
    await world.pass_time()
    world.process("hook").say("no luck\n")
    world.process("hook").exit(7)
    await world.pass_time()
    assert ("FailedPostStartHook", "PostStartHook failed", 1) in told(world)
    assert ("Killing", "FailedPostStartHook", 1) in told(world)
    assert watcher.messages["PostStartHookError"] == (
        'Exec lifecycle hook ([hook now]) for Container "c0" in Pod "p_ns(uid-of-p)" failed - error: '
        "command 'hook now' exited with 7: , message: \"no luck\\n\""
    )


async def test_a_container_that_a_probe_ends_starts_at_once_the_first_two_times(world, watcher):
    probe = {"exec": {"command": ["probe"]}, "periodSeconds": 1, "failureThreshold": 1}
    world.pod("p", {"livenessProbe": probe})
    world.runner.on_start = lambda process: process.exit(1) if process.spec.argv[0] == "probe" else None
    for _ in range(5):
        await world.pass_time(1)
    assert watcher.seen == [
        (0, "waiting", "ContainerCreating"),
        (0, "running", ""),
        (1, "running", ""),
        (2, "running", ""),
        (2, "waiting", "CrashLoopBackOff"),
    ]
    assert "Container c0 failed liveness probe, will be restarted" in world.events("Killing")


async def test_a_probe_that_cannot_be_made_counts_as_nothing(world):
    world.runner.refuse["none"] = 'exec: "none": executable file not found in $PATH'
    probe = {"exec": {"command": ["none"]}, "periodSeconds": 1, "failureThreshold": 1}
    world.pod("p", {"livenessProbe": probe})
    await world.pass_time(5)
    assert world.container()["restartCount"] == 0
    assert world.events("Unhealthy") == [
        "Liveness probe errored and resulted in unknown state: "
        'failed to exec in container: exec: "none": executable file not found in $PATH'
    ]


async def test_the_output_of_a_probe_is_told_as_it_is(world):
    probe = {"exec": {"command": ["probe"]}, "periodSeconds": 1}
    world.pod("p", {"readinessProbe": probe})

    def fail(process):
        if process.spec.argv[0] == "probe":
            process.say("not yet\n")
            process.exit(1)

    world.runner.on_start = fail
    await world.pass_time(1)
    assert world.events("Unhealthy") == ["Readiness probe failed: not yet\n"]


async def test_a_sidecar_that_a_probe_ends_is_called_an_init_container(world):
    probe = {"exec": {"command": ["probe"]}, "periodSeconds": 1, "failureThreshold": 1}
    world.pod(initContainers=[{"restartPolicy": "Always", "startupProbe": probe}])
    world.runner.on_start = lambda process: process.exit(1) if process.spec.argv[0] == "probe" else None
    await world.pass_time(1)
    assert "Init container i0 failed startup probe" in world.events("Killing")


@pytest.mark.parametrize("ends", [True, False], ids=["fails", "takes too long"])
async def test_a_pre_stop_hook_that_does_not_succeed_is_told_and_leaves_time_to_end(world, ends):
    world.pod("p", {"lifecycle": {"preStop": {"exec": {"command": ["hook"]}}}})
    await world.pass_time()
    main = world.process("work")
    main.stubborn = True
    await world.delete(grace=3)
    if ends:
        world.process("hook").exit(1)
    await world.pass_time(3.5)
    assert world.events("FailedPreStopHook") == ["PreStopHook failed"]
    if not ends:
        assert main.signals == [signal.SIGTERM]
        await world.pass_time(2)
    assert main.signals == [signal.SIGTERM, signal.SIGKILL]


async def test_a_container_that_was_made_shows_its_resources_though_it_has_none(world, watcher):
    world.pod(initContainers=[{}])
    await world.pass_time()
    assert world.container("i0")["resources"] == {}
    assert "resources" not in world.container("c0")


async def test_a_finished_pod_whose_end_could_not_be_written_starts_nothing_again(world):
    world.pod(initContainers=[{"restartPolicy": "Always"}], restartPolicy="Never")
    await world.pass_time()
    world.client.fail(ServerError("down", status=500), verb="patch", resource="pods", times=3)
    world.process("work").exit(0)
    await world.pass_time(10)
    assert world.status()["phase"] == "Succeeded"
    assert [process.spec.argv[0] for process in world.runner.started] == ["i0", "work"]


async def test_conditions_lose_the_reason_and_message_that_are_no_longer_true(world):
    world.pod(initContainers=[{}], restartPolicy="Never")
    await world.pass_time()
    assert world.condition("Ready")["reason"] == "ContainersNotReady"
    world.process("i0").exit(0)
    await world.pass_time()
    for kind in ("Ready", "Initialized"):
        assert not {"reason", "message"} & set(world.condition(kind))
    world.process("work").exit(1)
    await world.pass_time()
    assert world.condition("Ready")["reason"] == "PodFailed"
    assert "message" not in world.condition("Ready")


async def test_hooks_of_sidecars_run_when_the_end_begins_and_their_processes_end_in_turn(world):
    hook = {"preStop": {"exec": {"command": ["hook"]}}}
    sidecars = [{"restartPolicy": "Always", "lifecycle": hook}, {"restartPolicy": "Always", "lifecycle": hook}]
    world.pod(initContainers=sidecars)
    await world.pass_time()
    for name in ("work", "i0", "i1"):
        world.process(name).stubborn = True
    await world.delete(grace=30)
    hooks = [process for process in world.runner.started if process.spec.argv[0] == "hook"]
    assert len(hooks) == 2
    assert world.process("work").signals == [signal.SIGTERM]
    for process in hooks:
        process.exit(0)
    await world.pass_time(1)
    assert world.process("i1").signals == []
    for ended, following in (("work", "i1"), ("i1", "i0")):
        world.process(ended).exit(0)
        await world.pass_time()
        assert world.process(following).signals == [signal.SIGTERM]


async def test_sidecars_get_two_seconds_when_the_main_container_used_up_the_time(world):
    world.pod(initContainers=[{"restartPolicy": "Always"}])
    await world.pass_time()
    for name in ("work", "i0"):
        world.process(name).stubborn = True
    await world.delete(grace=5)
    await world.pass_time(6)
    assert world.process("work").signals == [signal.SIGTERM, signal.SIGKILL]
    assert world.process("i0").signals == [signal.SIGTERM]
    await world.pass_time(2)
    assert world.process("i0").signals == [signal.SIGTERM, signal.SIGKILL]


async def test_the_nomination_of_a_pod_that_has_arrived_is_over(world):
    world.pod(status={"nominatedNodeName": "local"})
    await world.pass_time()
    assert world.status()["phase"] == "Running"
    assert "nominatedNodeName" not in world.status()
