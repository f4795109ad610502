"""The contract suite catches providers that are broken on purpose."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from kaito.kube.resources import NODES
from kaito.providers import (
    Fault,
    FaultKind,
    NodeRecord,
    NodeRequest,
    NodeState,
    Provider,
    ProviderInfo,
    SkuOffer,
)
from kaito.providers.contract import ContractWorld, ProviderContract
from kaito.providers.errors import NotFound, Transient
from tests.unit.fake_gpu.worlds import fake_world


class Wrapped(Provider):
    """A provider that hands everything to another one."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    @property
    def info(self) -> ProviderInfo:
        return self.inner.info  # type: ignore[no-any-return]

    async def start(self) -> None:
        await self.inner.start()

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def list_skus(self) -> list[SkuOffer]:
        return await self.inner.list_skus()  # type: ignore[no-any-return]

    async def create(self, request: NodeRequest) -> NodeRecord:
        return await self.inner.create(request)  # type: ignore[no-any-return]

    async def get(self, name: str) -> NodeRecord:
        return await self.inner.get(name)  # type: ignore[no-any-return]

    async def list(self, *, owned_only: bool = True) -> Any:
        return await self.inner.list(owned_only=owned_only)

    async def delete(self, name: str) -> None:
        await self.inner.delete(name)

    async def inject(self, fault: Fault) -> None:
        await self.inner.inject(fault)

    async def clear(self) -> None:
        await self.inner.clear()


class DoubleCreate(Wrapped):
    """Makes a second machine when it is asked twice."""

    async def create(self, request: NodeRequest) -> NodeRecord:
        if any(record.name == request.name for record in await self.inner.list()):
            other = request.model_copy(update={"name": f"{request.name}b"[:12]})
            return await self.inner.create(other)  # type: ignore[no-any-return]
        return await super().create(request)


class SwallowsNotFound(Wrapped):
    """Never says that a node is gone."""

    async def delete(self, name: str) -> None:
        try:
            await super().delete(name)
        except NotFound:
            return


class BlockingCreate(Wrapped):
    """Waits for the Node."""

    async def create(self, request: NodeRequest) -> NodeRecord:
        record = await super().create(request)
        while record.state is not NodeState.RUNNING:
            await asyncio.sleep(0.05)
            record = await super().get(request.name)
        return record


class LeakingList(Wrapped):
    """Does not list what has no Node."""

    async def list(self, *, owned_only: bool = True) -> Any:
        return [record for record in await super().list() if record.node_names]


class ForgetsLabels(Wrapped):
    """Loses the labels."""

    async def create(self, request: NodeRequest) -> NodeRecord:
        return await super().create(request.model_copy(update={"labels": {}}))


class ChecksTooLate(Wrapped):
    """Makes the machine before it looks at the name."""

    async def create(self, request: NodeRequest) -> NodeRecord:
        await self.inner._client.create(
            NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"half-{request.name or 'empty'}"}}
        )
        return await super().create(request)


class TellsNothing(Wrapped):
    """Turns every error into a Transient."""

    async def create(self, request: NodeRequest) -> NodeRecord:
        try:
            return await super().create(request)
        except Exception as error:
            raise Transient("something went wrong") from error


class HidesFailures(Wrapped):
    """A failed machine is made to look as if it were still coming."""

    async def get(self, name: str) -> NodeRecord:
        record = await super().get(name)
        if record.state is NodeState.FAILED:
            return record.model_copy(update={"state": NodeState.CREATING, "last_error": None})
        return record


class NeverCloses(Wrapped):
    """Leaves its tasks running."""

    async def aclose(self) -> None:
        return


class SeesGhosts(Wrapped):
    """Keeps a cache instead of reading the truth."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.cache: dict[str, NodeRecord] = {}

    async def get(self, name: str) -> NodeRecord:
        try:
            self.cache[name] = await super().get(name)
        except NotFound:
            if name not in self.cache:
                raise
        return self.cache[name]


CAUGHT: list[tuple[Callable[[Any], Provider], str]] = [
    (DoubleCreate, "test_the_same_request_twice_is_one_node"),
    (SwallowsNotFound, "test_a_node_is_made_found_listed_removed_and_gone"),
    (SwallowsNotFound, "test_removing_twice_and_removing_nothing"),
    (BlockingCreate, "test_create_returns_promptly_however_long_provisioning_takes"),
    (LeakingList, "test_a_new_instance_sees_everything_and_finishes_it"),
    (ForgetsLabels, "test_what_was_asked_for_arrives_unchanged"),
    (ChecksTooLate, "test_a_bad_name_is_refused_before_anything_happens"),
    (TellsNothing, "test_another_request_of_the_same_name_is_refused"),
    (TellsNothing, "test_a_quota_error_carries_its_numbers"),
    (HidesFailures, "test_a_later_failure_stays_on_the_record_until_it_is_deleted"),
    (NeverCloses, "test_closing_leaves_no_task"),
    (SeesGhosts, "test_a_node_is_made_found_listed_removed_and_gone"),
]


CATCHES = (AssertionError, TimeoutError, Transient, pytest.fail.Exception)


def arguments_of(case: str) -> dict[str, Any]:
    """What a parametrized case is called with here."""
    known = {"kind": FaultKind.CAPACITY, "name": "1digit"}
    return {key: known[key] for key in inspect.signature(getattr(ProviderContract, case)).parameters if key in known}


@pytest.mark.parametrize(("mutant", "case"), CAUGHT, ids=lambda value: getattr(value, "__name__", value))
async def test_a_broken_provider_is_caught(mutant: Any, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import kaito.providers.contract.lifecycle as lifecycle

    monkeypatch.setattr(lifecycle, "PROMPTLY", 0.3)
    world = fake_world(mutant)
    world.patience = 900
    arguments = arguments_of(case)
    before = asyncio.all_tasks()
    with pytest.raises(CATCHES):
        await getattr(ProviderContract(), case)(world, **arguments)
    for task in asyncio.all_tasks() - before:
        task.cancel()


async def test_the_same_cases_pass_for_the_provider_itself() -> None:
    for case in sorted({case for _, case in CAUGHT}):
        await getattr(ProviderContract(), case)(fake_world(Wrapped), **arguments_of(case))


def test_every_case_of_the_contract_takes_a_world() -> None:
    cases = [name for name in dir(ProviderContract) if name.startswith("test_")]
    assert len(cases) >= 30
    assert all("world" in inspect.signature(getattr(ProviderContract, case)).parameters for case in cases)
    assert ContractWorld.__doc__
