"""What a node takes, and what of a pod is not carried out."""

import pytest

from kaito.embedded.kubelet.pods.admission import not_carried_out, rejection
from kaito.kube.resources import NODES


def pod(*containers, init=(), **spec):
    return {"spec": {"containers": list(containers), "initContainers": list(init), **spec}}


def container(restart=None, name="c", **requests):
    policy = {"restartPolicy": restart} if restart else {}
    return {"name": name, "resources": {"requests": requests}, **policy}


def test_a_pod_that_fits_is_taken():
    node = {"cpu": "2", "pods": "2", "nvidia.com/gpu": "1"}
    one = pod(container(cpu="1", **{"nvidia.com/gpu": "1"}))
    assert rejection(one, [pod(container(cpu="1"))], node) is None
    assert rejection(pod(container()), [], {}) is None


@pytest.mark.parametrize(
    ("wanted", "reason", "message"),
    [
        ({"nvidia.com/gpu": "1"}, "OutOfnvidia.com/gpu", "nvidia.com/gpu, requested: 1, used: 1, capacity: 1"),
        ({"cpu": "1500m"}, "OutOfcpu", "cpu, requested: 1500, used: 1000, capacity: 2000"),
        ({"memory": "2Gi"}, "OutOfmemory", "memory, requested: 2147483648, used: 0, capacity: 1073741824"),
        ({"example.com/x": "1"}, "OutOfexample.com/x", "example.com/x, requested: 1, used: 0, capacity: 0"),
    ],
)
def test_a_pod_that_does_not_fit_is_rejected_with_numbers(wanted, reason, message):
    node = {"cpu": "2", "memory": "1Gi", "pods": "10", "nvidia.com/gpu": "1"}
    others = [pod(container(cpu="1", **{"nvidia.com/gpu": "1"}))]
    assert rejection(pod(container(**wanted)), others, node) == (
        reason,
        f"Node didn't have enough resource: {message}",
    )


def test_more_pods_than_a_node_takes_are_rejected():
    assert rejection(pod(container()), [pod(container())], {"pods": "1"})[0] == "OutOfpods"


def test_a_pod_that_was_bound_past_the_scheduler_is_rejected_for_labels_and_ports():
    node = {"metadata": {"name": "n", "labels": {"zone": "a"}}}
    assert rejection(pod(container(), nodeSelector={"zone": "a"}), [], {}, node) is None
    assert rejection(pod(container(), nodeSelector={"zone": "b"}), [], {}, node) == (
        "NodeAffinity",
        "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    )
    web = pod({**container(), "ports": [{"containerPort": 80, "hostPort": 80}]})
    assert rejection(web, [pod(container())], {}, node) is None
    assert rejection(web, [web], {}, node) == (
        "NodePorts",
        "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    )


def test_what_is_not_carried_out_is_named_by_its_field():
    asked = pod(
        {
            "name": "c",
            "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}},
            "ports": [{"containerPort": 1, "hostPort": 2}],
        },
        securityContext={"runAsUser": 1000},
        hostAliases=[{}],
    )
    assert not_carried_out(asked) == [
        "spec.hostAliases",
        "spec.securityContext.runAsUser",
        "spec.containers{c}.securityContext.privileged",
        "spec.containers{c}.securityContext.capabilities.add",
        "spec.containers{c}.ports.hostPort",
    ]
    assert not_carried_out(pod(container(), shareProcessNamespace=True, hostNetwork=True)) == []


async def test_a_pod_bound_to_a_node_that_is_full_fails(world):
    gpu = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    world.pod("p", gpu)
    await world.pass_time()
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "OutOfnvidia.com/gpu")
    assert world.status()["message"] == f"Pod was rejected: {world.events('OutOfnvidia.com/gpu')[0]}"
    assert not {"containerStatuses", "podIP"} & set(world.status())
    assert [condition["type"] for condition in world.status()["conditions"]] == ["PodScheduled"]
    assert world.runner.started == []
    for field in ("capacity", "allocatable"):
        await world.client.patch(
            NODES, "local", {"status": {field: {"nvidia.com/gpu": "1"}}}, kind="strategic", subresource="status"
        )
    world.pod("q", gpu)
    await world.pass_time()
    assert world.status("q")["phase"] == "Running"


async def test_a_pod_that_is_over_gives_its_resources_back(world):
    for field in ("capacity", "allocatable"):
        await world.client.patch(
            NODES, "local", {"status": {field: {"nvidia.com/gpu": "1"}}}, kind="strategic", subresource="status"
        )
    gpu = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    world.pod("p", gpu, restartPolicy="Never")
    await world.pass_time()
    world.process("work").exit(0)
    await world.pass_time()
    world.pod("q", gpu)
    await world.pass_time()
    assert world.status("q")["phase"] == "Running"


async def test_wishes_that_are_not_carried_out_are_a_warning(world):
    world.pod("p", {"securityContext": {"privileged": True}})
    await world.pass_time(100)
    assert world.events("NotCarriedOut") == [
        "the process kubelet does not carry out: spec.containers{c0}.securityContext.privileged"
    ]
    assert world.status()["phase"] == "Running"
