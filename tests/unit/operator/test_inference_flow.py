"""Inference workspaces: presets, adapters, templates, the user's own nodes."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.kube.errors import Invalid, ServerError
from kaito.kube.resources import (
    CONTROLLER_REVISIONS,
    EVENTS,
    NODE_CLAIMS,
    NODES,
    PODS,
    SERVICES,
    STATEFUL_SETS,
    WORKSPACES,
    Resource,
)
from kaito.operator.settings import OperatorSettings
from tests.unit.operator.world import A100_TYPE, NAMESPACE, World, inference_workspace, node


async def ready(world: World, workspace: dict[str, Any] | None = None) -> None:
    workspace = workspace or inference_workspace()
    await world.apply(workspace)
    await world.provide_nodes()
    await world.start_stateful_set(workspace["metadata"]["name"])


async def test_a_preset_becomes_ready_with_at_most_ten_requests() -> None:
    world = World()
    async with world.running():
        await ready(world)
        assert list(world.verdicts("inf").items()) == [
            ("NodesReady", "True"),
            ("NodeClaimReady", "True"),
            ("ResourceReady", "True"),
            ("InferenceReady", "True"),
            ("WorkspaceSucceeded", "True"),
            ("WorkspaceReady", "True"),
        ]
        assert world.status("inf")["state"] == "Ready"
        assert len(world.requests()) <= 10, [f"{one.verb} {one.resource}" for one in world.requests()]
        assert world.client.writes()["update workspaces/status"] == 3


async def test_the_service_has_kaitos_ports_and_the_pod_is_the_first() -> None:
    world = World()
    async with world.running():
        await ready(world)
        service = world.client.find(SERVICES, "inf", NAMESPACE)
    assert service is not None
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 6379, 8265, 5557]
    assert service["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] == "inf-0"


async def test_adapters_come_from_images_and_volumes_with_their_strengths() -> None:
    world = World()
    adapters = [
        {"source": {"name": "one", "image": "r.azurecr.io/one:1", "imagePullSecrets": ["pull"]}, "strength": "0.5"},
        {"source": {"name": "a.b", "volumeSource": {"emptyDir": {}}}},
    ]
    workspace = inference_workspace(preset={"name": "phi-3-mini-128k-instruct"}, adapters=adapters)
    async with world.running():
        await ready(world, workspace)
        stateful_set = world.client.find(STATEFUL_SETS, "inf", NAMESPACE)
    assert stateful_set is not None
    pod = stateful_set["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["initContainers"]] == ["puller-one"]
    env = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert env["one"] == "0.5"
    assert env["KAITO_ADAPTER_STRENGTHS"] == '{"one": 0.5}'
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/mnt/adapter/a.b"] == "adapter-volume-a-b", "a dot is no part of a volume's name"


async def test_a_changed_adapter_rolls_the_whole_pod_template_and_makes_a_revision() -> None:
    world = World()
    adapters = [{"source": {"name": "one", "image": "r.azurecr.io/one:1", "imagePullSecrets": ["pull"]}}]
    async with world.running():
        await ready(world)
        await world.apply(inference_workspace(adapters=adapters))
        stateful_set = world.client.find(STATEFUL_SETS, "inf", NAMESPACE)
        assert stateful_set is not None
        assert stateful_set["metadata"]["annotations"]["workspace.kaito.io/revision"] == "2"
        pod = stateful_set["spec"]["template"]["spec"]
        assert pod["imagePullSecrets"] == [{"name": "pull"}]
        assert world.verdicts("inf")["InferenceReady"] == "False", "the new template is not seen by its controller yet"
        revisions = {one["revision"] for one in world.client.objects(CONTROLLER_REVISIONS)}
        assert revisions == {1, 2}
        back = inference_workspace()
        back["inference"]["adapters"] = None
        await world.apply(back)
        assert world.workspace("inf")["metadata"]["annotations"]["workspace.kaito.io/revision"] == "1"


async def test_history_keeps_eleven_revisions() -> None:
    world = World()
    async with world.running():
        await ready(world)
        for number in range(14):
            adapters = [{"source": {"name": f"a{number}", "image": f"r.azurecr.io/a:{number}"}}]
            await world.apply(inference_workspace(adapters=adapters))
        numbers = sorted(one["revision"] for one in world.client.objects(CONTROLLER_REVISIONS))
    assert numbers == list(range(5, 16))


async def test_a_template_is_made_once_and_keeps_the_users_pod() -> None:
    world = World()
    template = {
        "metadata": {"labels": {"mine": "yes"}},
        "spec": {"containers": [{"name": "custom", "image": "x"}], "tolerations": [{"key": "k", "operator": "Exists"}]},
    }
    workspace = inference_workspace(template=template)
    del workspace["inference"]["preset"]
    async with world.running():
        await ready(world, workspace)
        stateful_set = world.client.find(STATEFUL_SETS, "inf", NAMESPACE)
        assert stateful_set is not None
        labels = stateful_set["spec"]["template"]["metadata"]["labels"]
        assert labels == {"mine": "yes", "kaito.sh/workspace": "inf"}
        assert stateful_set["spec"]["template"]["spec"]["tolerations"][0] == {"key": "k", "operator": "Exists"}
        assert world.status("inf")["state"] == "Ready"
        world.client.calls.clear()
        await world.change(PODS, "inf-0", lambda pod: pod["status"].update(phase="Running", x=1))
        assert not world.client.writes()


async def test_nodes_of_the_users_own_are_used_and_no_claims_are_made() -> None:
    world = World(OperatorSettings(node_provisioner="byo"))
    workspace = inference_workspace()
    del workspace["resource"]["instanceType"]
    gpu = {"nvidia.com/gpu.product": "NVIDIA-A100", "nvidia.com/gpu.count": "1", "nvidia.com/gpu.memory": "81920"}
    async with world.running():
        await world.apply(workspace)
        message = world.conditions("inf")["ResourceReady"]["message"]
        assert "no ready nodes found" in message
        assert world.verdicts("inf")["ResourceReady"] == "False", "Kaito says True here"
        world.client.seed(node("mine", {"app": "inf", **gpu}, A100_TYPE))
        await world.settle()
        assert "NodeClaimReady" not in world.conditions("inf")
        assert world.verdicts("inf")["ResourceReady"] == "True"
        await world.start_stateful_set("inf")
        assert world.status("inf")["workerNodes"] == ["mine"]
        assert world.status("inf")["state"] == "Ready"
        assert world.client.objects(NODE_CLAIMS) == []


async def test_an_unknown_preset_that_came_past_admission_is_told_and_not_retried() -> None:
    world = World()
    async with world.running():
        await world.apply(inference_workspace(preset={"name": "falcon-7b"}))
        condition = world.conditions("inf")["ResourceReady"]
        assert condition["status"] == "False"
        assert "failed to get model by name: model is not registered: falcon-7b" in condition["message"]
        assert world.client.objects(NODE_CLAIMS) == []
        reconciles = world.controller.reconciles
        await world.settle(600)
        assert world.controller.reconciles == reconciles


async def test_a_claim_that_cannot_be_made_is_told_by_event_and_condition() -> None:
    world = World()
    async with world.running():
        error = Invalid("metadata.labels: Invalid value", status=422, reason="Invalid")
        world.client.fail(error, verb="create", resource="nodeclaims", times=2)
        await world.apply(inference_workspace())
        assert "metadata.labels: Invalid value" in world.conditions("inf")["WorkspaceSucceeded"]["message"]
        reasons = {event["reason"] for event in world.client.objects(EVENTS)}
        assert "NodeClaimCreationFailed" in reasons
        await world.settle(60)
        assert len(world.client.objects(NODE_CLAIMS)) == 1, "it is tried again"


async def test_a_claims_trouble_is_the_workspaces_message() -> None:
    world = World()
    async with world.running():
        await world.apply(inference_workspace())
        name = world.client.objects(NODE_CLAIMS)[0]["metadata"]["name"]

        def fail(claim: dict[str, Any]) -> None:
            message = "quota of family standardNCADSA100v4Family is used up: 24 of 24 vCPUs"
            condition = {"type": "Launched", "status": "Unknown", "reason": "QuotaExceeded", "message": message}
            claim["status"] = {"conditions": [condition]}

        live = world.client.find(NODE_CLAIMS, name)
        assert live is not None
        fail(live)
        world.client.seed(live)
        await world.settle(1)
        condition = world.conditions("inf")["NodeClaimReady"]
        assert condition["reason"] == "QuotaExceeded"
        assert "24 of 24 vCPUs" in condition["message"]
        assert world.conditions("inf")["ResourceReady"]["message"] == condition["message"]


async def test_gpus_are_waited_for_after_the_node_is_ready() -> None:
    world = World()
    async with world.running():
        await world.apply(inference_workspace())
        claim = world.client.objects(NODE_CLAIMS)[0]
        claim["status"] = {"nodeName": "n", "conditions": [{"type": "Ready", "status": "True"}]}
        world.client.seed(node("n", claim["metadata"]["labels"], A100_TYPE, gpus="0"))
        world.client.seed(claim)
        await world.settle(1)
        assert world.conditions("inf")["NodesReady"]["reason"] == "NodePluginsNotReady"
        assert world.client.find(STATEFUL_SETS, "inf", NAMESPACE) is None
        world.client.seed(node("n", claim["metadata"]["labels"], A100_TYPE))
        await world.settle()
        assert world.client.find(STATEFUL_SETS, "inf", NAMESPACE) is not None


async def test_a_node_that_goes_down_is_noticed_at_once() -> None:
    world = World()
    async with world.running():
        await ready(world)
        down = world.client.objects(NODES)[0]
        down["status"]["conditions"][0]["status"] = "False"
        world.client.seed(down)
        await world.settle()
        assert world.verdicts("inf")["ResourceReady"] == "False"
        assert world.verdicts("inf")["InferenceReady"] == "False"
        assert world.status("inf")["state"] == "NotReady"


async def test_a_deleted_claim_is_replaced_and_a_deleted_stateful_set_made_again() -> None:
    world = World()
    async with world.running():
        await ready(world)
        name = world.client.objects(NODE_CLAIMS)[0]["metadata"]["name"]
        await world.client.delete(NODE_CLAIMS, name)
        await world.settle()
        assert [claim["metadata"]["name"] for claim in world.client.objects(NODE_CLAIMS)] == [name]
        await world.provide_nodes()
        await world.client.delete(STATEFUL_SETS, "inf", NAMESPACE)
        await world.settle()
        assert world.client.find(STATEFUL_SETS, "inf", NAMESPACE) is not None


async def test_a_pods_trouble_is_the_reason_of_inference_ready() -> None:
    world = World()
    async with world.running():
        await ready(world)
        await world.start_stateful_set("inf", ready=False)
        terminated = {"exitCode": 66, "message": "log\nmicrosoft/nope: the hub answered 404"}
        status = {
            "name": "inf",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": terminated},
        }
        await world.change(PODS, "inf-0", lambda pod: pod.update(status={"containerStatuses": [status]}))
        await world.settle(1)
        condition = world.conditions("inf")["InferenceReady"]
    assert condition["reason"] == "ContainerCrashLoopBackOff"
    assert condition["message"] == (
        'container "inf" is in CrashLoopBackOff; last termination: exit code 66: microsoft/nope: the hub answered 404'
    )


@pytest.mark.parametrize(
    "verb, resource", [("create", "services"), ("create", "statefulsets"), ("update", "workspaces")]
)
async def test_a_failed_request_is_tried_again(verb: str, resource: str) -> None:
    world = World()
    async with world.running():
        world.client.fail(ServerError("etcd is away", status=500), verb=verb, resource=resource)
        await world.apply(inference_workspace())
        await world.provide_nodes()
        await world.settle(5)
        await world.start_stateful_set("inf")
        await world.settle(5)
        assert world.status("inf")["state"] == "Ready"
        messages = [one["message"] for one in world.conditions("inf").values()]
        assert not any("last reconcile error" in message for message in messages)


async def test_hand_edited_annotations_are_put_back() -> None:
    world = World()
    async with world.running():
        await ready(world)
        before = world.workspace("inf")["metadata"]["annotations"]
        await world.change(
            WORKSPACES, "inf", lambda live: live["metadata"]["annotations"].update({"workspace.kaito.io/hash": "x"})
        )
        assert world.workspace("inf")["metadata"]["annotations"] == before
        assert len(world.client.objects(CONTROLLER_REVISIONS)) == 1


@pytest.mark.parametrize("kind, resource", [("StatefulSet", STATEFUL_SETS), ("Service", SERVICES)])
async def test_a_strangers_object_of_the_same_name_is_left_alone_and_told(kind: str, resource: Resource) -> None:
    world = World()
    metadata = {"name": "inf", "namespace": NAMESPACE}
    theirs = {"apiVersion": resource.api_version, "kind": kind, "metadata": metadata, "spec": {"replicas": 0}}
    before = world.client.seed(theirs)
    async with world.running():
        await world.apply(inference_workspace())
        await world.provide_nodes()
        assert world.client.find(resource, "inf", NAMESPACE) == before
        message = world.conditions("inf")["InferenceReady"]["message"]
        assert f"{kind} inf exists and is not of this workspace" in message
        assert world.verdicts("inf")["InferenceReady"] == "False"
        await world.client.delete(resource, "inf", NAMESPACE)
        await world.settle()
        assert world.client.find(STATEFUL_SETS, "inf", NAMESPACE) is not None
