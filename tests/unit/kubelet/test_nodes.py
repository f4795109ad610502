"""Nodes: registration, adoption, heartbeats, loss."""

import pytest

from kaito.embedded.kubelet.nodes import SUBSTRATE, SUBSTRATE_LABEL
from kaito.kube.client import WatchEvent
from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.resources import LEASES, NODES, PODS
from tests.unit.kubelet.world import World


class SelectingClient(FakeClient):
    """Watches with a label selector see an object that no longer matches as deleted, as a real server's do."""

    async def watch(self, resource, namespace=None, *, resource_version, label_selector=None, **options):
        shown = {obj["metadata"]["name"] for obj in self.objects(resource)} if label_selector else set()
        async for event in super().watch(resource, namespace, resource_version=resource_version, **options):
            name = event.object["metadata"]["name"]
            if label_selector and SUBSTRATE_LABEL not in (event.object["metadata"].get("labels") or {}):
                if name in shown:
                    shown.discard(name)
                    yield WatchEvent("DELETED", event.object)
                continue
            shown.add(name)
            yield event


@pytest.fixture
async def world(tmp_path):
    clock = VirtualClock()
    world = World(tmp_path / "kubelet", clock=clock, client=SelectingClient(clock=clock))
    await world.start()
    yield world
    await world.stop()


def gpu_node(name="gpu-1", **status):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {SUBSTRATE_LABEL: SUBSTRATE}},
        "spec": {
            "taints": [
                {"key": "sku", "value": "gpu", "effect": "NoSchedule"},
                {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
            ]
        },
        "status": status,
    }


def condition(node, kind):
    return next(entry for entry in node["status"]["conditions"] if entry["type"] == kind)


async def test_the_cpu_node_is_made_ready_and_untainted(world):
    node = world.node()
    assert node["metadata"]["labels"][SUBSTRATE_LABEL] == SUBSTRATE
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "local"
    assert not node["spec"].get("taints")
    assert condition(node, "Ready")["status"] == "True"
    assert condition(node, "Ready")["reason"] == "KubeletReady"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.34.4"
    assert node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == world.manager.server.port
    assert {"type": "InternalIP", "address": "127.0.0.1"} in node["status"]["addresses"]
    assert set(node["status"]["capacity"]) == {"cpu", "memory", "pods", "ephemeral-storage"}


async def test_a_node_with_the_label_is_adopted_and_keeps_what_others_wrote(world):
    world.client.seed(gpu_node(capacity={"nvidia.com/gpu": "1", "cpu": "6"}, allocatable={"nvidia.com/gpu": "1"}))
    await world.pass_time(0.5)
    node = world.node("gpu-1")
    assert condition(node, "Ready")["status"] == "True"
    assert node["status"]["capacity"]["nvidia.com/gpu"] == "1"
    assert node["status"]["capacity"]["cpu"] == "6"
    assert node["status"]["allocatable"]["memory"]
    assert [taint["key"] for taint in node["spec"]["taints"]] == ["sku"]
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "gpu-1"


async def test_capacity_written_later_is_kept(world):
    world.client.seed(gpu_node())
    await world.pass_time(0.5)
    await world.client.patch(
        NODES, "gpu-1", {"status": {"capacity": {"nvidia.com/gpu": "2"}}}, kind="strategic", subresource="status"
    )
    await world.pass_time(400)
    node = world.node("gpu-1")
    assert node["status"]["capacity"]["nvidia.com/gpu"] == node["status"]["allocatable"]["nvidia.com/gpu"] == "2"


async def test_a_node_without_the_label_is_left_alone(world):
    stranger = gpu_node("other")
    stranger["metadata"]["labels"] = {}
    world.client.seed(stranger)
    await world.pass_time(1)
    assert "conditions" not in world.node("other")["status"]


async def test_the_lease_is_renewed_every_ten_seconds_and_the_status_rarely(world):
    await world.pass_time(1)
    world.client.calls.clear()
    await world.pass_time(100)
    lease = world.client.find(LEASES, "local", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "local"
    assert lease["spec"]["leaseDurationSeconds"] == 40
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "Node"
    assert world.client.writes() == {"patch leases": 10}


async def test_a_status_that_somebody_spoiled_is_put_right(world):
    await world.client.patch(NODES, "local", {"status": {"conditions": []}}, subresource="status")
    await world.pass_time(11)
    assert condition(world.node(), "Ready")["status"] == "True"


async def test_pods_of_a_deleted_node_are_ended_and_deleted(world):
    world.client.seed(gpu_node())
    await world.pass_time(0.5)
    world.pod("p", nodeName="gpu-1")
    await world.pass_time()
    assert world.state() == ("running", "")
    await world.client.delete(NODES, "gpu-1")
    await world.pass_time(1)
    assert world.client.find(PODS, "p", "ns") is None
    assert not world.runner.running()


async def test_pods_of_two_nodes_have_addresses_of_different_networks(world):
    world.client.seed(gpu_node())
    await world.pass_time(0.5)
    world.pod("one")
    world.pod("two")
    world.pod("three", nodeName="gpu-1")
    await world.pass_time()
    one, two, three = (world.status(name)["podIP"] for name in ("one", "two", "three"))
    assert one.split(".")[:3] == two.split(".")[:3]
    assert one != two
    assert three.split(".")[:3] != one.split(".")[:3]
    assert all(address.startswith("10.244.") for address in (one, two, three))


async def test_a_node_that_loses_its_label_dies_silently_and_its_pods_go_with_the_node_object(world):
    world.client.seed(gpu_node())
    await world.pass_time(0.5)
    world.pod("p", nodeName="gpu-1")
    await world.pass_time()
    lost = world.node("gpu-1")
    lost["metadata"]["labels"].pop(SUBSTRATE_LABEL)
    world.client.seed(lost)
    await world.pass_time(60)
    assert not world.runner.running()
    assert world.state() == ("running", "")
    renewed = world.client.find(LEASES, "gpu-1", "kube-node-lease")["spec"]["renewTime"]
    await world.pass_time(60)
    assert world.client.find(LEASES, "gpu-1", "kube-node-lease")["spec"]["renewTime"] == renewed
    await world.client.delete(NODES, "gpu-1")
    await world.pass_time(5)
    assert world.client.find(PODS, "p", "ns") is None


async def test_a_lost_node_that_comes_back_takes_its_pods_up_again(world):
    node = gpu_node()
    world.client.seed(node)
    await world.pass_time(0.5)
    world.pod("p", nodeName="gpu-1")
    await world.pass_time()
    lost = world.node("gpu-1")
    lost["metadata"]["labels"].pop(SUBSTRATE_LABEL)
    world.client.seed(lost)
    await world.pass_time(5)
    world.client.seed(node)
    await world.pass_time(5)
    assert world.container()["restartCount"] == 1
    assert len(world.runner.running()) == 1
