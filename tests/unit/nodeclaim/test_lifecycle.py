"""A claim's way from new to Ready."""

from __future__ import annotations

from kaito.operator.nodeclaim import NodeClaimSettings
from kaito.providers import Fault, FaultKind
from tests.unit.nodeclaim.clusters import Cluster, claim


async def test_a_claim_becomes_ready_step_by_step() -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim())
        await cluster.wait(1)
        assert cluster.claim()["metadata"]["finalizers"] == ["karpenter.sh/termination"]
        assert cluster.condition("Launched") == (
            "Unknown",
            "Provisioning",
            "fake-gpu is making a Standard_NC6s_v3",
        )
        assert cluster.condition("Ready")[:2] == ("Unknown", "UnhealthyDependents")
        assert cluster.nodes() == []
        await cluster.wait(60)
        for kind in ("Launched", "Registered", "Initialized", "Ready"):
            assert cluster.condition(kind) == ("True", kind, "")
        status, node = cluster.claim()["status"], cluster.node()
        assert status["nodeName"] == node["metadata"]["name"]
        assert status["providerID"] == node["spec"]["providerID"]
        assert status["capacity"]["nvidia.com/gpu"] == "1"


async def test_the_node_carries_what_the_claim_says() -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim(startupTaints=[{"key": "starting", "effect": "NoSchedule"}]))
        await cluster.wait(60)
        node = cluster.node()
        found = node["metadata"]["labels"]
        assert found["app"] == "x"
        assert found["kaito.sh/workspace"] == "ws"
        assert found["karpenter.sh/registered"] == "true"
        assert node["metadata"]["finalizers"] == ["karpenter.sh/termination"]
        assert node["metadata"]["ownerReferences"][0]["uid"] == cluster.claim()["metadata"]["uid"]
        assert {one["key"] for one in node["spec"]["taints"]} == {"sku", "starting"}
        assert cluster.condition("Initialized") == (
            "Unknown",
            "StartupTaintsExist",
            'StartupTaint "starting:NoSchedule" still exists',
        )
        from kaito.kube.resources import NODES

        await cluster.client.patch(NODES, node["metadata"]["name"], {"spec": {"taints": claim()["spec"]["taints"]}})
        await cluster.wait(1)
        assert cluster.condition("Ready")[0] == "True"
        assert cluster.node()["metadata"]["labels"]["karpenter.sh/initialized"] == "true"


async def test_the_claim_learns_the_labels_of_its_machine_and_keeps_its_own() -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim())
        await cluster.wait(60)
        found = cluster.claim()["metadata"]["labels"]
        assert found["node.kubernetes.io/instance-type"] == "Standard_NC6s_v3"
        assert found["karpenter.sh/capacity-type"] == "on-demand"
        assert found["app"] == "x"


async def test_a_ready_claim_is_not_written_again() -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim())
        await cluster.wait(100)
        cluster.client.calls.clear()
        await cluster.wait(100)
        assert cluster.client.writes() == {}


async def test_a_claim_takes_few_writes() -> None:
    async with Cluster(provision_seconds=0, plugin_seconds=0).running() as cluster:
        await cluster.apply(claim())
        await cluster.wait(30)
        assert cluster.condition("Ready")[0] == "True"
        writes = cluster.client.writes()
        assert writes["patch nodeclaims"] <= 2
        assert writes["patch nodeclaims/status"] <= 4
        assert sum(writes.values()) <= 14, writes


async def test_a_requested_resource_that_never_comes_keeps_the_claim_uninitialized() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.PLUGIN_NEVER_READY))
        await cluster.apply(claim(resources={"requests": {"storage": "87Gi", "nvidia.com/gpu": "1"}}))
        await cluster.wait(300)
        assert cluster.condition("Initialized") == (
            "Unknown",
            "ResourceNotRegistered",
            'Resource "nvidia.com/gpu" was requested but not registered',
        )


async def test_a_node_that_never_gets_ready_says_so() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.NEVER_READY))
        await cluster.apply(claim())
        await cluster.wait(300)
        assert cluster.condition("Registered")[0] == "True"
        assert cluster.condition("Initialized") == ("Unknown", "NodeNotReady", "Node status is NotReady")


async def test_a_machine_without_a_node_stays_provisioning() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.NEVER_REGISTERS))
        await cluster.apply(claim())
        await cluster.wait(3600)
        assert cluster.condition("Launched")[:2] == ("Unknown", "Provisioning")


async def test_two_nodes_of_one_machine_are_refused() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.DUPLICATE_NODE))
        await cluster.apply(claim())
        await cluster.wait(60)
        assert cluster.condition("Registered") == (
            "False",
            "MultipleNodesFound",
            "Invariant violated, matched multiple nodes",
        )
        assert cluster.condition("Ready")[0] == "False"


async def test_a_claim_of_another_karpenter_is_left_alone() -> None:
    async with Cluster().running() as cluster:
        foreign = claim()
        foreign["metadata"]["labels"] = {}
        foreign["spec"]["nodeClassRef"]["group"] = "karpenter.azure.com"
        await cluster.apply(foreign)
        await cluster.wait(60)
        assert "finalizers" not in cluster.claim()["metadata"]
        assert cluster.nodes() == []


async def test_the_liveness_limits_delete_a_claim_that_does_not_come() -> None:
    async with Cluster(NodeClaimSettings(launch_timeout=300)).running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.NEVER_REGISTERS))
        await cluster.apply(claim())
        await cluster.wait(200)
        assert cluster.claim()
        await cluster.wait(200)
        from kaito.kube.resources import NODE_CLAIMS

        assert cluster.client.find(NODE_CLAIMS, "ws1") is None
        assert await cluster.provider.list() == []
