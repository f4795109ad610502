"""What the provider refuses, as the claim tells it; and when it is asked again."""

from __future__ import annotations

import pytest

from kaito.kube.resources import EVENTS, NODE_CLAIMS
from kaito.providers import Fault, FaultKind
from kaito.providers.errors import CLASSES
from tests.unit.nodeclaim.clusters import Cluster, claim

RETRIED = [
    (FaultKind.QUOTA, "QuotaExceeded", 600),
    (FaultKind.SKU_UNAVAILABLE, "SkuNotAvailable", 3600),
    (FaultKind.CAPACITY, "InsufficientCapacity", 180),
    (FaultKind.THROTTLED, "Throttled", 30),
    (FaultKind.IN_PROGRESS, "WaitingForOperation", 30),
    (FaultKind.TRANSIENT, "TransientProviderError", 1),
]


@pytest.mark.parametrize(("kind", "reason", "delay"), RETRIED)
async def test_a_refusal_is_told_and_tried_again_when_its_class_says(
    kind: FaultKind, reason: str, delay: float
) -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=kind))
        await cluster.apply(claim())
        await cluster.wait(delay * 0.2)
        status, found, message = cluster.condition("Launched")
        assert (status, found) == ("Unknown", reason)
        assert "ws1" in message
        assert await cluster.provider.list() == []
        await cluster.wait(delay + 60)
        assert cluster.condition("Ready")[0] == "True"


@pytest.mark.parametrize(
    ("kind", "reason"), [(FaultKind.UNAUTHORIZED, "ProviderUnauthorized"), (FaultKind.POLICY, "ProviderUnauthorized")]
)
async def test_refused_credentials_are_false_and_looked_at_slowly(kind: FaultKind, reason: str) -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=kind))
        await cluster.apply(claim())
        await cluster.wait(200)
        assert cluster.condition("Launched")[:2] == ("False", reason)
        await cluster.wait(200)
        assert cluster.condition("Ready")[0] == "True"


async def test_what_the_provider_asked_to_wait_is_kept() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.THROTTLED, retry_after=100))
        await cluster.apply(claim())
        await cluster.wait(90)
        assert cluster.condition("Launched")[1] == "Throttled"
        await cluster.wait(60)
        assert cluster.condition("Ready")[0] == "True"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"requirements": []}, "spec.requirements"),
        ({"resources": {}}, "spec.resources.requests.storage"),
        ({"resources": {"requests": {"storage": "much"}}}, "spec.resources.requests.storage"),
        ({"resources": {"requests": {"storage": "0"}}}, "spec.resources.requests.storage"),
    ],
)
async def test_a_claim_that_can_never_work_names_the_field_and_is_not_retried(
    change: dict[str, object], field: str
) -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim(**change))
        await cluster.wait(10)
        status, reason, message = cluster.condition("Launched")
        assert (status, reason) == ("False", "InvalidNodeRequest")
        assert message.startswith(field)
        cluster.client.calls.clear()
        await cluster.wait(1000)
        assert cluster.client.writes() == {}


async def test_a_name_that_no_agent_pool_can_have_is_refused() -> None:
    async with Cluster().running() as cluster:
        await cluster.apply(claim("much-too-long-and-dashed"))
        await cluster.wait(10)
        assert cluster.condition("Launched", "much-too-long-and-dashed")[:2] == ("False", "InvalidNodeRequest")


async def test_a_machine_that_fails_is_removed_and_begun_once_more() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.PROVISION_FAILED))
        await cluster.apply(claim())
        await cluster.wait(200)
        assert cluster.condition("Ready")[0] == "True"
        assert len(cluster.nodes()) == 1


async def test_a_machine_that_fails_twice_is_left_as_it_is() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.PROVISION_FAILED, times=None))
        await cluster.apply(claim())
        await cluster.wait(2000)
        status, reason, message = cluster.condition("Launched")
        assert (status, reason) == ("False", "ProvisioningFailed")
        assert message.endswith("(2 attempts)")


async def test_a_late_lack_of_capacity_backs_off_as_an_early_one() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.CAPACITY, asynchronous=True))
        await cluster.apply(claim())
        await cluster.wait(60)
        assert cluster.condition("Launched")[:2] == ("Unknown", "InsufficientCapacity")
        assert await cluster.provider.list() == []
        await cluster.wait(300)
        assert cluster.condition("Ready")[0] == "True"


async def test_errors_are_events_on_the_claim() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.QUOTA))
        await cluster.apply(claim())
        await cluster.wait(5)
        events = [one for one in cluster.client.objects(EVENTS) if one["reason"] == "QuotaExceeded"]
        assert [one["type"] for one in events] == ["Warning"]
        assert events[0]["involvedObject"]["kind"] == "NodeClaim"


async def test_only_some_of_many_claims_get_a_machine_when_capacity_runs_out() -> None:
    async with Cluster().running() as cluster:
        await cluster.provider.inject(Fault(kind=FaultKind.CAPACITY, skip=2, times=None))
        for number in range(4):
            await cluster.apply(claim(f"ws{number}"))
        await cluster.wait(120)
        ready = [cluster.condition("Ready", f"ws{number}")[0] == "True" for number in range(4)]
        assert sum(ready) == 2
        assert len(cluster.client.objects(NODE_CLAIMS)) == 4


def test_every_error_class_has_a_reason_that_a_condition_can_carry() -> None:
    import re

    for one in CLASSES:
        assert re.fullmatch("[A-Za-z]+", one.reason), one
