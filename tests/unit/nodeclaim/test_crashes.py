"""The process dies before each of its API calls in turn; a new one must finish the work and make nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.kube.errors import Unreachable
from kaito.kube.fake import WRITES, Call
from kaito.kube.resources import CONFIG_MAPS, EVENTS, NODE_CLAIMS
from tests.unit.nodeclaim.clusters import Cluster, claim

MOST_CALLS = 200


class Death:
    """Lets `calls` writes through and none after them: what a dead process reads does not matter."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.dead = False

    def __call__(self, call: Call) -> None:
        if call.verb in WRITES and call.resource != EVENTS.plural:
            if self.left == 0:
                self.dead = True
            self.left -= 1
            if self.dead:
                raise Unreachable("the process is dead")


async def until_death(cluster: Cluster, death: Death, seconds: float) -> None:
    """Run until the process dies or `seconds` have passed."""
    cluster.client.before_call = death
    async with cluster.running():
        waited = 0.0
        while not death.dead and waited < seconds:
            await cluster.wait(5)
            waited += 5
    cluster.client.before_call = None


@pytest.mark.parametrize("options", [{}, {"provision_seconds": 0, "plugin_seconds": 0}], ids=["slow", "at-once"])
async def test_a_claim_becomes_ready_wherever_the_process_died(options: dict[str, Any]) -> None:
    crashes = 0
    for calls in range(MOST_CALLS):
        cluster = Cluster(**options)
        await cluster.apply(claim())
        death = Death(calls)
        await until_death(cluster, death, 120)
        async with cluster.running():
            await cluster.wait(120)
            assert cluster.condition("Ready")[0] == "True", f"after {calls} writes"
            assert len(cluster.nodes()) == 1, f"after {calls} writes"
            assert len(await cluster.provider.list()) == 1
            assert cluster.client.objects(CONFIG_MAPS) == []
        if not death.dead:
            break
        crashes += 1
    assert 5 <= crashes < MOST_CALLS


@pytest.mark.parametrize("options", [{}, {"deprovision_seconds": 20}], ids=["at-once", "slow"])
async def test_a_claim_goes_wherever_the_process_died(options: dict[str, Any]) -> None:
    crashes = 0
    for calls in range(MOST_CALLS):
        cluster = Cluster(**options)
        await cluster.apply(claim())
        async with cluster.running():
            await cluster.wait(60)
        await cluster.delete()
        death = Death(calls)
        await until_death(cluster, death, 120)
        async with cluster.running():
            await cluster.wait(300)
            assert cluster.client.objects(NODE_CLAIMS) == [], f"after {calls} writes"
            assert cluster.nodes() == [], f"after {calls} writes"
            assert await cluster.provider.list() == []
        if not death.dead:
            break
        crashes += 1
    assert 3 <= crashes < MOST_CALLS


async def test_a_claim_deleted_while_it_is_made_goes_wherever_the_process_died() -> None:
    for calls in range(MOST_CALLS):
        cluster = Cluster()
        await cluster.apply(claim())
        death = Death(calls)
        await until_death(cluster, death, 60)
        if cluster.client.find(NODE_CLAIMS, "ws1") is not None:
            await cluster.delete()
        async with cluster.running():
            await cluster.wait(400)
            assert cluster.client.objects(NODE_CLAIMS) == [], f"after {calls} writes"
            assert cluster.nodes() == [], f"after {calls} writes"
            assert cluster.client.objects(CONFIG_MAPS) == [], f"after {calls} writes"
        if not death.dead:
            return
    pytest.fail("it never ended by itself")
