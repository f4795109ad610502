"""A kubelet that starts where another one was killed."""

import pytest

from kaito.kube.resources import PODS
from tests.unit.kubelet.world import World


def running_status(**more):
    return {
        "phase": "Running",
        "podIP": "10.244.9.9",
        "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": [
            {
                "name": "c0",
                "image": "busybox",
                "imageID": "process://x",
                "restartCount": 2,
                "ready": True,
                "started": True,
                "containerID": "process://old",
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                "lastState": {},
            }
        ],
        **more,
    }


@pytest.fixture
async def later(tmp_path):
    world = World(tmp_path / "kubelet")
    yield world
    await world.stop()


async def test_a_container_that_ran_is_lost_and_the_pod_fails_when_it_is_never_restarted(later):
    later.pod(restartPolicy="Never", status=running_status())
    await later.start()
    await later.pass_time(1)
    assert later.status()["phase"] == "Failed"
    terminated = later.container()["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (137, "ContainerStatusUnknown")
    assert terminated["containerID"] == "process://old"
    assert later.runner.started == []


async def test_it_is_restarted_where_the_policy_says_so_and_keeps_address_and_count(later):
    later.pod(status=running_status())
    await later.start()
    await later.pass_time(1)
    assert later.state() == ("running", "")
    assert later.container()["restartCount"] == 3
    assert later.container()["lastState"]["terminated"]["exitCode"] == 137
    assert later.status()["podIP"] == "10.244.9.9"


async def test_init_containers_that_were_done_are_not_run_again(later):
    done = {
        "name": "i0",
        "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-01T00:00:00Z"}},
        "restartCount": 0,
    }
    later.pod(initContainers=[{}], status=running_status(initContainerStatuses=[done]))
    await later.start()
    await later.pass_time(1)
    assert [process.spec.argv[0] for process in later.runner.started] == ["work"]


async def test_finished_pods_stay_as_they_are(later):
    later.pod(restartPolicy="Never", status={"phase": "Succeeded"})
    await later.start()
    await later.pass_time(5)
    assert later.status()["phase"] == "Succeeded"
    assert later.runner.started == []


async def test_folders_of_pods_that_are_gone_are_removed(later, tmp_path):
    (tmp_path / "kubelet" / "pods" / "gone" / "volumes").mkdir(parents=True)
    await later.start()
    assert not (tmp_path / "kubelet" / "pods" / "gone").exists()


async def test_pods_of_ours_on_nodes_that_are_gone_are_deleted(later):
    later.pod("ours", nodeName="gone", status=running_status())
    later.pod("other", nodeName="gone")
    await later.start()
    await later.pass_time(1)
    assert later.client.find(PODS, "ours", "ns") is None
    assert later.client.find(PODS, "other", "ns") is not None


async def test_stopping_ends_every_process_and_leaves_the_pods_in_the_api(tmp_path):
    world = World(tmp_path / "kubelet")
    await world.start()
    world.pod("a")
    world.pod("b")
    await world.pass_time()
    assert len(world.runner.running()) == 2
    await world.stop()
    assert world.runner.running() == []
    assert world.status("a")["phase"] == "Running"


async def test_ephemeral_containers_that_ran_are_lost_and_not_started_again(later):
    ephemeral = running_status()["containerStatuses"][0] | {"name": "debug", "restartCount": 0}
    spec = {"ephemeralContainers": [{"name": "debug", "image": "busybox", "command": ["look"]}]}
    later.pod(status=running_status(ephemeralContainerStatuses=[ephemeral]), **spec)
    await later.start()
    await later.pass_time(1)
    (status,) = later.status()["ephemeralContainerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 137
    assert [process.spec.argv[0] for process in later.runner.started] == ["work"]
