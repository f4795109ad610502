"""StatefulSets: names and order, storage, revisions, partitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kaito.kube.resources import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS

Object = dict[str, Any]


@pytest.fixture
def stateful_set(world: Any, template: Callable[..., Object]) -> Callable[..., Any]:
    async def make(*, replicas: int = 3, **spec: Any) -> None:
        await world.start(["statefulset"])
        body = {
            "replicas": replicas,
            "serviceName": "headless",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template("db"),
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            **spec,
        }
        await world.create(STATEFUL_SETS, "db", body)
        await world.settle()

    return make


def images(world: Any) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in world.pods()]


async def test_pods_have_ordinals_a_host_name_and_the_labels_of_their_place(world: Any, stateful_set: Any) -> None:
    await stateful_set()
    assert world.kubelet.started == ["db-0", "db-1", "db-2"]
    pod = world.get(PODS, "db-1")
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "headless")
    labels = pod["metadata"]["labels"]
    assert labels["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert labels["apps.kubernetes.io/pod-index"] == "1"
    (revision,) = world.client.objects(CONTROLLER_REVISIONS)
    assert labels["controller-revision-hash"] == revision["metadata"]["name"]
    assert world.get(STATEFUL_SETS, "db")["status"] == {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "availableReplicas": 3,
        "currentRevision": revision["metadata"]["name"],
        "updateRevision": revision["metadata"]["name"],
        "collisionCount": 0,
    }


async def test_in_strict_order_a_pod_waits_for_the_one_before_it(
    world: Any, stateful_set: Any, template: Callable[..., Object]
) -> None:
    await stateful_set(template=template("db", ready="no"))
    assert world.names() == ["db-0"]
    await world.kubelet.set_status(world.get(PODS, "db-0"), "Running", "True")
    await world.settle()
    assert world.names() == ["db-0", "db-1"]


async def test_in_parallel_all_start_at_once(world: Any, stateful_set: Any, template: Callable[..., Object]) -> None:
    await stateful_set(podManagementPolicy="Parallel", template=template("db", ready="no"))
    assert world.names() == ["db-0", "db-1", "db-2"]


async def test_the_highest_ordinals_go_first(world: Any, stateful_set: Any) -> None:
    await stateful_set()
    await world.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 1}})
    await world.settle()
    assert world.names() == ["db-0"]
    assert world.said("SuccessfulDelete") == [
        "delete Pod db-2 in StatefulSet db successful",
        "delete Pod db-1 in StatefulSet db successful",
    ]


async def test_a_new_template_is_rolled_from_the_top_down_to_the_partition(
    world: Any, stateful_set: Any, template: Callable[..., Object]
) -> None:
    await stateful_set()
    update = {"updateStrategy": {"rollingUpdate": {"partition": 2}}, "template": template("db", image="y")}
    await world.patch(STATEFUL_SETS, "db", {"spec": update})
    await world.settle()
    assert images(world) == ["x", "x", "y"]
    status = world.get(STATEFUL_SETS, "db")["status"]
    assert status["currentRevision"] != status["updateRevision"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
    await world.client.delete(PODS, "db-0", "default")
    await world.settle()
    assert images(world) == ["x", "x", "y"]
    await world.patch(STATEFUL_SETS, "db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    await world.settle()
    assert images(world) == ["y", "y", "y"]
    status = world.get(STATEFUL_SETS, "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert status["currentReplicas"] == 3


async def test_with_on_delete_pods_change_only_when_they_are_deleted(
    world: Any, stateful_set: Any, template: Callable[..., Object]
) -> None:
    await stateful_set(updateStrategy={"type": "OnDelete"})
    await world.patch(STATEFUL_SETS, "db", {"spec": {"template": template("db", image="y")}})
    await world.settle()
    assert images(world) == ["x", "x", "x"]
    await world.client.delete(PODS, "db-1", "default")
    await world.settle()
    assert images(world) == ["x", "y", "x"]


async def test_going_back_moves_the_old_revision_to_the_end(
    world: Any, stateful_set: Any, template: Callable[..., Object]
) -> None:
    await stateful_set()
    for image in ("y", "x"):
        await world.patch(STATEFUL_SETS, "db", {"spec": {"template": template("db", image=image)}})
        await world.settle()
    revisions = world.client.objects(CONTROLLER_REVISIONS)
    assert sorted(each["revision"] for each in revisions) == [2, 3]
    assert images(world) == ["x", "x", "x"]


async def test_every_pod_gets_its_claims_and_they_stay(world: Any, stateful_set: Any) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    await stateful_set(replicas=2, volumeClaimTemplates=[claim])
    names = sorted(each["metadata"]["name"] for each in world.client.objects(PERSISTENT_VOLUME_CLAIMS))
    assert names == ["data-db-0", "data-db-1"]
    assert world.get(PODS, "db-1")["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1", "readOnly": False}}
    ]
    await world.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 1}})
    await world.settle()
    assert not world.get(PERSISTENT_VOLUME_CLAIMS, "data-db-1")["metadata"].get("ownerReferences")


async def test_the_retention_policy_ties_claims_to_the_set_or_to_a_condemned_pod(world: Any, stateful_set: Any) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    await stateful_set(replicas=2, volumeClaimTemplates=[claim], persistentVolumeClaimRetentionPolicy=policy)
    await world.settle()

    def owner(name: str) -> str:
        return str(world.get(PERSISTENT_VOLUME_CLAIMS, name)["metadata"]["ownerReferences"][0]["kind"])

    assert (owner("data-db-0"), owner("data-db-1")) == ("StatefulSet", "StatefulSet")
    world.client.fail(_refusal(), verb="delete", resource="pods")
    await world.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 1}})
    await world.settle(0)
    assert (owner("data-db-0"), owner("data-db-1")) == ("StatefulSet", "Pod")


def _refusal() -> Any:
    from kaito.kube.errors import ServerError

    return ServerError("later", status=500)


async def test_a_failed_pod_is_recreated_under_its_name(world: Any, stateful_set: Any) -> None:
    await stateful_set()
    before = world.get(PODS, "db-1")["metadata"]["uid"]
    await world.kubelet.end(world.get(PODS, "db-1"), 1)
    await world.settle()
    assert world.get(PODS, "db-1")["metadata"]["uid"] != before
    assert world.said("RecreatingFailedPod") == ["StatefulSet default/db is recreating failed Pod db-1"]


async def test_ordinals_may_start_elsewhere(world: Any, stateful_set: Any) -> None:
    await stateful_set(replicas=2, ordinals={"start": 5})
    assert world.names() == ["db-5", "db-6"]


async def test_what_is_as_it_should_be_is_not_written_again(world: Any, stateful_set: Any) -> None:
    await stateful_set()
    before = world.client.writes()
    await world.patch(STATEFUL_SETS, "db", {"metadata": {"labels": {"a": "b"}}})
    await world.settle(60)
    assert world.client.writes() - before == {"patch statefulsets": 1}
