"""The operator is killed at every request it makes, before and after it takes effect; the next one goes on."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from kaito.kube.client import PatchKind, Propagation
from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.objects import condition_is
from kaito.kube.resources import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    EVENTS,
    JOBS,
    NODE_CLAIMS,
    SERVICES,
    STATEFUL_SETS,
    WORKSPACES,
    Resource,
)
from tests.unit.operator.world import (
    NAMESPACE,
    TRAINING_CONFIG,
    World,
    config_map,
    inference_workspace,
    tuning_workspace,
)

MADE = (WORKSPACES, NODE_CLAIMS, JOBS, STATEFUL_SETS, SERVICES, CONTROLLER_REVISIONS, CONFIG_MAPS)


class Killed(BaseException):
    """The operator's process is gone."""


class DeadlyClient(FakeClient):
    """Kills whoever makes the `kill_at`-th write (from 0), before or after it takes effect; later ones are dead too."""

    def __init__(self, *, kill_at: int | None = None, after: bool = False) -> None:
        super().__init__(clock=VirtualClock())
        self.kill_at = kill_at
        self.after = after
        self.written = 0
        self.dead = False

    async def _write(self, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        if self.dead:
            raise Killed
        number, self.written = self.written, self.written + 1
        if number != self.kill_at:
            return await call()
        self.dead = True
        if self.after:
            await call()
        raise Killed

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], *, namespace: str | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        if resource == EVENTS:
            return {}
        return await self._write(lambda: super(DeadlyClient, self).create(resource, obj, namespace=namespace))

    async def update(
        self, resource: Resource, obj: Mapping[str, Any], *, subresource: str | None = None
    ) -> dict[str, Any]:
        return await self._write(lambda: super(DeadlyClient, self).update(resource, obj, subresource=subresource))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        kind: PatchKind = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
    ) -> dict[str, Any]:
        return await self._write(lambda: super(DeadlyClient, self).patch(resource, name, patch, namespace, kind=kind))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> dict[str, Any]:
        return await self._write(lambda: super(DeadlyClient, self).delete(resource, name, namespace, uid=uid))


Step = Callable[[World], Awaitable[None]]


async def apply_tuning(world: World) -> None:
    await world.apply(tuning_workspace("w"))


async def apply_other_input(world: World) -> None:
    edit(world, lambda live: live["tuning"].update(input={"urls": ["https://example.com/b.parquet"]}))


async def apply_inference(world: World) -> None:
    await world.apply(inference_workspace("w"))


async def apply_adapter(world: World) -> None:
    adapters = [{"source": {"name": "a", "image": "r.azurecr.io/a:1"}}]
    edit(world, lambda live: live["inference"].update(adapters=adapters))


async def delete(world: World) -> None:
    """What the API server does when a user deletes: the finalizer holds the object."""

    def mark(live: dict[str, Any]) -> None:
        live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    edit(world, mark)


def edit(world: World, change: Callable[[dict[str, Any]], Any]) -> None:
    live = world.client.find(WORKSPACES, "w", NAMESPACE)
    if live is not None:
        change(live)
        world.client.seed(live)


SCENARIOS: dict[str, list[Step]] = {
    "tune and serve": [apply_tuning],
    "tune again": [apply_tuning, apply_other_input],
    "infer": [apply_inference],
    "change an adapter": [apply_inference, apply_adapter],
    "tune and delete": [apply_tuning, delete],
    "infer and delete": [apply_inference, delete],
}


async def play_the_others(world: World) -> None:
    """One round of what provider, Job controller, StatefulSet controller and kubelet would do."""
    await world.provide_nodes()
    job = world.client.find(JOBS, "w", NAMESPACE)
    if job is not None and not condition_is(job, "Complete"):
        await world.finish_job("w")
    server = world.client.find(STATEFUL_SETS, "w", NAMESPACE)
    if server is not None:
        seen = (server.get("status") or {}).get("observedGeneration")
        if seen != server["metadata"]["generation"]:
            await world.start_stateful_set("w")
    await world.settle(1)


async def run(client: DeadlyClient, steps: list[Step]) -> None:
    """Go through the steps; whenever the operator dies, a new one starts over the same cluster and step goes on."""
    world = World(client=client)
    for step in steps:
        applied = False
        for _ in range(4):
            if client.dead:
                client.dead, client.kill_at = False, None
                world = World(client=client)
            try:
                async with world.running():
                    if not applied:
                        applied = True
                        await step(world)
                    for _ in range(3):
                        await play_the_others(world)
            except (BaseExceptionGroup, Killed):
                assert client.dead
            if not client.dead:
                break
        world = World(client=client)


def end_state(client: FakeClient) -> list[Any]:
    """All that the operator has made, without identities and times."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            ignored = ("uid", "resourceVersion", "creationTimestamp", "lastTransitionTime", "kaito.sh/served-job")
            return {key: plain(item) for key, item in sorted(value.items()) if key not in ignored}
        return value

    objects = [obj for resource in MADE for obj in client.objects(resource)]
    return [plain(copy.deepcopy(obj)) for obj in objects]


def seeded(**options: Any) -> DeadlyClient:
    client = DeadlyClient(**options)
    for method in ("lora", "qlora"):
        client.seed(config_map(f"{method}-params-template", "kaito-system", TRAINING_CONFIG))
    client.seed(config_map("kaito-mirrors", "kaito-system", "urls: {}", "mirrors.yaml"))
    return client


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_request_changes_nothing_in_the_end(name: str, after: bool) -> None:
    steps = SCENARIOS[name]
    undisturbed = seeded()
    await run(undisturbed, steps)
    wanted = sorted(end_state(undisturbed), key=str)
    assert undisturbed.written > 5
    left = undisturbed.find(WORKSPACES, "w", NAMESPACE)
    assert left is None if delete in steps else left is not None and condition_is(left, "WorkspaceReady")
    for number in range(undisturbed.written):
        client = seeded(kill_at=number, after=after)
        await run(client, steps)
        assert client.kill_at is None, f"write {number} was never reached"
        assert sorted(end_state(client), key=str) == wanted, f"killed at write {number}"
