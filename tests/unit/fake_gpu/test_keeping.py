"""Two write a Node's taints: the provider, and whoever registers the Node."""

from __future__ import annotations

from kaito_fake_gpu.keeping import MachineKeeper
from kaito_fake_gpu.options import Options

from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.resources import NODES
from kaito.providers import NodeRequest, Owner

UNREGISTERED = {"key": "karpenter.sh/unregistered", "effect": "NoExecute"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


async def test_lifting_not_ready_never_brings_back_a_taint_that_was_removed_meanwhile() -> None:
    clock = VirtualClock()
    client = FakeClient(clock=clock)
    keeper = MachineKeeper(client, clock, Options(substrate="simulated", provision_seconds=0, plugin_seconds=0))
    owner = Owner(kind="NodeClaim", name="one", uid="u")
    request = NodeRequest(name="one", owner=owner, instance_type="Standard_NC6s_v3", disk_gib=10)
    made = await keeper.register(request, created_at=clock.now(), traits=frozenset())
    name = made["metadata"]["name"]
    stale = await client.patch(NODES, name, {"spec": {"taints": [UNREGISTERED, NOT_READY]}})
    await client.patch(NODES, name, {"spec": {"taints": [NOT_READY]}})  # registration

    assert await keeper.keep({"kind": "Node", **stale}) is None

    assert (await client.get(NODES, name))["spec"]["taints"] == [NOT_READY]
    await keeper.keep({"kind": "Node", **await client.get(NODES, name)})
    assert (await client.get(NODES, name))["spec"].get("taints", []) == []
