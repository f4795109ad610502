"""A world for controllers: the fake client, virtual time and a kubelet that does what a pod's annotations say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kaito.embedded.controllers import CONTROLLERS, add_controllers
from kaito.kube.clock import VirtualClock
from kaito.kube.errors import ApiError
from kaito.kube.fake import Call, FakeClient
from kaito.kube.informer import Change
from kaito.kube.manager import Manager
from kaito.kube.objects import format_time
from kaito.kube.resources import EVENTS, PODS, Resource

Object = dict[str, Any]


class Kubelet:
    """Makes pods Running and Ready on the node `n0`.

    Annotations: `test/exit: "3"` ends the pod with that code, `test/ready: "no"` never makes it ready,
    `test/run: "no"` leaves it pending.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: set[str] = set()
        self.addresses = 0
        self.started: list[str] = []
        self.ended: dict[str, int] = {}
        """Exit codes of the pods it ended, by uid."""

    def on_pod(self, change: Change) -> None:
        pod = change.object
        deleting = pod["metadata"].get("deletionTimestamp")
        if deleting and change.type != "DELETED" and (pod.get("status") or {}).get("phase") == "Running":
            self._world.spawn(self.end(pod, 143))
        if change.type == "DELETED" or pod["metadata"]["uid"] in self._seen:
            return
        self._seen.add(pod["metadata"]["uid"])
        annotations = pod["metadata"].get("annotations") or {}
        if annotations.get("test/run") == "no":
            return
        self._world.spawn(self._start(pod, annotations))

    async def _start(self, pod: Object, annotations: dict[str, str]) -> None:
        self.addresses += 1
        self.started.append(pod["metadata"]["name"])
        key = (pod["metadata"]["name"], pod["metadata"]["namespace"])
        with self._world.exempt():
            await self._world.client.patch(PODS, key[0], {"spec": {"nodeName": "n0"}}, key[1])
        ready = "False" if annotations.get("test/ready") == "no" else "True"
        await self.set_status(pod, "Running", ready, podIP=f"10.244.1.{self.addresses}")
        if "test/exit" in annotations:
            await self.end(pod, int(annotations["test/exit"]))

    async def set_status(self, pod: Object, phase: str, ready: str, **more: Any) -> None:
        now = format_time(self._world.clock.now())
        status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": now}], **more}
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        with self._world.exempt():
            await self._world.client.patch(PODS, name, {"status": status}, namespace, subresource="status")

    async def end(self, pod: Object, code: int) -> None:
        """End a pod's only container with an exit code."""
        self.ended[pod["metadata"]["uid"]] = code
        now = format_time(self._world.clock.now())
        state = {"terminated": {"exitCode": code, "finishedAt": now}}
        statuses = [{"name": pod["spec"]["containers"][0]["name"], "state": state}]
        await self.set_status(pod, "Failed" if code else "Succeeded", "False", containerStatuses=statuses)


class World:
    """Everything a controller test needs."""

    def __init__(self, root: Path) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(clock=self.clock, garbage_collection=False)
        self.kubelet = Kubelet(self)
        self.crash: Callable[[Call], None] = lambda call: None
        """Called with every call that is neither the test's nor the kubelet's; may raise."""
        self.client.before_call = self._before_call
        self._exempt = False
        self._root = root
        self._manager: Manager | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def _before_call(self, call: Call) -> None:
        if not self._exempt:
            self.crash(call)

    @contextlib.contextmanager
    def exempt(self) -> Iterator[None]:
        """For calls of the test itself. The fake client never suspends, so no other call comes in between."""
        self._exempt = True
        try:
            yield
        finally:
            self._exempt = False

    async def start(self, names: Iterable[str] = CONTROLLERS, *, kubelet: bool = True) -> None:
        self._manager = Manager(self.client, self.clock)
        add_controllers(self._manager, names=names, service_account_ca=b"CA", volumes_root=self._root)
        if kubelet:
            self._manager.informer(PODS).add_handler(self.kubelet.on_pod)
        await self._manager.start()

    async def stop(self) -> None:
        if self._manager is not None:
            await self._manager.stop()
            self._manager = None

    def spawn(self, work: Any) -> None:
        async def quietly() -> None:
            with contextlib.suppress(ApiError):
                await work

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, seconds: float = 0.1) -> None:
        """Let some virtual seconds pass, and everything that follows from them happen."""
        await self.clock.advance(seconds, settle=150)

    async def create(self, resource: Resource, name: str, spec: Object, **metadata: Any) -> Object:
        body = {"metadata": {"name": name, "namespace": "default", **metadata}, "spec": spec}
        return await self.client.create(resource, body)

    async def patch(self, resource: Resource, name: str, patch: Object) -> None:
        with self.exempt():
            await self.client.patch(resource, name, patch, "default")

    async def delete_pod(self, pod: Object) -> None:
        with self.exempt():
            await self.client.delete(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])

    def get(self, resource: Resource, name: str) -> Object:
        found = self.client.find(resource, name, "default")
        assert found is not None, f"{resource.kind} {name} is not there"
        return found

    def pods(self, matches: Callable[[Object], bool] = lambda pod: True) -> list[Object]:
        return sorted(filter(matches, self.client.objects(PODS)), key=lambda pod: pod["metadata"]["name"])

    def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods()]

    def said(self, reason: str) -> list[str]:
        """The messages of the events with this reason."""
        return [event["message"] for event in self.client.objects(EVENTS) if event["reason"] == reason]


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[[], World]:
    return lambda: World(tmp_path / "volumes")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "volumes")
    yield world
    await world.stop()


def template(app: str, *, image: str = "x", restart: str = "Always", **annotations: str) -> Object:
    """A pod template with one container and a label."""
    keys = {f"test/{name}": value for name, value in annotations.items()}
    return {
        "metadata": {"labels": {"app": app}, "annotations": keys},
        "spec": {"restartPolicy": restart, "containers": [{"name": "c", "image": image}]},
    }


@pytest.fixture(name="template")
def template_fixture() -> Callable[..., Object]:
    return template
