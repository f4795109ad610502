"""Deployments and ReplicaSets: rollouts, history, pause, conditions, adoption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kaito.embedded.controllers.replica_counts import fenceposts, proportional_shares, resolve
from kaito.kube.objects import get_condition
from kaito.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS

Object = dict[str, Any]
NAMES = ["deployment", "replicaset"]


@pytest.fixture
def deployment(world: Any, template: Callable[..., Object]) -> Callable[..., Any]:
    async def make(name: str = "web", *, replicas: int = 3, image: str = "x", ready: str = "yes", **spec: Any) -> None:
        await world.start(NAMES)
        body = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, image=image, ready=ready),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **spec,
        }
        await world.create(DEPLOYMENTS, name, body)
        await world.settle()

    return make


def set_image(world: Any, template: Callable[..., Object], image: str, **annotations: str) -> Any:
    return world.patch(
        DEPLOYMENTS, "web", {"spec": {"template": template("web", image=image, ready="yes", **annotations)}}
    )


def sizes(world: Any) -> dict[str, int]:
    return {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
        for rs in world.client.objects(REPLICA_SETS)
    }


async def test_a_deployment_gets_its_pods_and_conditions(world: Any, deployment: Any) -> None:
    await deployment()
    status = world.get(DEPLOYMENTS, "web")["status"]
    assert {name: status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")} == {
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }
    assert "unavailableReplicas" not in status
    (replica_set,) = world.client.objects(REPLICA_SETS)
    name = replica_set["metadata"]["name"]
    progressing = get_condition(world.get(DEPLOYMENTS, "web"), "Progressing")
    available = get_condition(world.get(DEPLOYMENTS, "web"), "Available")
    assert progressing is not None
    assert available is not None
    assert progressing["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    assert available["message"] == "Deployment has minimum availability."
    assert world.said("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 3"]
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert name == f"web-{digest}"
    assert all(pod["metadata"]["labels"]["pod-template-hash"] == digest for pod in world.pods())
    assert world.get(DEPLOYMENTS, "web")["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}


async def test_what_is_as_it_should_be_is_not_written_again(world: Any, deployment: Any) -> None:
    await deployment()
    before = world.client.writes()
    await world.patch(DEPLOYMENTS, "web", {"metadata": {"labels": {"a": "b"}}})
    await world.settle(700)
    assert world.client.writes() - before == {"patch deployments": 1}


async def test_a_rollout_replaces_every_pod_within_its_bounds(
    world: Any, deployment: Any, template: Callable[..., Object]
) -> None:
    await deployment(replicas=4)
    most, least = 0, 4

    def watch(call: Any) -> None:
        nonlocal most, least
        pods = world.pods()
        most = max(most, len(pods))
        least = min(least, sum(get_condition(pod, "Ready") == get_condition(pods[0], "Ready") for pod in pods))

    world.crash = watch
    await set_image(world, template, "y")
    await world.settle()
    world.crash = lambda call: None
    assert sizes(world) == {"x": 0, "y": 4}
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods()} == {"y"}
    assert most <= 5
    assert world.get(DEPLOYMENTS, "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


async def test_a_rollout_to_pods_that_never_get_ready_stops_and_is_said_to_be_late(
    world: Any, deployment: Any, template: Callable[..., Object]
) -> None:
    await deployment(replicas=4, progressDeadlineSeconds=60)
    await world.patch(DEPLOYMENTS, "web", {"spec": {"template": template("web", image="y", ready="no")}})
    await world.settle(5)
    assert sizes(world) == {"x": 3, "y": 2}
    assert world.get(DEPLOYMENTS, "web")["status"]["availableReplicas"] == 3
    await world.settle(70)
    late = get_condition(world.get(DEPLOYMENTS, "web"), "Progressing")
    assert late is not None
    assert (late["status"], late["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert late["message"].endswith("has timed out progressing.")


async def test_going_back_takes_the_old_replica_set_and_notes_its_history(
    world: Any, deployment: Any, template: Callable[..., Object]
) -> None:
    await deployment()
    await set_image(world, template, "y")
    await world.settle()
    await set_image(world, template, "x")
    await world.settle()
    assert sizes(world) == {"x": 3, "y": 0}
    first = next(r for r in world.client.objects(REPLICA_SETS) if r["spec"]["replicas"])
    annotations = first["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"


async def test_old_replica_sets_beyond_the_limit_are_deleted(
    world: Any, deployment: Any, template: Callable[..., Object]
) -> None:
    await deployment(revisionHistoryLimit=1)
    for image in ("y", "z", "w"):
        await set_image(world, template, image)
        await world.settle()
    assert sizes(world) == {"z": 0, "w": 3}


async def test_recreate_ends_all_old_pods_first(world: Any, deployment: Any, template: Callable[..., Object]) -> None:
    await deployment(strategy={"type": "Recreate"})
    images: list[set[str]] = []
    world.crash = lambda call: images.append({p["spec"]["containers"][0]["image"] for p in world.pods()})
    await set_image(world, template, "y")
    await world.settle()
    world.crash = lambda call: None
    assert {"x", "y"} not in images
    assert sizes(world) == {"x": 0, "y": 3}


async def test_a_paused_deployment_is_scaled_but_not_rolled(
    world: Any, deployment: Any, template: Callable[..., Object]
) -> None:
    await deployment()
    await world.patch(DEPLOYMENTS, "web", {"spec": {"paused": True, "replicas": 5}})
    await set_image(world, template, "y")
    await world.settle()
    assert sizes(world) == {"x": 5}
    paused = get_condition(world.get(DEPLOYMENTS, "web"), "Progressing")
    assert paused is not None
    assert paused["reason"] == "DeploymentPaused"
    await world.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    await world.settle()
    assert sizes(world) == {"x": 0, "y": 5}


async def test_a_lost_pod_is_replaced_and_a_finished_one_too(world: Any, deployment: Any) -> None:
    await deployment(replicas=2)
    gone, ended = world.names()
    await world.client.delete(PODS, gone, "default")
    await world.kubelet.end(world.get(PODS, ended), 1)
    await world.settle()
    active = world.pods(lambda pod: pod["status"]["phase"] == "Running")
    assert len(active) == 2
    assert gone not in world.names()


async def test_a_replica_set_adopts_matching_orphans_and_releases_what_no_longer_matches(
    world: Any, template: Callable[..., Object]
) -> None:
    await world.start(NAMES)
    await world.create(PODS, "orphan", template("web")["spec"], labels={"app": "web"})
    await world.create(
        REPLICA_SETS,
        "web",
        {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template("web")},
    )
    await world.settle()
    assert len(world.pods()) == 2
    assert world.get(PODS, "orphan")["metadata"]["ownerReferences"][0]["name"] == "web"
    await world.patch(PODS, "orphan", {"metadata": {"labels": {"app": "other"}}})
    await world.settle()
    assert len(world.pods()) == 3
    assert not world.get(PODS, "orphan")["metadata"].get("ownerReferences")


async def test_pods_that_are_not_ready_go_first_when_a_replica_set_shrinks(
    world: Any, template: Callable[..., Object]
) -> None:
    await world.start(NAMES)
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template("web")}
    await world.create(REPLICA_SETS, "web", spec)
    await world.settle()
    victim = world.pods()[1]
    await world.kubelet.set_status(victim, "Running", "False")
    await world.patch(REPLICA_SETS, "web", {"spec": {"replicas": 2}})
    await world.settle()
    assert victim["metadata"]["name"] not in world.names()


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [("25%", "25%", 4, (1, 1)), ("25%", "25%", 3, (1, 0)), (0, 0, 5, (0, 1)), (0, "10%", 5, (0, 1)), (3, 9, 2, (3, 2))],
)
def test_surge_rounds_up_and_unavailable_down(surge: Any, unavailable: Any, replicas: int, expected: Any) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    spec = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    assert fenceposts({"spec": spec}) == expected


def test_percentages_and_numbers_are_resolved() -> None:
    assert resolve("50%", 3, round_up=True) == 2
    assert resolve("50%", 3, round_up=False) == 1
    assert resolve(2, 100, round_up=True) == 2


def test_growth_in_mid_rollout_is_shared_in_proportion_and_adds_up() -> None:
    annotations = {"deployment.kubernetes.io/max-replicas": "12"}
    old = {"metadata": {"name": "old", "annotations": annotations}, "spec": {"replicas": 8}}
    new = {"metadata": {"name": "new", "annotations": annotations}, "spec": {"replicas": 4}}
    deployment = {"spec": {"replicas": 20, "strategy": {"rollingUpdate": {"maxSurge": 4, "maxUnavailable": 0}}}}
    shares = proportional_shares(deployment, [old, new])
    assert shares == {"old": 16, "new": 8}
