"""Conditions of recorded workspaces, when they begin and when they are done, against ours of the same workspaces."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.kube.resources import NAMESPACES, STATEFUL_SETS
from kaito.operator.settings import OperatorSettings
from tests.unit.operator.recordings import FOLDER, case, workspace_of
from tests.unit.operator.world import World, config_map

INFERENCE = [
    *("del-inf", "inf-adapter-volume", "inf-adapters-strength-tfs", "inf-gptoss20b", "inf-image-family", "inf-lb"),
    *("inf-mistral7b", "inf-phi3-a10", "inf-phi4-b1", "inf-sel-empty", "inf-sel-expr", "inf-template", "inf-tfs"),
    *("inf-qwencoder7b-a10x2", "inf-two-nodes-lora", "inf-template-count2"),
]
TUNING = ["tune-lora", "tune-qlora", "tune-vol"]
OURS = ("WorkspaceReady",)
KAITOS = ("BenchmarkCompleted",)


def cases(names: list[str]) -> list[Any]:
    missing = [name for name in names if not (FOLDER / f"{name}.json.gz").exists()]
    reason = "no recorded runs in ../shared/conformance/kaito-live"
    return [pytest.param(name, marks=pytest.mark.skip(reason=reason)) if name in missing else name for name in names]


def facts(status: dict[str, Any], *left_out: str) -> list[tuple[str, str, str, str]]:
    return [
        (one["type"], one["status"], one["reason"], one["message"])
        for one in status["conditions"]
        if one["type"] not in left_out
    ]


def first_and_last(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first status with conditions that a recorded workspace had, and the last before it was deleted."""
    workspace = workspace_of(name)["metadata"]["name"]
    history = [
        entry["status"]
        for entry in case(name)["history"]
        if entry["name"] == workspace and (entry["status"] or {}).get("conditions") and not entry["deletionTimestamp"]
    ]
    return history[0], history[-1]


def recorded_world(name: str) -> tuple[World, dict[str, Any]]:
    """A world with the ConfigMaps that the recorded manifests bring along, and the workspace."""
    settings = OperatorSettings(model_flavor="full", mirrors_config_map=None, serve_after_tuning=False)
    world = World(settings)
    for applied in case(name)["applied"]:
        manifest = applied["manifest"]
        if manifest["kind"] == "ConfigMap":
            world.client.seed(manifest)
    workspace = workspace_of(name)
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        workspace["metadata"].pop(field, None)
    workspace["metadata"]["namespace"] = "default"
    world.client.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}, NAMESPACES)
    return world, workspace


@pytest.mark.parametrize("name", cases(INFERENCE))
async def test_inference_begins_and_ends_with_the_recorded_conditions(name: str) -> None:
    begin, end = first_and_last(name)
    world, workspace = recorded_world(name)
    own = workspace["metadata"]["name"]
    async with world.running():
        await world.apply(workspace)
        assert facts(world.status(own), *OURS) == facts(begin, *KAITOS)
        assert world.status(own)["targetNodeCount"] == end["targetNodeCount"]
        await world.provide_nodes()

        def ready(live: dict[str, Any]) -> None:
            replicas = live["spec"]["replicas"]
            live["status"] = {"observedGeneration": live["metadata"]["generation"], "readyReplicas": replicas}

        await world.change(STATEFUL_SETS, own, ready)
        assert facts(world.status(own), *OURS) == facts(end, *KAITOS)
        assert world.status(own)["state"] == end["state"]
        assert len(world.status(own)["workerNodes"]) == len(end["workerNodes"])


@pytest.mark.parametrize("name", cases(TUNING))
async def test_tuning_begins_and_ends_with_the_recorded_conditions(name: str) -> None:
    begin, end = first_and_last(name)
    world, workspace = recorded_world(name)
    own = workspace["metadata"]["name"]
    world.client.seed(config_map("unused", "default", ""))
    async with world.running():
        await world.apply(workspace)
        assert facts(world.status(own), *OURS) == facts(begin)
        await world.provide_nodes()
        await world.run_job(own)
        assert world.status(own)["state"] == "Running"
        await world.finish_job(own)
        assert facts(world.status(own), *OURS) == facts(end)
        assert world.status(own)["state"] == end["state"] == "Succeeded"
