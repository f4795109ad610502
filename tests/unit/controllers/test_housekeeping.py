"""Endpoints, namespaces, accounts, garbage, volumes, nodes: what a cluster does by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaito.embedded.controllers import CONTROLLERS, add_controllers
from kaito.kube.manager import Manager
from kaito.kube.objects import condition_is, format_time, get_condition
from kaito.kube.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
)

Object = dict[str, Any]


def test_an_unknown_controller_is_refused_with_the_names_there_are(world: Any) -> None:
    with pytest.raises(ValueError, match="there is no controller 'x'; there are serviceaccount"):
        add_controllers(Manager(world.client), names=["x"], service_account_ca=b"", volumes_root=Path("v"))
    assert len(set(CONTROLLERS)) == len(CONTROLLERS)


async def seed_pod(
    world: Any, name: str, ip: str | None, *, ready: bool = True, phase: str = "Running", **spec: Any
) -> None:
    status: Object = {"phase": phase, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    if ip:
        status["podIP"] = ip
    port = {"name": "http", "containerPort": 8080}
    world.client.seed(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
            "spec": {"nodeName": "n0", "containers": [{"name": "c", "ports": [port]}], **spec},
            "status": status,
        }
    )


async def test_a_service_gets_endpoints_for_its_ready_pods(world: Any) -> None:
    await world.start(["endpoint", "endpointslice"], kubelet=False)
    await world.create(SERVICES, "web", {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]})
    await seed_pod(world, "a", "10.244.0.1")
    await seed_pod(world, "b", "10.244.0.2", ready=False)
    await seed_pod(world, "c", None)
    await seed_pod(world, "d", "10.244.0.4", phase="Succeeded")
    await world.settle()
    (slice_,) = world.client.objects(ENDPOINT_SLICES)
    assert slice_["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert [(e["addresses"], e["conditions"]) for e in slice_["endpoints"]] == [
        (["10.244.0.1"], {"ready": True, "serving": True, "terminating": False}),
        (["10.244.0.2"], {"ready": False, "serving": False, "terminating": False}),
    ]
    assert slice_["metadata"]["labels"] == {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "web",
    }
    (subset,) = world.get(ENDPOINTS, "web")["subsets"]
    assert [a["ip"] for a in subset["addresses"]] == ["10.244.0.1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.244.0.2"]
    before = world.client.writes()
    await world.patch(PODS, "a", {"metadata": {"annotations": {"a": "b"}}})
    await world.settle()
    assert world.client.writes() - before == {"patch pods": 1}


async def test_a_headless_service_names_its_pods_and_publishes_those_not_ready(world: Any) -> None:
    await world.start(["endpoint", "endpointslice"], kubelet=False)
    spec = {"clusterIP": "None", "selector": {"app": "web"}, "publishNotReadyAddresses": True}
    await world.create(SERVICES, "web", spec)
    await seed_pod(world, "web-0", "10.244.0.1", ready=False, hostname="web-0", subdomain="web")
    await world.settle()
    (slice_,) = world.client.objects(ENDPOINT_SLICES)
    (endpoint,) = slice_["endpoints"]
    assert (endpoint["hostname"], endpoint["conditions"]["ready"], endpoint["conditions"]["serving"]) == (
        "web-0",
        True,
        False,
    )
    assert slice_["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert world.get(ENDPOINTS, "web")["subsets"][0]["addresses"][0]["hostname"] == "web-0"


async def test_endpoints_go_with_their_service(world: Any) -> None:
    await world.start(["endpoint", "endpointslice"], kubelet=False)
    await world.create(SERVICES, "web", {"selector": {"app": "web"}, "ports": [{"port": 80}]})
    await world.settle()
    assert len(world.client.objects(ENDPOINT_SLICES)) == 1
    await world.client.delete(SERVICES, "web", "default")
    await world.settle()
    assert world.client.objects(ENDPOINT_SLICES) == []
    assert world.client.objects(ENDPOINTS) == []


async def test_a_namespace_gets_its_account_and_certificate_back(world: Any) -> None:
    await world.start(["serviceaccount", "root-ca-certificate-publisher"])
    await world.client.create(NAMESPACES, {"metadata": {"name": "default"}})
    await world.settle()
    assert world.get(SERVICE_ACCOUNTS, "default")
    await world.client.delete(SERVICE_ACCOUNTS, "default", "default")
    await world.patch(CONFIG_MAPS, "kube-root-ca.crt", {"data": {"ca.crt": "other"}})
    await world.settle()
    assert world.get(SERVICE_ACCOUNTS, "default")
    assert world.get(CONFIG_MAPS, "kube-root-ca.crt")["data"] == {"ca.crt": "CA"}


async def test_a_deleted_namespace_is_emptied_pods_first_and_says_what_holds_it(world: Any) -> None:
    await world.start(["namespace"])
    held = {"name": "pod", "namespace": "doomed", "finalizers": ["example.com/hold"]}
    await world.client.create(PODS, {"metadata": held, "spec": {"containers": []}})
    await world.client.create(CONFIG_MAPS, {"metadata": {"name": "map", "namespace": "doomed"}})
    world.client.seed(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            # The fake knows no spec.finalizers; this one keeps the namespace in their place.
            "metadata": {
                "name": "doomed",
                "deletionTimestamp": format_time(world.clock.now()),
                "finalizers": ["test/stay"],
            },
            "spec": {"finalizers": ["kubernetes"]},
        }
    )
    await world.settle(1)
    namespace = world.client.find(NAMESPACES, "doomed")
    remaining = get_condition(namespace, "NamespaceContentRemaining")
    assert remaining is not None
    assert remaining["message"] == "Some resources are remaining: pods has 1 resource instances"
    finalizers = get_condition(namespace, "NamespaceFinalizersRemaining")
    assert finalizers is not None
    assert finalizers["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    assert len(world.client.objects(CONFIG_MAPS)) == 1
    await world.client.patch(PODS, "pod", {"metadata": {"finalizers": None}}, "doomed")
    await world.settle(2)
    assert world.client.objects(CONFIG_MAPS) == []
    assert world.client.find(NAMESPACES, "doomed")["spec"]["finalizers"] == []


def owned(name: str, owner: Object, *, block: bool = False, kind: str = "ConfigMap") -> Object:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": block,
    }
    return {"metadata": {"name": name, "namespace": "default", "ownerReferences": [reference]}}


async def test_dependents_go_after_their_last_owner_and_chains_go_whole(world: Any) -> None:
    await world.start(["garbage-collector"])
    top = await world.create(DEPLOYMENTS, "top", {})
    other = await world.create(DEPLOYMENTS, "other", {})
    middle = await world.client.create(REPLICA_SETS, owned("middle", top))
    await world.client.create(CONFIG_MAPS, owned("leaf", middle))
    shared = owned("shared", top)
    shared["metadata"]["ownerReferences"] += owned("x", other)["metadata"]["ownerReferences"]
    await world.client.create(CONFIG_MAPS, shared)
    await world.settle()
    await world.client.delete(DEPLOYMENTS, "top", "default")
    await world.settle()
    assert world.client.objects(REPLICA_SETS) == []
    assert [each["metadata"]["name"] for each in world.client.objects(CONFIG_MAPS)] == ["shared"]
    references = world.get(CONFIG_MAPS, "shared")["metadata"]["ownerReferences"]
    assert [each["name"] for each in references] == ["other"]


async def test_an_object_whose_owner_never_was_goes_too_but_not_one_whose_owner_is_only_unseen(world: Any) -> None:
    await world.start(["garbage-collector"])
    ghost = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ghost", "uid": "none"}}
    await world.client.create(CONFIG_MAPS, owned("leaf", ghost))
    stranger = {"apiVersion": "example.com/v1", "kind": "Unknown", "metadata": {"name": "s", "uid": "some"}}
    await world.client.create(CONFIG_MAPS, owned("kept", stranger))
    await world.settle()
    assert [each["metadata"]["name"] for each in world.client.objects(CONFIG_MAPS)] == ["kept"]


async def test_foreground_deletion_waits_for_blocking_dependents(world: Any) -> None:
    await world.start(["garbage-collector"])
    top = await world.create(DEPLOYMENTS, "top", {}, finalizers=["foregroundDeletion"])
    leaf = owned("leaf", top, block=True)
    leaf["metadata"]["finalizers"] = ["example.com/hold"]
    await world.client.create(CONFIG_MAPS, leaf)
    await world.settle()
    await world.client.delete(DEPLOYMENTS, "top", "default")
    await world.settle()
    assert world.get(CONFIG_MAPS, "leaf")["metadata"]["deletionTimestamp"]
    assert world.get(DEPLOYMENTS, "top")
    await world.patch(CONFIG_MAPS, "leaf", {"metadata": {"finalizers": None}})
    await world.settle()
    assert world.client.find(DEPLOYMENTS, "top", "default") is None


async def test_orphans_are_kept_without_their_owner(world: Any) -> None:
    await world.start(["garbage-collector"])
    top = await world.create(DEPLOYMENTS, "top", {}, finalizers=["orphan"])
    await world.client.create(CONFIG_MAPS, owned("leaf", top))
    await world.settle()
    await world.client.delete(DEPLOYMENTS, "top", "default")
    await world.settle()
    assert world.client.find(DEPLOYMENTS, "top", "default") is None
    assert not world.get(CONFIG_MAPS, "leaf")["metadata"].get("ownerReferences")


async def test_a_claim_gets_a_directory_once_a_node_is_chosen_and_loses_it_with_the_claim(
    world: Any, tmp_path: Path
) -> None:
    await world.start(["persistentvolume-binder", "persistentvolume-protection"])
    await world.settle()
    (kind,) = world.client.objects(STORAGE_CLASSES)
    assert kind["metadata"]["name"] == "standard"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await world.create(PERSISTENT_VOLUME_CLAIMS, "data", spec, finalizers=["kubernetes.io/pvc-protection"])
    await world.settle()
    claim = world.get(PERSISTENT_VOLUME_CLAIMS, "data")
    assert (claim["status"]["phase"], claim["spec"]["storageClassName"]) == ("Pending", "standard")
    assert world.said("WaitForFirstConsumer") == ["waiting for first consumer to be created before binding"]
    await world.patch(
        PERSISTENT_VOLUME_CLAIMS, "data", {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "n0"}}}
    )
    await settle_files(world)
    claim = world.get(PERSISTENT_VOLUME_CLAIMS, "data")
    assert claim["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    (volume,) = world.client.objects(PERSISTENT_VOLUMES)
    assert volume["status"]["phase"] == "Bound"
    folder = Path(volume["spec"]["hostPath"]["path"])
    assert folder.is_dir()
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    await settle_files(world)
    assert world.client.objects(PERSISTENT_VOLUME_CLAIMS) == []
    assert world.client.objects(PERSISTENT_VOLUMES) == []
    assert not folder.exists()


async def settle_files(world: Any) -> None:
    """Directories are made in threads, which virtual time does not wait for."""
    import asyncio

    for _ in range(5):
        await world.settle()
        await asyncio.sleep(0.02)


async def test_a_claim_takes_the_smallest_volume_that_fits_and_a_retained_one_stays(world: Any) -> None:
    await world.start(["persistentvolume-binder"])
    for name, size in (("big", "10Gi"), ("small", "2Gi"), ("tiny", "1Mi")):
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "manual",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/x"},
        }
        await world.client.create(PERSISTENT_VOLUMES, {"metadata": {"name": name}, "spec": spec})
    await world.settle()
    spec = {
        "storageClassName": "manual",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    await world.create(PERSISTENT_VOLUME_CLAIMS, "data", spec)
    await world.settle()
    assert world.get(PERSISTENT_VOLUME_CLAIMS, "data")["spec"]["volumeName"] == "small"
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    await world.settle()
    assert world.client.find(PERSISTENT_VOLUMES, "small")["status"]["phase"] == "Released"


async def seed_node(world: Any, name: str = "n0") -> None:
    now = format_time(world.clock.now())
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now, "lastTransitionTime": now}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {},
        "status": {"conditions": [ready]},
    }
    world.client.seed(node)


async def beat(world: Any, times: int) -> None:
    lease = {"metadata": {"name": "n0", "namespace": "kube-node-lease"}, "spec": {"renewTime": "0"}}
    if not world.client.objects(LEASES):
        await world.client.create(LEASES, lease)
    for _ in range(times):
        await world.client.patch(LEASES, "n0", {"spec": {"renewTime": str(world.clock.now())}}, "kube-node-lease")
        await world.settle(10)


async def test_a_silent_node_is_unknown_tainted_and_loses_its_pods_after_their_toleration(world: Any) -> None:
    await world.start(["node-lifecycle"], kubelet=False)
    await seed_node(world)
    tolerations = [
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    ]
    await seed_pod(world, "brief", "10.244.0.1", tolerations=tolerations)
    await seed_pod(world, "steady", "10.244.0.2", tolerations=[{"operator": "Exists"}])
    await beat(world, 20)
    assert condition_is(world.client.find(NODES, "n0"), "Ready")
    assert not world.client.find(NODES, "n0")["spec"].get("taints")
    await world.settle(51)
    node = world.client.find(NODES, "n0")
    ready = get_condition(node, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "Unknown",
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
    )
    assert {(t["key"], t["effect"]) for t in node["spec"]["taints"]} == {
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    }
    assert get_condition(world.get(PODS, "brief"), "Ready")["status"] == "False"  # type: ignore[index]
    await world.settle(250)
    assert world.names() == ["brief", "steady"]
    await world.settle(60)
    assert world.names() == ["steady"]


async def test_a_node_that_comes_back_loses_its_taints(world: Any) -> None:
    await world.start(["node-lifecycle"], kubelet=False)
    await seed_node(world)
    await world.settle(120)
    assert world.client.find(NODES, "n0")["spec"]["taints"]
    now = format_time(world.clock.now())
    ready = [{"type": "Ready", "status": "True", "lastHeartbeatTime": now}]
    await world.client.patch(NODES, "n0", {"status": {"conditions": ready}}, subresource="status")
    await world.settle()
    assert not world.client.find(NODES, "n0")["spec"].get("taints")


async def test_a_cordoned_node_is_tainted(world: Any) -> None:
    await world.start(["node-lifecycle"], kubelet=False)
    await seed_node(world)
    await world.client.patch(NODES, "n0", {"spec": {"unschedulable": True}})
    await world.settle()
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    assert world.client.find(NODES, "n0")["spec"]["taints"] == [taint]


async def test_pods_of_a_node_that_is_gone_are_failed_and_removed_after_a_while(world: Any) -> None:
    await world.start(["pod-garbage-collector"], kubelet=False)
    await seed_node(world)
    await seed_pod(world, "web", "10.244.0.1", finalizers=[])
    await world.patch(PODS, "web", {"metadata": {"finalizers": ["example.com/hold"]}})
    await world.settle()
    await world.client.delete(NODES, "n0")
    await world.settle(39)
    assert world.get(PODS, "web")["status"]["phase"] == "Running"
    await world.settle(5)
    pod = world.get(PODS, "web")
    assert pod["status"]["phase"] == "Failed"
    assert pod["metadata"]["deletionTimestamp"]
    assert get_condition(pod, "DisruptionTarget")["message"] == "PodGC: node no longer exists"  # type: ignore[index]
