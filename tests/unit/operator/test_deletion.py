"""Deleting a workspace takes its nodes and workloads along, then lets it go."""

from __future__ import annotations

from kaito.kube.resources import (
    CONTROLLER_REVISIONS,
    JOBS,
    NODE_CLAIMS,
    PODS,
    SERVICES,
    STATEFUL_SETS,
    WORKSPACES,
)
from tests.unit.operator.test_tuning_flow import served
from tests.unit.operator.world import NAMESPACE, World, inference_workspace, tuning_workspace


async def test_everything_is_gone_when_the_workspace_is() -> None:
    world = World()
    async with world.running():
        await served(world)
        await world.client.delete(WORKSPACES, "tune", NAMESPACE)
        await world.settle()
        assert world.client.find(WORKSPACES, "tune", NAMESPACE) is None
        for resource in (NODE_CLAIMS, PODS, JOBS, STATEFUL_SETS, SERVICES, CONTROLLER_REVISIONS):
            assert world.client.objects(resource) == []


async def test_the_workspace_stays_until_its_node_claims_are_gone_and_says_so() -> None:
    world = World()
    async with world.running():
        await world.apply(tuning_workspace())
        claim = world.client.objects(NODE_CLAIMS)[0]
        claim["metadata"]["finalizers"] = ["karpenter.sh/termination"]
        world.client.seed(claim)
        await world.settle()
        await world.client.delete(WORKSPACES, "tune", NAMESPACE)
        await world.settle()
        condition = world.conditions("tune")["WorkspaceDeleting"]
        assert condition["status"] == "True"
        assert f"NodeClaim {claim['metadata']['name']}" in condition["message"]
        left = world.client.objects(NODE_CLAIMS)[0]
        assert left["metadata"]["deletionTimestamp"]
        left["metadata"]["finalizers"] = []
        await world.client.update(NODE_CLAIMS, left)
        await world.settle()
        assert world.client.find(WORKSPACES, "tune", NAMESPACE) is None


async def test_another_workspaces_nodes_and_the_users_pods_are_left_alone() -> None:
    world = World()
    async with world.running():
        await served(world)
        await world.apply(inference_workspace())
        await world.provide_nodes()
        await world.start_stateful_set("inf")
        labels = {"kaito.sh/workspace": "tune"}
        metadata = {"name": "own", "namespace": NAMESPACE, "labels": labels}
        world.client.seed({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}})
        await world.client.delete(WORKSPACES, "tune", NAMESPACE)
        await world.settle()
        assert world.client.find(WORKSPACES, "tune", NAMESPACE) is None
        assert world.client.find(PODS, "own", NAMESPACE) is not None
        assert world.client.find(STATEFUL_SETS, "inf", NAMESPACE) is not None
        assert len(world.client.objects(NODE_CLAIMS)) == 1


async def test_a_workspace_deleted_before_its_first_pass_goes_without_a_trace() -> None:
    world = World()
    workspace = tuning_workspace()
    workspace["metadata"]["finalizers"] = ["workspace.finalizer.kaito.sh"]
    world.client.seed(workspace)
    await world.client.delete(WORKSPACES, "tune", NAMESPACE)
    async with world.running():
        assert world.client.find(WORKSPACES, "tune", NAMESPACE) is None
        assert world.client.objects(NODE_CLAIMS) == []
