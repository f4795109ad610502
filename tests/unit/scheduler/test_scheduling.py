"""The scheduler against the fake client: where pods go, and what is said when they cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kaito.embedded.scheduler import add_scheduler
from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.manager import Manager
from kaito.kube.objects import get_condition
from kaito.kube.resources import EVENTS, NODES, PERSISTENT_VOLUME_CLAIMS, PODS, STORAGE_CLASSES


class World:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(clock=self.clock)

    def node(
        self, name: str, *, taints: Any = (), labels: Any = None, unschedulable: bool = False, **extra: str
    ) -> None:
        self.client.seed(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
                "spec": {"taints": list(taints), **({"unschedulable": True} if unschedulable else {})},
                "status": {"allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110", **extra}},
            }
        )

    def pod(self, name: str, *, requests: Any = None, labels: Any = None, **spec: Any) -> None:
        self.client.seed(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
                "spec": {"containers": [{"name": "c", "resources": {"requests": requests or {}}}], **spec},
            }
        )

    def where(self, name: str) -> str | None:
        pod = self.client.find(PODS, name, "default")
        assert pod is not None
        return pod["spec"].get("nodeName")

    def message(self, name: str) -> str:
        pod = self.client.find(PODS, name, "default")
        assert pod is not None
        condition = get_condition(pod, "PodScheduled")
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
        return str(condition["message"])

    async def settle(self, seconds: float = 0.1) -> None:
        await self.clock.advance(seconds, settle=150)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    manager = Manager(world.client, world.clock)
    add_scheduler(manager)
    await manager.start()
    yield world
    await manager.stop()


GPU_TAINT = {"key": "sku", "value": "gpu", "effect": "NoSchedule"}
TOLERATES_GPU = [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}]
GPU = "nvidia.com/gpu"


async def test_a_gpu_pod_goes_to_the_node_with_a_free_gpu(world: World) -> None:
    world.node("local")
    world.node("gpu", taints=[GPU_TAINT], **{GPU: "1"})
    world.pod("tuner", requests={GPU: "1"}, tolerations=TOLERATES_GPU)
    await world.settle()
    assert world.where("tuner") == "gpu"
    assert [e["message"] for e in world.client.objects(EVENTS)] == ["Successfully assigned default/tuner to gpu"]


async def test_a_pod_without_gpu_prefers_the_cpu_node_even_when_it_tolerates_the_taint(world: World) -> None:
    world.node("gpu", taints=[GPU_TAINT], **{GPU: "1"})
    world.node("local")
    world.pod("web", tolerations=TOLERATES_GPU)
    await world.settle()
    assert world.where("web") == "local"


async def test_the_message_counts_every_reason_and_says_why_preemption_does_not_help(world: World) -> None:
    world.node("cpu-1")
    world.node("cpu-2")
    world.node("gpu", labels={"kaito": "a"}, **{GPU: "1"})
    world.pod("first", requests={GPU: "1"})
    await world.settle()
    world.pod("second", requests={GPU: "1"}, nodeSelector={"kaito": "a"})
    await world.settle()
    assert world.message("second") == (
        "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node affinity/selector. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    )


async def test_without_nodes_the_message_says_so(world: World) -> None:
    world.pod("web")
    await world.settle()
    assert world.message("web") == "no nodes available to schedule pods"


async def test_a_waiting_pod_is_placed_when_a_node_for_it_appears_and_is_not_reported_twice(world: World) -> None:
    world.node("local")
    world.pod("tuner", requests={GPU: "1"})
    await world.settle()
    world.node("other")
    await world.settle()
    assert world.client.writes()["patch pods/status"] == 1
    world.node("gpu", **{GPU: "1"})
    await world.settle()
    assert world.where("tuner") == "gpu"


async def test_a_waiting_pod_is_placed_when_another_one_ends(world: World) -> None:
    world.node("gpu", **{GPU: "1"})
    world.pod("first", requests={GPU: "1"})
    world.pod("second", requests={GPU: "1"})
    await world.settle()
    assert (world.where("first"), world.where("second")) == ("gpu", None)
    await world.client.patch(PODS, "first", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
    await world.settle()
    assert world.where("second") == "gpu"


async def test_pods_of_higher_priority_are_placed_first() -> None:
    world = World()
    world.node("gpu", **{GPU: "1"})
    world.pod("low", requests={GPU: "1"})
    world.pod("high", requests={GPU: "1"}, priority=1000)
    manager = Manager(world.client, world.clock)
    add_scheduler(manager)
    await manager.start()
    await world.settle()
    await manager.stop()
    assert (world.where("low"), world.where("high")) == (None, "gpu")


@pytest.mark.parametrize(
    "spec",
    [{"schedulerName": "mine"}, {"schedulingGates": [{"name": "wait"}]}],
    ids=["another scheduler's", "gated"],
)
async def test_pods_that_are_not_ours_to_schedule_are_left_alone(world: World, spec: dict[str, Any]) -> None:
    world.node("local")
    world.pod("web", **spec)
    await world.settle()
    assert world.where("web") is None
    assert not world.client.writes()


async def test_a_removed_gate_lets_the_pod_go(world: World) -> None:
    world.node("local")
    world.pod("web", schedulingGates=[{"name": "wait"}])
    await world.settle()
    await world.client.patch(PODS, "web", {"spec": {"schedulingGates": None}}, "default")
    await world.settle()
    assert world.where("web") == "local"


async def test_untolerated_taints_and_cordons_are_named(world: World) -> None:
    world.node("a", taints=[GPU_TAINT])
    world.node("b", unschedulable=True)
    world.pod("web")
    await world.settle()
    assert world.message("web") == (
        "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. "
        "no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


async def test_anti_affinity_by_host_spreads_and_names_itself(world: World) -> None:
    world.node("a")
    world.node("b")
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for name in ("one", "two", "three"):
        world.pod(name, labels={"app": "x"}, affinity=affinity)
    await world.settle()
    assert {world.where("one"), world.where("two")} == {"a", "b"}
    assert world.message("three").startswith("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.")


async def test_pod_affinity_follows_and_the_first_of_a_group_may_start_anywhere(world: World) -> None:
    world.node("a")
    world.node("b")
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for name in ("one", "two", "three"):
        world.pod(name, labels={"app": "x"}, affinity=affinity)
    await world.settle()
    assert len({world.where(name) for name in ("one", "two", "three")} - {None}) == 1


async def test_topology_spread_keeps_the_skew(world: World) -> None:
    world.node("a", labels={"zone": "1"})
    world.node("b", labels={"zone": "2"})
    world.node("c")
    constraint = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
    for number in range(4):
        world.pod(f"p{number}", labels={"app": "x"}, topologySpreadConstraints=[constraint])
    await world.settle()
    placed = [world.where(f"p{number}") for number in range(4)]
    assert sorted(str(p) for p in placed) == ["a", "a", "b", "b"]


async def test_host_ports_are_taken_once_a_node(world: World) -> None:
    world.node("a")
    for name in ("one", "two"):
        world.pod(name, containers=[{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}])
    await world.settle()
    assert world.message("two").startswith(
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    )


async def test_a_claim_waiting_for_its_first_consumer_gets_the_node_and_the_pod_waits_for_it(world: World) -> None:
    world.node("a")
    await world.client.create(
        STORAGE_CLASSES,
        {
            "metadata": {"name": "standard"},
            "provisioner": "kaito.sh/directory",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    await world.client.create(
        PERSISTENT_VOLUME_CLAIMS,
        {"metadata": {"name": "data", "namespace": "default"}, "spec": {"storageClassName": "standard"}},
    )
    await world.settle()
    world.pod("web", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    await world.settle()
    claim = world.client.find(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    assert claim is not None
    assert claim["metadata"]["annotations"] == {"volume.kubernetes.io/selected-node": "a"}
    assert world.where("web") is None
    await world.client.patch(
        PERSISTENT_VOLUME_CLAIMS, "data", {"status": {"phase": "Bound"}}, "default", subresource="status"
    )
    await world.settle()
    assert world.where("web") == "a"


async def test_an_unbound_claim_of_an_immediate_class_is_named(world: World) -> None:
    world.node("a")
    world.pod("web", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    await world.settle()
    assert world.message("web").startswith('0/1 nodes are available: persistentvolumeclaim "data" not found.')
    await world.client.create(
        PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "data", "namespace": "default"}, "spec": {}}
    )
    await world.settle()
    assert "pod has unbound immediate PersistentVolumeClaims" in world.message("web")


async def test_a_node_that_goes_away_takes_no_more_pods(world: World) -> None:
    world.node("a")
    await world.settle()
    await world.client.delete(NODES, "a")
    await world.settle()
    world.pod("web")
    await world.settle()
    assert world.message("web") == "no nodes available to schedule pods"


async def hold(world: World, name: str) -> None:
    """Let a pod stay until something takes its finalizer away, as one does whose processes have not ended yet."""
    await world.client.patch(PODS, name, {"metadata": {"finalizers": ["x/y"]}}, "default")


async def test_a_pod_whose_victims_are_ending_ends_no_others(world: World) -> None:
    world.node("n")
    for name in ("a", "b"):
        world.pod(name, requests={"cpu": "2"}, nodeName="n")
        await hold(world, name)
    world.pod("urgent", requests={"cpu": "2"}, priority=10)
    await world.settle()
    await world.client.patch(PODS, "urgent", {"metadata": {"labels": {"look": "again"}}}, "default")
    await world.settle()
    pods = [world.client.find(PODS, name, "default") or {} for name in ("a", "b")]
    assert sum("deletionTimestamp" in pod["metadata"] for pod in pods) == 1
    assert world.message("urgent").endswith("preemption: not eligible due to a terminating pod on the nominated node.")


async def test_room_that_was_made_before_a_restart_is_kept() -> None:
    world = World()
    world.node("n")
    world.pod("victim", requests={"cpu": "2"}, nodeName="n")
    world.pod("urgent", requests={"cpu": "3"}, priority=10)
    await world.client.patch(PODS, "urgent", {"status": {"nominatedNodeName": "n"}}, "default", subresource="status")
    await hold(world, "victim")
    await world.client.delete(PODS, "victim", "default")
    world.pod("opportunist", requests={"cpu": "2"})
    manager = Manager(world.client, world.clock)
    add_scheduler(manager)
    await manager.start()
    await world.settle()
    assert world.where("opportunist") is None
    await world.client.patch(PODS, "victim", {"metadata": {"finalizers": None}}, "default")
    await world.settle()
    await manager.stop()
    assert (world.where("urgent"), world.where("opportunist")) == ("n", None)
