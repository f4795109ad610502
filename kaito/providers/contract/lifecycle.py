"""Contract: making, finding and removing nodes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kaito.providers import PROVIDER_API_VERSION, NodeRecord, NodeRequest, NodeState
from kaito.providers.contract.world import ContractWorld, needs
from kaito.providers.errors import InvalidRequest, NotFound

PROMPTLY = 5.0
"""Real seconds within which `create` has to return."""
BAD_NAMES = ["", "abcdefghijklm", "with-dash", "Upper", "1digit", "dot.ted", "ü"]


class LifecycleContract:
    """Cases 1 to 9, 11, 17, 18, 20 of the contract."""

    async def test_a_node_is_made_found_listed_removed_and_gone(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            assert await provider.list() == []
            begun = await provider.create(world.request())
            assert begun.state in {NodeState.PENDING, NodeState.CREATING, NodeState.RUNNING}
            running = await world.until_state(provider, "ws1", NodeState.RUNNING)
            assert [record.name for record in await provider.list()] == ["ws1"]
            assert running.provider_id
            await world.until_gone(provider, "ws1")
            with pytest.raises(NotFound):
                await provider.get("ws1")
            assert await provider.list() == []

    async def test_the_same_request_twice_is_one_node(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            first = await provider.create(world.request())
            again = await provider.create(world.request())
            assert again.name == first.name
            assert again.generation_hash == first.generation_hash
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            await provider.create(world.request())
            assert len(await provider.list()) == 1
            if world.client is not None:
                assert len(await world.nodes()) == 1

    async def test_another_request_of_the_same_name_is_refused(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.create(world.request())
            with pytest.raises(InvalidRequest):
                await provider.create(world.request(disk_gib=256))
            assert (await provider.get("ws1")).disk_gib in {128, None}

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_a_bad_name_is_refused_before_anything_happens(self, world: ContractWorld, name: str) -> None:
        async with world.provider() as provider:
            bad = world.request().model_copy(update={"name": name})
            with pytest.raises(InvalidRequest):
                await provider.create(bad)
            assert await provider.list() == []
            if world.client is not None:
                assert await world.nodes() == []

    @pytest.mark.parametrize("name", ["a", "abcdefghijkl", "ws0"])
    async def test_the_shortest_and_the_longest_name_work(self, world: ContractWorld, name: str) -> None:
        async with world.provider() as provider:
            await provider.create(world.request(name))
            assert (await provider.get(name)).name == name

    async def test_create_returns_promptly_however_long_provisioning_takes(self, world: ContractWorld) -> None:
        async with world.provider(slow=True) as provider:
            async with asyncio.timeout(PROMPTLY):
                record = await provider.create(world.request())
            assert record.state in {NodeState.PENDING, NodeState.CREATING}

    async def test_a_new_instance_sees_everything_and_finishes_it(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.create(world.request("ws1"))
            before = await world.until_state(provider, "ws1", NodeState.RUNNING)
        async with world.provider(slow=True) as provider:
            await provider.create(world.request("ws2"))
        async with world.provider() as provider:
            assert [record.name for record in await provider.list()] == ["ws1", "ws2"]
            assert await provider.get("ws1") == before
            again = await provider.create(world.request("ws2"))
            assert again.generation_hash == world.request("ws2").generation_hash
            await world.until_state(provider, "ws2", NodeState.RUNNING)
            assert len(await provider.list()) == 2
            if world.client is not None:
                assert len(await world.nodes()) == 2

    async def test_removing_twice_and_removing_nothing(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            with pytest.raises(NotFound):
                await provider.delete("nobody")
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            await world.until_gone(provider, "ws1")
            with pytest.raises(NotFound):
                await provider.delete("ws1")

    async def test_a_node_that_is_being_made_can_be_removed(self, world: ContractWorld) -> None:
        async with world.provider(slow=True) as provider:
            await provider.create(world.request())
            await world.until_gone(provider, "ws1")
            await world.advance(world.patience)
            assert await provider.list() == []
            if world.client is not None:
                assert await world.nodes() == []

    async def test_foreign_nodes_are_not_listed(self, world: ContractWorld) -> None:
        from kaito.kube.resources import NODES

        if world.client is None:
            pytest.skip("this world shows no cluster")
        await world.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "local"}})
        async with world.provider() as provider:
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            assert [record.name for record in await provider.list()] == ["ws1"]
            everything = await provider.list(owned_only=False)
            assert {name for record in everything for name in record.node_names} >= {"local"}
            await world.until_gone(provider, "ws1")
        assert [node["metadata"]["name"] for node in await world.nodes()] == ["local"]

    async def test_what_was_asked_for_arrives_unchanged(self, world: ContractWorld) -> None:
        request = world.request()
        async with world.provider() as provider:
            await provider.create(request)
            record = await world.until_state(provider, "ws1", NodeState.RUNNING)
            assert request.labels.items() <= record.labels.items()
            assert set(request.taints) <= set(record.taints)
            assert record.instance_type == request.instance_type
            assert record.generation_hash == request.generation_hash
            (node,) = await world.nodes()
            assert request.labels.items() <= node["metadata"]["labels"].items()
            assert [taint.to_object() for taint in request.taints] == [
                taint for taint in node["spec"]["taints"] if taint["key"] == "sku"
            ]
            assert node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == request.instance_type

    async def test_the_provider_id_is_unique_stable_and_the_nodes(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            ids: dict[str, Any] = {}
            for name in ("ws1", "ws2"):
                await provider.create(world.request(name))
                ids[name] = (await world.until_state(provider, name, NodeState.RUNNING)).provider_id
            assert len(set(ids.values())) == 2
            assert {(await provider.get(name)).provider_id for name in ids} == set(ids.values())
            assert {node["spec"]["providerID"] for node in await world.nodes()} == set(ids.values())

    async def test_many_at_once_all_arrive(self, world: ContractWorld) -> None:
        names = [f"ws{number}" for number in range(8)]
        async with world.provider() as provider:
            limit = provider.info.capabilities.max_nodes
            names = names[:limit]
            await asyncio.gather(*(provider.create(world.request(name)) for name in names))
            for name in names:
                await world.until_state(provider, name, NodeState.RUNNING)
            assert [record.name for record in await provider.list()] == names

    async def test_a_cancelled_create_leaves_nothing_or_a_record(self, world: ContractWorld) -> None:
        async with world.provider(slow=True) as provider:
            task = asyncio.create_task(provider.create(world.request()))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await world.advance(1)
            assert [record.name for record in await provider.list()] in ([], ["ws1"])

    async def test_closing_leaves_no_task(self, world: ContractWorld) -> None:
        before = asyncio.all_tasks()
        async with world.provider(slow=True) as provider:
            await provider.create(world.request())
            await world.advance(1)
        await provider.aclose()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before

    async def test_starting_twice_is_starting_once(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.start()
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            assert len(await provider.list()) == 1

    async def test_records_and_requests_survive_json(self, world: ContractWorld) -> None:
        request = world.request()
        assert NodeRequest.model_validate_json(request.model_dump_json()) == request
        async with world.provider() as provider:
            await provider.create(request)
            record = await world.until_state(provider, "ws1", NodeState.RUNNING)
            assert NodeRecord.model_validate_json(record.model_dump_json()) == record

    async def test_sizes_are_listed_with_the_one_we_use_among_them(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            offers = {offer.name: offer for offer in await provider.list_skus()}
            assert offers[world.instance_type].available
            assert offers[world.instance_type].gpu_count > 0
            assert all(offer.available or offer.reason for offer in offers.values())

    async def test_a_changed_request_is_drift(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            await provider.create(world.request())
            await world.until_state(provider, "ws1", NodeState.RUNNING)
            assert await provider.is_drifted("ws1", world.request()) is None
            assert await provider.is_drifted("ws1", world.request(disk_gib=256))

    async def test_it_says_who_it_is(self, world: ContractWorld) -> None:
        async with world.provider() as provider:
            assert provider.info.name
            assert provider.info.api_version == PROVIDER_API_VERSION
            assert provider.describe()["name"] == provider.info.name

    async def test_slow_provisioning_passes_in_virtual_time(self, world: ContractWorld) -> None:
        async with world.provider(slow=True) as provider:
            needs(provider, "virtual_time")
            async with asyncio.timeout(PROMPTLY):
                await provider.create(world.request())
                await world.until_state(provider, "ws1", NodeState.RUNNING)
