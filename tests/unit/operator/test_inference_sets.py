"""InferenceSets: as many workspaces as asked for, by hand-played controllers around the real two."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.kube.errors import ServerError
from kaito.kube.resources import CONTROLLER_REVISIONS, INFERENCE_SETS, STATEFUL_SETS, WORKSPACES
from kaito.operator.inferenceset import add_inference_set_controller
from kaito.operator.inferenceset.status import is_ready, surplus
from kaito.operator.manifests.inference_set import inference_set_hash, replica_workspace
from tests.unit.operator.recordings import FOLDER, case
from tests.unit.operator.world import A100_TYPE, NAMESPACE, World


def inference_set(replicas: int = 2, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"tl": "1"}, "annotations": {"ta": "1"}},
        "resource": {"instanceType": A100_TYPE},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "InferenceSet",
        "metadata": {"name": "set", "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "labelSelector": {"matchLabels": {"apps": "set"}},
            "template": template,
            **spec,
        },
    }


def set_world() -> World:
    world = World()
    add_inference_set_controller(world.manager, world.settings)
    return world


async def all_ready(world: World) -> None:
    await world.provide_nodes()
    for workspace in world.client.objects(WORKSPACES):
        if world.client.find(STATEFUL_SETS, workspace["metadata"]["name"], NAMESPACE):
            await world.start_stateful_set(workspace["metadata"]["name"])


def status(world: World) -> dict[str, Any]:
    found = world.client.find(INFERENCE_SETS, "set", NAMESPACE)
    assert found is not None
    return found.get("status") or {}


async def scale(world: World, replicas: int) -> None:
    await world.change(INFERENCE_SETS, "set", lambda live: live["spec"].update(replicas=replicas))


async def test_replicas_are_made_counted_and_scaled() -> None:
    world = set_world()
    async with world.running():
        world.client.seed(inference_set())
        await world.settle()
        workspaces = world.client.objects(WORKSPACES)
        assert len(workspaces) == 2
        assert workspaces[0]["metadata"]["labels"] == {"tl": "1", "inferenceset.kaito.sh/created-by": "set"}
        assert workspaces[0]["metadata"]["annotations"]["ta"] == "1"
        assert status(world)["conditions"][0]["message"] == "inferenceset is not ready, 0/2 replicas are ready"
        await all_ready(world)
        assert status(world)["conditions"][0]["message"] == "inferenceset is ready"
        assert (status(world)["replicas"], status(world)["readyReplicas"]) == (2, 2)
        assert status(world)["selector"] == "inferenceset.kaito.sh/created-by=set"
        await scale(world, 3)
        await all_ready(world)
        assert status(world)["readyReplicas"] == 3
        await scale(world, 1)
        assert len(world.client.objects(WORKSPACES)) == 1
        assert (status(world)["replicas"], status(world)["readyReplicas"]) == (1, 1)


async def test_a_replica_is_served_under_the_name_of_the_set() -> None:
    world = set_world()
    async with world.running():
        world.client.seed(inference_set(1))
        await world.settle()
        await all_ready(world)
        command = world.client.objects(STATEFUL_SETS)[0]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[command.index("--served-model-name") + 1] == "set"


async def test_labels_reach_workspaces_that_are_there_and_nothing_else_does() -> None:
    world = set_world()
    async with world.running():
        world.client.seed(inference_set(1))
        await world.settle()

        def edit(live: dict[str, Any]) -> None:
            live["spec"]["template"]["metadata"]["labels"]["new"] = "2"
            live["spec"]["template"]["inference"]["preset"]["name"] = "phi-4"

        await world.change(INFERENCE_SETS, "set", edit)
        workspace = world.client.objects(WORKSPACES)[0]
        assert workspace["metadata"]["labels"]["new"] == "2"
        assert workspace["inference"]["preset"]["name"] == "phi-4-mini-instruct"
        revisions = [one for one in world.client.objects(CONTROLLER_REVISIONS) if "Spec" in one["data"]]
        assert sorted(one["revision"] for one in revisions) == [1, 2]


async def test_a_deleted_replica_is_replaced_and_a_deleted_set_takes_all_along() -> None:
    world = set_world()
    async with world.running():
        world.client.seed(inference_set())
        await world.settle()
        gone = world.client.objects(WORKSPACES)[0]["metadata"]["name"]
        await world.client.delete(WORKSPACES, gone, NAMESPACE)
        await world.settle()
        assert len(world.client.objects(WORKSPACES)) == 2
        await world.client.delete(INFERENCE_SETS, "set", NAMESPACE)
        await world.settle()
        assert world.client.objects(WORKSPACES) == []
        assert world.client.find(INFERENCE_SETS, "set", NAMESPACE) is None


async def test_a_failed_creation_is_tried_again_without_a_second_workspace() -> None:
    world = set_world()
    async with world.running():
        world.client.fail(ServerError("etcd is away", status=500), verb="create", resource="workspaces", times=3)
        world.client.seed(inference_set())
        await world.settle(5)
        assert len(world.client.objects(WORKSPACES)) == 2


@given(st.lists(st.booleans(), max_size=8), st.integers(0, 8))
def test_ready_workspaces_go_last_and_exactly_the_surplus_goes(readiness: list[bool], desired: int) -> None:
    workspaces = [
        {
            "metadata": {"name": f"w{number}", "creationTimestamp": f"2026-01-01T00:00:{number:02}Z"},
            "status": {"conditions": [{"type": "WorkspaceSucceeded", "status": str(ready)}]},
        }
        for number, ready in enumerate(readiness)
    ]
    gone = surplus(workspaces, desired)
    assert len(gone) == max(0, len(workspaces) - desired)
    kept = [one for one in workspaces if one not in gone]
    assert sum(map(is_ready, kept)) == min(sum(readiness), desired) or len(kept) < desired


@pytest.mark.skipif(not (FOLDER / "iset-2.json.gz").exists(), reason="no recorded runs in ../shared/conformance")
def test_hash_and_workspaces_are_those_of_the_recorded_run() -> None:
    recorded = case("iset-2")
    objects = recorded["objects_as_first_seen"]
    hashes = 0
    for entry in objects["ControllerRevision"]:
        digest = (entry["object"]["metadata"].get("annotations") or {}).get("inferenceset.kaito.io/hash")
        if digest:
            spec = json.loads(json.dumps(entry["object"]["data"]["Spec"], sort_keys=True))
            del spec["template"]["inference"]["preset"]["presetOptions"]
            assert inference_set_hash({"spec": spec}) == digest
            hashes += 1
    assert hashes
    stored = recorded["applied"][0]["response"]
    theirs = objects["Workspace"][0]["object"]
    ours = replica_workspace(stored, 0)
    theirs["resource"].pop("count")
    theirs["inference"]["preset"].pop("presetOptions")
    for field in ("uid", "resourceVersion", "creationTimestamp", "generation", "generateName", "name"):
        theirs["metadata"].pop(field)
        ours["metadata"].pop(field, None)
    assert ours == theirs
