"""Controllers retry what failed, rest on what cannot be helped, and elect one leader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kaito.kube.clock import VirtualClock
from kaito.kube.controller import Controller, Key, Permanent, Result, Temporary, keys_of_labels, owner_of
from kaito.kube.errors import Conflict, Forbidden
from kaito.kube.events import EventRecorder
from kaito.kube.fake import FakeClient
from kaito.kube.leases import LeaderElector
from kaito.kube.manager import Manager
from kaito.kube.resources import CONFIG_MAPS, EVENTS, LEASES

KEY = Key("default", "a")


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", **metadata}}


async def test_a_failed_reconcile_is_tried_again_and_a_permanent_failure_rests_until_something_changes() -> None:
    clock = VirtualClock()
    client = FakeClient(config_map("a"), clock=clock)
    outcomes: list[Any] = [ValueError("boom"), Conflict("stale"), Temporary("later", delay=5), Permanent("never")]
    times: list[float] = []

    async def reconcile(key: Key) -> Result | None:
        times.append(clock.monotonic())
        if outcomes:
            raise outcomes.pop(0)
        return None

    manager = Manager(client, clock)
    controller = manager.add(Controller("test", reconcile, clock=clock, base_delay=1))
    controller.watches(manager.informer(CONFIG_MAPS))
    await manager.start()
    await clock.advance(60)
    assert times == [0, 1, 3, 8]
    await client.patch(CONFIG_MAPS, "a", {"data": {"x": "y"}}, "default")
    await clock.advance(1)
    assert len(times) == 5
    await manager.stop()


async def test_requeue_after_brings_a_key_back() -> None:
    clock = VirtualClock()
    client = FakeClient(config_map("a"), clock=clock)
    times: list[float] = []

    async def reconcile(key: Key) -> Result:
        times.append(clock.monotonic())
        return Result(requeue_after=10)

    manager = Manager(client, clock)
    controller = manager.add(Controller("test", reconcile, clock=clock))
    controller.watches(manager.informer(CONFIG_MAPS))
    await manager.start()
    await clock.advance(25)
    assert times == [0, 10, 20]
    await manager.stop()


async def test_a_reconcile_that_never_waits_and_never_rests_lets_others_run() -> None:
    async def reconcile(key: Key) -> Result:
        if controller.reconciles > 1000:
            raise Permanent("nobody else got a turn")
        return Result(requeue_after=0)

    controller = Controller("test", reconcile, clock=VirtualClock(), workers=1)
    controller.queue.add(KEY)
    running = asyncio.create_task(controller.run())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert 1 < controller.reconciles < 100


def test_children_map_to_their_controller_or_to_what_their_labels_name() -> None:
    owner = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "w", "uid": "u", "controller": True}
    child = config_map("c", ownerReferences=[owner], labels={"name": "w", "space": "s"})
    assert list(owner_of("Workspace", group="kaito.sh")(child)) == [Key("default", "w")]
    assert list(owner_of("Workspace", group="other.io")(child)) == []
    assert list(owner_of("Job")(child)) == []
    assert list(keys_of_labels("name", "space")(child)) == [Key("s", "w")]
    assert list(keys_of_labels("name")(child)) == [Key("default", "w")]
    assert list(keys_of_labels("missing")(child)) == []


async def test_repeats_of_an_event_are_counted_on_one_object() -> None:
    client = FakeClient(config_map("a"))
    recorder = EventRecorder(client, "tester", client.clock)
    subject = client.objects(CONFIG_MAPS)[0]
    for _ in range(3):
        recorder.event(subject, "Warning", "Broken", "it broke")
    recorder.event(subject, "Normal", "Mended", "it works")
    await recorder.flush()
    events = {event["reason"]: event for event in client.objects(EVENTS)}
    assert events["Broken"]["count"] == 3
    assert events["Mended"]["count"] == 1
    assert events["Broken"]["involvedObject"]["uid"] == subject["metadata"]["uid"]
    names = [event["metadata"]["name"] for event in client.objects(EVENTS)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("reason", "logged"), [("", True), ("NamespaceTerminating", False)], ids=["refused", "namespace going away"]
)
async def test_an_event_that_is_lost_is_told_unless_its_namespace_goes_away(
    reason: str, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = FakeClient(clock=VirtualClock())
    client.fail(Forbidden("no", status=403, reason="Forbidden", details={"causes": [{"reason": reason}]}))
    recorder = EventRecorder(client, "test", VirtualClock())
    recorder.event(config_map("a"), "Normal", "Made", "made")
    await recorder.flush()
    assert ("event Made about a not recorded: no" in caplog.text) is logged


async def test_one_candidate_leads_and_another_takes_over_when_it_is_gone() -> None:
    clock = VirtualClock()
    client = FakeClient(clock=clock)
    leading: list[str] = []

    def candidate(name: str) -> asyncio.Task[None]:
        async def lead() -> None:
            leading.append(name)
            await asyncio.Event().wait()

        elector = LeaderElector(client, name="lease", namespace="default", identity=name, clock=clock)
        return asyncio.create_task(elector.run(lead))

    first = candidate("first")
    await clock.advance(1)
    second = candidate("second")
    await clock.advance(60)
    assert leading == ["first"]
    first.cancel()
    await clock.advance(5)
    assert leading == ["first", "second"]
    lease = client.find(LEASES, "lease", "default")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "second"
    assert lease["spec"]["leaseTransitions"] == 1
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_events_of_an_instance_carry_a_precise_time_and_count_repeats_in_a_series() -> None:
    client = FakeClient()
    recorder = EventRecorder(client, "tester", client.clock, instance="tester-1")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns", "uid": "u"}}
    other = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "q", "namespace": "ns"}}
    for _ in range(3):
        recorder.event(pod, "Normal", "Moved", "moved away", action="Moving", related=other)
        await recorder.flush()
    (event,) = client.objects(EVENTS)
    assert event["source"] == {}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("tester", "tester-1")
    assert event["eventTime"].endswith("Z")
    assert "." in event["eventTime"]
    assert not {"firstTimestamp", "lastTimestamp", "count"} & set(event)
    assert event["series"]["count"] == 3
    assert (event["action"], event["related"]["name"]) == ("Moving", "q")


@pytest.mark.parametrize(
    ("reason", "logged"), [("", True), ("NamespaceTerminating", False)], ids=["refused", "namespace going away"]
)
async def test_a_refused_write_is_told_unless_its_namespace_goes_away(
    reason: str, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def reconcile(key: Key) -> None:
        raise Forbidden("no", status=403, reason="Forbidden", details={"causes": [{"reason": reason}]})

    controller = Controller("tester", reconcile, clock=VirtualClock())
    await controller.process(Key("ns", "a"))
    assert ("tester ns/a: no" in caplog.text) is logged
