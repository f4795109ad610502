"""The end of a claim: drained, removed, forgotten; and what vanishes by itself."""

from __future__ import annotations

import pytest

from kaito.kube.errors import Throttled
from kaito.kube.resources import CONFIG_MAPS, NODE_CLAIMS, NODES, PODS
from kaito.providers import Fault, FaultKind, NodeRequest, Owner
from tests.unit.nodeclaim.clusters import Cluster, claim, pod


async def ready(cluster: Cluster) -> None:
    """One claim, Ready."""
    await cluster.apply(claim())
    await cluster.wait(60)
    assert cluster.condition("Ready")[0] == "True"


def expect_nothing_left(cluster: Cluster) -> None:
    """No claim, no Node, no record of a machine."""
    assert cluster.client.objects(NODE_CLAIMS) == []
    assert cluster.nodes() == []
    assert cluster.client.objects(CONFIG_MAPS) == []


async def test_a_deleted_claim_takes_its_node_along() -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        await cluster.delete()
        await cluster.wait(30)
        expect_nothing_left(cluster)


async def test_deletion_is_quick() -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        await cluster.delete()
        await cluster.wait(0.1)
        expect_nothing_left(cluster)


async def test_a_machine_that_takes_time_to_end_is_waited_for() -> None:
    async with Cluster(deprovision_seconds=90).running() as cluster:
        await ready(cluster)
        await cluster.delete()
        await cluster.wait(60)
        assert cluster.condition("InstanceTerminating")[0] == "True"
        await cluster.wait(60)
        expect_nothing_left(cluster)


async def test_pods_are_evicted_first_but_not_those_that_stay_anyway() -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        name = cluster.node()["metadata"]["name"]
        owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
        for one in (
            pod("server", name, finalizers=["example.com/hold"]),
            pod("daemon", name, ownerReferences=[owner]),
            pod("mirror", name, annotations={"kubernetes.io/config.mirror": "x"}),
            pod("elsewhere", "local"),
        ):
            await cluster.client.create(PODS, one)
        await cluster.delete()
        await cluster.wait(10)
        evicted = [call.name for call in cluster.client.calls if call.subresource == "eviction"]
        assert evicted == ["server"]
        assert {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"} in cluster.node()["spec"]["taints"]
        assert cluster.condition("Drained")[:2] == ("Unknown", "Draining")
        assert "default/server" in cluster.condition("Drained")[2]
        await cluster.client.patch(PODS, "server", {"metadata": {"finalizers": []}}, "default")
        await cluster.wait(10)
        assert cluster.client.objects(NODE_CLAIMS) == []
        assert cluster.nodes() == []


async def test_a_disruption_budget_delays_and_the_grace_period_ends_the_delay() -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim(terminationGracePeriod="2m"))
        await cluster.wait(60)
        await cluster.client.create(PODS, pod("server", cluster.node()["metadata"]["name"]))
        await cluster.wait(1)
        refusal = Throttled("Cannot evict pod as it would violate the pod's disruption budget.", status=429)
        cluster.client.fail(refusal, verb="create", resource="pods", name="server", times=10_000)
        await cluster.delete()
        await cluster.wait(100)
        assert cluster.pods() == ["server"]
        await cluster.wait(60)
        assert cluster.pods() == []
        expect_nothing_left(cluster)


async def test_a_claim_deleted_before_its_node_appears_leaks_no_machine() -> None:
    async with Cluster(provision_seconds=600).running() as cluster:
        await cluster.apply(claim())
        await cluster.wait(10)
        assert len(await cluster.provider.list()) == 1
        await cluster.delete()
        await cluster.wait(1000)
        expect_nothing_left(cluster)


async def test_a_claim_that_was_refused_can_be_deleted() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.QUOTA, times=None))
        await cluster.apply(claim())
        await cluster.wait(10)
        await cluster.delete()
        await cluster.wait(10)
        expect_nothing_left(cluster)


async def test_a_provider_that_fails_to_delete_is_asked_again() -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        await cluster.provider.inject(Fault(kind=FaultKind.DELETE_FAILS, times=3))
        await cluster.delete()
        await cluster.wait(2)
        assert cluster.condition("InstanceTerminating")[:2] == ("Unknown", "TransientProviderError")
        await cluster.wait(60)
        expect_nothing_left(cluster)


async def test_a_deleted_node_takes_its_claim_along() -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        await cluster.client.delete(NODES, cluster.node()["metadata"]["name"])
        await cluster.wait(30)
        expect_nothing_left(cluster)


@pytest.mark.parametrize("kind", [FaultKind.NODE_LOSS, FaultKind.SPOT_EVICTION])
async def test_a_vanished_machine_takes_its_claim_along(kind: FaultKind) -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        await cluster.client.create(PODS, pod("server", cluster.node()["metadata"]["name"], finalizers=["x.y/z"]))
        await cluster.provider.inject(Fault(kind=kind, seconds=30))
        await cluster.wait(60)
        expect_nothing_left(cluster)


async def test_a_node_that_stays_unready_is_replaced_after_ten_minutes() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.NEVER_READY))
        await cluster.apply(claim())
        await cluster.wait(500)
        assert cluster.claim()
        await cluster.wait(300)
        expect_nothing_left(cluster)


async def test_a_machine_without_a_claim_is_collected_but_not_when_it_is_young() -> None:
    async with Cluster().running() as cluster:
        await cluster.wait(110)
        for name, at in (("old1", 0.0), ("young1", 9.5)):
            await cluster.wait(at)
            await cluster.provider.create(
                NodeRequest(
                    name=name,
                    owner=Owner(kind="NodeClaim", name=name, uid=name),
                    instance_type="Standard_NC6s_v3",
                    disk_gib=10,
                )
            )
        await cluster.wait(25)  # the sweep at 120 s found both too young
        assert {record.name for record in await cluster.provider.list()} == {"old1", "young1"}
        await cluster.wait(120)
        assert await cluster.provider.list() == []


async def test_a_machine_of_somebody_else_is_never_collected() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.create(
            NodeRequest(
                name="mine", owner=Owner(kind="Person", name="me"), instance_type="Standard_NC6s_v3", disk_gib=10
            )
        )
        await cluster.wait(1000)
        assert [record.name for record in await cluster.provider.list()] == ["mine"]


async def test_a_claim_whose_finalizer_was_taken_away_leaves_nothing_for_long() -> None:
    async with Cluster().running() as cluster:
        await ready(cluster)
        await cluster.client.patch(NODE_CLAIMS, "ws1", {"metadata": {"finalizers": []}})
        await cluster.delete()
        await cluster.wait(300)
        expect_nothing_left(cluster)
