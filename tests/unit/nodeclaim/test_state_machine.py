"""Random histories of claims, faults, crashes and time: whatever happened, quiet time leads to one of two ends."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaito.kube.errors import Conflict, ServerError
from kaito.kube.resources import CONFIG_MAPS, NODE_CLAIMS, NODES
from kaito.providers import Fault, FaultKind
from kaito.providers.errors import Transient
from tests.unit.nodeclaim.clusters import Cluster, claim

NAMES = ("ws1", "ws2")
STRIKES = (FaultKind.NODE_LOSS, FaultKind.SPOT_EVICTION, FaultKind.GPU_LOST)
ARMED = (
    FaultKind.QUOTA,
    FaultKind.CAPACITY,
    FaultKind.THROTTLED,
    FaultKind.IN_PROGRESS,
    FaultKind.TRANSIENT,
    FaultKind.PROVISION_FAILED,
    FaultKind.SLOW,
    FaultKind.DELETE_FAILS,
    FaultKind.DELETE_STUCK,
)

steps = st.one_of(
    st.tuples(st.just("claim"), st.sampled_from(NAMES)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("delete-node"), st.sampled_from(NAMES)),
    st.tuples(st.just("fault"), st.sampled_from(ARMED)),
    st.tuples(st.just("strike"), st.sampled_from(STRIKES)),
    st.tuples(st.just("conflicts"), st.integers(1, 3)),
    st.tuples(st.just("errors"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 5, 25, 60])),
    st.tuples(st.just("restart"), st.none()),
)


async def take(cluster: Cluster, step: str, value: Any) -> None:
    """One event of a history."""
    if step == "claim" and cluster.client.find(NODE_CLAIMS, value) is None:
        await cluster.apply(claim(value))
    elif step == "delete" and cluster.client.find(NODE_CLAIMS, value) is not None:
        await cluster.delete(value)
    elif step == "delete-node":
        for node in cluster.nodes():
            if node["metadata"]["labels"].get("agentpool") == value:
                await cluster.client.delete(NODES, node["metadata"]["name"])
    elif step == "fault":
        await cluster.provider.inject(Fault(kind=value, seconds=30))
    elif step == "strike":
        with contextlib.suppress(Transient):  # the armed API errors may hit the fault itself
            await cluster.provider.inject(Fault(kind=value, seconds=10))
    elif step == "conflicts":
        cluster.client.fail(Conflict("changed", status=409), verb="patch", resource="nodeclaims", times=value)
    elif step == "errors":
        cluster.client.fail(ServerError("no", status=500), verb="patch", resource="nodes", times=value)
    elif step == "wait":
        await cluster.wait(value)


def expect_settled(cluster: Cluster) -> None:
    """Every claim has ended: Ready with exactly one Node, or refused for good; nothing else is left."""
    claims = {one["metadata"]["name"]: one for one in cluster.client.objects(NODE_CLAIMS)}
    names = []
    for name in claims:
        ready, reason = cluster.condition("Ready", name)[0], cluster.condition("Launched", name)[1]
        assert ready == "True" or reason == "ProvisioningFailed", (name, cluster.claim(name)["status"])
        if ready == "True":
            names.append(cluster.claim(name)["status"]["nodeName"])
    assert sorted(node["metadata"]["name"] for node in cluster.nodes()) == sorted(names)
    for record in cluster.client.objects(CONFIG_MAPS):
        assert record["metadata"]["name"].removeprefix("fake-gpu-") in claims


async def play(history: list[tuple[str, Any]]) -> None:
    """A history, then an hour of quiet."""
    cluster = Cluster()
    position = 0
    while position <= len(history):
        async with cluster.running():
            while position < len(history) and history[position][0] != "restart":
                await take(cluster, *history[position])
                position += 1
            position += 1
            if position > len(history):
                cluster.client._failures.clear()
                await cluster.provider.clear()
                await cluster.wait(3600)
                expect_settled(cluster)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=12))
def test_every_history_settles(history: list[tuple[str, Any]]) -> None:
    asyncio.run(play(history))
