"""Contract: faults are told by their class, and stay visible. Only for providers that can be made to fail."""

from __future__ import annotations

import pytest

from kaito.providers import Fault, FaultInjectable, FaultKind, NodeRecord, NodeState, Provider
from kaito.providers.contract.world import ContractWorld, needs
from kaito.providers.errors import CapacityUnavailable, NotFound, ProviderError, QuotaExceeded

GPU = "nvidia.com/gpu"
CREATE_FAULTS = sorted(kind for kind in FaultKind if Fault(kind=kind).raises_on_create)


async def arm(provider: Provider, fault: Fault) -> None:
    """Inject a fault, or skip the case where the provider takes none."""
    if not isinstance(provider, FaultInjectable):
        pytest.skip(f"{provider.info.name} takes no faults")
    await provider.inject(fault)


def gpus(record: NodeRecord) -> int:
    """GPUs that the record shows."""
    return int(record.capacity.get(GPU, "0"))


class TroubleContract:
    """Cases 7, 12 to 16, 19 of the contract."""

    @pytest.mark.parametrize("kind", CREATE_FAULTS)
    async def test_a_refused_request_has_its_class_and_leaves_nothing(
        self, world: ContractWorld, kind: FaultKind
    ) -> None:
        async with world.provider() as provider:
            fault = Fault(kind=kind, retry_after=7)
            await arm(provider, fault)
            expected = fault.error_class
            assert expected is not None
            with pytest.raises(expected) as caught:
                await provider.create(world.request())
            assert caught.value.retry_after == 7
            assert "ws1" in caught.value.message
            assert await provider.list() == []
            await provider.create(world.request())  # the fault was for one request

    async def test_a_quota_error_carries_its_numbers(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await arm(provider, Fault(kind=FaultKind.QUOTA))
            with pytest.raises(QuotaExceeded) as caught:
                await provider.create(world.request())
            assert (caught.value.limit, caught.value.usage, caught.value.required) != (None, None, None)

    @pytest.mark.parametrize("kind", [FaultKind.CAPACITY, FaultKind.SKU_UNAVAILABLE, FaultKind.PROVISION_FAILED])
    async def test_a_later_failure_stays_on_the_record_until_it_is_deleted(
        self, world: ContractWorld, kind: FaultKind
    ) -> None:
        async with world.provider() as provider:
            fault = Fault(kind=kind, asynchronous=True)
            await arm(provider, fault)
            begun = await provider.create(world.request())
            assert begun.last_error is None
            failed = await world.until_state(provider, "ws1", NodeState.FAILED)
            assert failed.last_error is not None
            assert fault.error_class is not None
            assert failed.last_error.reason == fault.error_class.reason
            await world.advance(60)
            assert (await provider.get("ws1")).state == NodeState.FAILED
            await world.until_gone(provider, "ws1")
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)

    async def test_when_capacity_runs_out_exactly_the_first_ones_arrive(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            needs(provider, "partial_capacity")
            await arm(provider, Fault(kind=FaultKind.CAPACITY, skip=2, times=None))
            outcomes: list[bool] = []
            for number in range(4):
                try:
                    await provider.create(world.request(f"ws{number}"))
                    outcomes.append(True)
                except CapacityUnavailable:
                    outcomes.append(False)
            assert outcomes == [True, True, False, False]
            assert len(await provider.list()) == 2

    async def test_gpus_appear_after_the_node_and_a_plugin_may_never_start(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await arm(provider, Fault(kind=FaultKind.PLUGIN_NEVER_READY, target="ws2"))
            for name in ("ws1", "ws2"):
                await provider.create(world.request(name))
                await world.until_state(provider, name, NodeState.RUNNING)

            async def shown() -> bool:
                return gpus(await provider.get("ws1")) > 0

            await world.until(shown, "ws1 shows GPUs")
            await world.advance(120)
            assert gpus(await provider.get("ws2")) == 0
            assert (await provider.get("ws2")).state == NodeState.RUNNING

    async def test_lost_gpus_are_seen(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.create(world.request())

            async def shown() -> bool:
                return gpus(await provider.get("ws1")) > 0

            await world.until_state(provider, "ws1", NodeState.RUNNING)
            await world.until(shown, "ws1 shows GPUs")
            await arm(provider, Fault(kind=FaultKind.GPU_LOST))
            await world.advance(60)
            assert gpus(await provider.get("ws1")) == 0

    @pytest.mark.parametrize("kind", [FaultKind.NODE_LOSS, FaultKind.SPOT_EVICTION])
    async def test_a_vanished_machine_is_seen(self, world: ContractWorld, kind: FaultKind) -> None:
        async with world.provider() as provider:
            needs(provider, "spot" if kind is FaultKind.SPOT_EVICTION else "node_loss")
            spot = kind is FaultKind.SPOT_EVICTION
            await provider.create(world.request(capacity_type="spot" if spot else "on-demand"))
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            await arm(provider, Fault(kind=kind, seconds=30 if spot else 0))

            async def gone() -> bool:
                return await provider.list() == []

            await world.until(gone, "the machine is no longer listed")
            with pytest.raises(NotFound):
                await provider.get("ws1")

    async def test_a_deletion_that_fails_can_be_tried_again(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            await arm(provider, Fault(kind=FaultKind.DELETE_FAILS))
            with pytest.raises(ProviderError):
                await provider.delete("ws1")
            assert (await provider.get("ws1")).state == NodeState.RUNNING
            await world.until_gone(provider, "ws1")

    async def test_a_stuck_deletion_is_seen_and_ends(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            await arm(provider, Fault(kind=FaultKind.DELETE_STUCK, seconds=90))
            await provider.delete("ws1")
            assert (await provider.get("ws1")).state == NodeState.DELETING
            await provider.delete("ws1")  # triggered already: nothing to say
            await world.until_gone(provider, "ws1")

    async def test_cleared_faults_do_not_strike(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await arm(provider, Fault(kind=FaultKind.QUOTA, times=None))
            assert isinstance(provider, FaultInjectable)
            await provider.clear()
            await provider.create(world.request())

    async def test_errors_carry_no_secret(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await arm(provider, Fault(kind=FaultKind.UNAUTHORIZED))
            with pytest.raises(ProviderError) as caught:
                await provider.create(world.request(tags={"token": "s3cr3t"}))
            assert "s3cr3t" not in str(caught.value) + caught.value.raw + repr(provider.describe())
