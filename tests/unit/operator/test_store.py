"""Own writes can be read back before the informer shows them, and are forgotten when it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.informer import Informer
from kaito.kube.objects import Key
from kaito.kube.resources import CONFIG_MAPS, PODS
from kaito.operator.workspace.store import AHEAD_SECONDS, Store
from kaito.operator.workspace.wiring import by_pod_label

OWNER = Key("d", "w")


def pod(name: str, **extra: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "d", "labels": {"kaito.sh/workspace": "w"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, **extra}


class Setup:
    def __init__(self, *objects: dict[str, Any]) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(*objects, clock=self.clock)
        self.informers = [Informer(self.client, resource, clock=self.clock) for resource in (PODS, CONFIG_MAPS)]
        self.store = Store(self.client, self.clock, self.informers, {PODS: by_pod_label})

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """While this lasts the informers follow the server; outside they stand still."""
        tasks = [asyncio.create_task(informer.run()) for informer in self.informers]
        await self.clock.settle(50)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_created_object_is_there_at_once_in_every_view() -> None:
    setup = Setup()
    await setup.store.create(PODS, pod("a"))
    assert setup.store.get(PODS, "a", "d") is not None
    assert [one["metadata"]["name"] for one in setup.store.of(PODS, OWNER)] == ["a"]
    assert [one["metadata"]["name"] for one in setup.store.all(PODS)] == ["a"]
    assert setup.store.of(PODS, Key("d", "other")) == []


async def test_an_updated_object_is_newer_than_what_the_informer_shows() -> None:
    setup = Setup(pod("a"))
    async with setup.following():
        pass
    shown = setup.store.get(PODS, "a", "d")
    assert shown is not None
    await setup.store.update(PODS, {**shown, "spec": {"x": 1}})
    assert (setup.store.get(PODS, "a", "d") or {})["spec"] == {"x": 1}
    assert setup.store.of(PODS, OWNER)[0]["spec"] == {"x": 1}


async def test_what_others_did_meanwhile_is_seen_when_the_informer_shows_it() -> None:
    setup = Setup(pod("a"))
    async with setup.following():
        shown = setup.store.get(PODS, "a", "d")
        assert shown is not None
        mine = await setup.store.update(PODS, {**shown, "spec": {"x": 1}})
        await setup.client.update(PODS, {**mine, "spec": {"x": 2}})
        await setup.clock.settle(50)
        assert (setup.store.get(PODS, "a", "d") or {})["spec"] == {"x": 2}


async def test_a_deletion_by_others_is_seen() -> None:
    setup = Setup()
    async with setup.following():
        await setup.store.create(PODS, pod("a"))
        await setup.client.delete(PODS, "a", "d")
        await setup.clock.settle(50)
        assert setup.store.get(PODS, "a", "d") is None
        assert setup.store.of(PODS, OWNER) == []


async def test_an_own_write_is_not_believed_for_ever() -> None:
    setup = Setup()
    await setup.store.create(PODS, pod("a"))
    await setup.clock.advance(AHEAD_SECONDS + 1)
    assert setup.store.get(PODS, "a", "d") is None


async def test_own_versions_are_known_and_others_are_not() -> None:
    setup = Setup(pod("b"))
    mine = await setup.store.create(PODS, pod("a"))
    theirs = setup.client.find(PODS, "b", "d")
    assert theirs is not None
    assert setup.store.is_own(PODS, mine)
    assert not setup.store.is_own(PODS, theirs)


async def test_a_relabelled_object_leaves_its_group_at_once() -> None:
    setup = Setup(pod("a"))
    async with setup.following():
        pass
    shown = setup.store.of(PODS, OWNER)[0]
    await setup.store.patch(PODS, shown, {"metadata": {"labels": {"kaito.sh/workspace": None}}})
    assert setup.store.of(PODS, OWNER) == []


async def test_deleting_twice_and_deleting_a_namesake_are_harmless() -> None:
    setup = Setup(pod("a"))
    async with setup.following():
        shown = setup.store.get(PODS, "a", "d")
        assert shown is not None
        await setup.store.delete(PODS, shown)
        await setup.store.delete(PODS, shown)
        assert setup.client.find(PODS, "a", "d") is None
