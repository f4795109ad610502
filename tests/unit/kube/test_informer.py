"""Informers keep a true copy through additions, changes, deletions and lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kaito.kube.clock import VirtualClock
from kaito.kube.errors import Gone, Unreachable
from kaito.kube.fake import FakeClient
from kaito.kube.informer import Change, Informer
from kaito.kube.objects import Key, key_of
from kaito.kube.resources import CONFIG_MAPS


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("did not come true")


async def test_handlers_see_each_change_with_the_state_before_it() -> None:
    client = FakeClient(config_map("first", a="1"))
    informer = Informer(client, CONFIG_MAPS)
    seen: list[Change] = []
    informer.add_handler(seen.append)
    running = asyncio.create_task(informer.run())
    await informer.synced.wait()
    await client.patch(CONFIG_MAPS, "first", {"data": {"a": "2"}}, "default")
    await client.create(CONFIG_MAPS, config_map("second"))
    await client.delete(CONFIG_MAPS, "first", "default")
    await until(lambda: len(seen) == 4)
    assert [(change.type, change.object["metadata"]["name"]) for change in seen] == [
        ("ADDED", "first"),
        ("MODIFIED", "first"),
        ("ADDED", "second"),
        ("DELETED", "first"),
    ]
    assert seen[1].old is not None
    assert seen[1].old["data"] == {"a": "1"}
    assert informer.get("first", "default") is None
    running.cancel()


async def test_an_index_follows_changes_and_deletions() -> None:
    client = FakeClient(config_map("one", color="red"), config_map("two", color="red"))
    informer = Informer(client, CONFIG_MAPS)
    informer.add_index("color", lambda obj: [obj["data"]["color"]])
    running = asyncio.create_task(informer.run())
    await informer.synced.wait()
    assert [obj["metadata"]["name"] for obj in informer.by_index("color", "red")] == ["one", "two"]
    await client.patch(CONFIG_MAPS, "one", {"data": {"color": "blue"}}, "default")
    await client.delete(CONFIG_MAPS, "two", "default")
    await until(lambda: not informer.by_index("color", "red"))
    assert [obj["metadata"]["name"] for obj in informer.by_index("color", "blue")] == ["one"]
    running.cancel()


async def test_a_lost_connection_is_taken_up_again_with_backoff_and_nothing_is_missed() -> None:
    clock = VirtualClock()
    client = FakeClient(config_map("one"), clock=clock)
    client.fail(Unreachable("no route"), verb="list", times=3)
    informer = Informer(client, CONFIG_MAPS, clock=clock)
    running = asyncio.create_task(informer.run())
    await clock.advance(0.1)
    assert not informer.synced.is_set()
    await clock.advance(5)
    assert informer.get("one", "default") is not None
    assert sum(call.verb == "list" for call in client.calls) == 4
    running.cancel()


async def test_a_forgotten_version_means_a_new_list_that_also_finds_deletions() -> None:
    client = FakeClient(config_map("one"), config_map("two"))
    client.fail(Gone("too old", status=410, reason="Expired"), verb="watch")
    informer = Informer(client, CONFIG_MAPS)
    deleted: list[Key] = []
    informer.add_handler(lambda change: deleted.append(key_of(change.object)) if change.type == "DELETED" else None)

    def delete_behind_its_back(call: Any) -> None:
        if call.verb == "watch" and not deleted:
            client._objects.pop(("configmaps", "default", "two"), None)

    client.before_call = delete_behind_its_back
    running = asyncio.create_task(informer.run())
    await until(lambda: deleted == [Key("default", "two")])
    assert informer.get("one", "default") is not None
    running.cancel()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["set", "delete"]), st.sampled_from("abcd"), st.text(max_size=3))))
async def test_the_copy_equals_the_server_after_any_sequence(operations: list[tuple[str, str, str]]) -> None:
    client = FakeClient()
    informer = Informer(client, CONFIG_MAPS)
    running = asyncio.create_task(informer.run())
    for operation, name, value in operations:
        existing = client.find(CONFIG_MAPS, name, "default")
        if operation == "set" and existing is None:
            await client.create(CONFIG_MAPS, config_map(name, value=value))
        elif operation == "set":
            await client.patch(CONFIG_MAPS, name, {"data": {"value": value}}, "default")
        elif existing is not None:
            await client.delete(CONFIG_MAPS, name, "default")
        await asyncio.sleep(0)
    expected = {key_of(obj): obj for obj in client.objects(CONFIG_MAPS)}
    await until(lambda: {key_of(obj): obj for obj in informer.list()} == expected)
    running.cancel()
