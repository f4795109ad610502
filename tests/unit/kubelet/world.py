"""A kubelet over a client, a runner and a clock that tests control."""

from __future__ import annotations

import asyncio
from typing import Any

from kaito.embedded.kubelet.images import ImageTable
from kaito.embedded.kubelet.ipam import FreeClaims
from kaito.embedded.kubelet.manager import KubeletManager
from kaito.embedded.kubelet.processes.fake import FakeProcess, FakeRunner
from kaito.embedded.kubelet.settings import KubeletSettings
from kaito.embedded.pki import Authority
from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.resources import EVENTS, NODES, PODS

AUTHORITY = Authority.create()
SERVING = AUTHORITY.issue("kubelet", hosts=["127.0.0.1"])
CLIENT = AUTHORITY.issue("api-server", usage="client")


class World:
    """Starts a manager on fakes; everything but the clock's advance happens in the test's own loop."""

    def __init__(self, root, *, clock=None, runner=None, client=None, **options: Any) -> None:
        self.clock = clock or VirtualClock()
        self.client = client or FakeClient(clock=self.clock)
        self.runner = runner if runner is not None else FakeRunner()
        self.settings = KubeletSettings(**options.pop("settings", {}))
        self.manager = KubeletManager(
            self.client,
            root=root,
            images=options.pop("images", None) or ImageTable.load(),
            serving=SERVING,
            client_ca_pem=AUTHORITY.ca_pem,
            clock=self.clock,
            environment={"LANG": "C.UTF-8"},
            settings=self.settings,
            runner=self.runner,
            claims=FreeClaims(),
            **options,
        )
        self.task: asyncio.Task[None] | None = None
        self._uids = 0

    async def start(self) -> World:
        self.task = asyncio.create_task(self.manager.run())
        for _ in range(1000):
            if self.manager.ready.is_set():
                return self
            if self.task.done():
                self.task.result()
            await self.pass_time(0.02)
            await asyncio.sleep(0.001)
        raise AssertionError("the kubelet did not become ready")

    async def stop(self) -> None:
        if self.task is None:
            return
        stopping = asyncio.create_task(self.manager.stop())
        while not stopping.done():
            await self.pass_time(1 if isinstance(self.clock, VirtualClock) else 0.005)
            await asyncio.sleep(0.001)
        await asyncio.gather(self.task, return_exceptions=True)

    async def pass_time(self, seconds: float = 0.0) -> None:
        """Let time pass on the test's clock, and everything that is ready happen."""
        if isinstance(self.clock, VirtualClock):
            await self.clock.advance(seconds, settle=60)
        else:
            await asyncio.sleep(seconds)

    async def until(self, condition, *, seconds: float = 10.0):
        """Wait (real time) until ``condition()`` is true; its value."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (value := condition()):
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"still not true after {seconds} s; pods: {self.client.objects(PODS)}")
            await asyncio.sleep(0.01)
        return value

    def pod(self, name: str = "p", *containers: dict[str, Any], uid: str = "", **spec: Any) -> dict[str, Any]:
        """Bind a pod to the node ``local``; its containers are named c0, c1, ... and run busybox by default."""
        status = spec.pop("status", {})
        metadata = spec.pop("metadata", {})
        whole = [
            {"name": f"c{index}", "image": "busybox", "command": ["work"], **container}
            for index, container in enumerate(containers or ({},))
        ]
        for index, container in enumerate(spec.get("initContainers", ())):
            container.setdefault("name", f"i{index}")
            container.setdefault("image", "busybox")
            container.setdefault("command", [container["name"]])
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "ns", "uid": uid or f"uid-of-{name}", **metadata},
            "spec": {"nodeName": "local", "containers": whole, **spec},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}], **status},
        }
        return self.client.seed(pod)

    async def delete(self, name: str = "p", *, grace: int = 30) -> None:
        """What the API server does on a graceful deletion."""
        pod = self.client.find(PODS, name, "ns")
        pod["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
        self.client.seed(pod)
        await self.pass_time()

    def status(self, name: str = "p") -> dict[str, Any]:
        pod = self.client.find(PODS, name, "ns")
        assert pod is not None, f"pod {name} is gone"
        return pod["status"]

    def container(self, name: str = "c0", pod: str = "p") -> dict[str, Any]:
        status = self.status(pod)
        for entry in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            if entry["name"] == name:
                return entry
        raise AssertionError(f"no status of container {name} in {status}")

    def state(self, name: str = "c0", pod: str = "p") -> tuple[str, str]:
        """(running | waiting | terminated, reason)."""
        ((kind, detail),) = self.container(name, pod)["state"].items()
        return kind, detail.get("reason", "")

    def condition(self, kind: str, pod: str = "p") -> dict[str, Any]:
        return next(entry for entry in self.status(pod)["conditions"] if entry["type"] == kind)

    def process(self, program: str) -> FakeProcess:
        """The latest process that runs ``program``."""
        return [process for process in self.runner.started if process.spec.argv[0] == program][-1]

    def events(self, reason: str = "", name: str = "") -> list[str]:
        return [
            event["message"]
            for event in self.client.objects(EVENTS)
            if reason in ("", event["reason"]) and name in ("", event["involvedObject"]["name"])
        ]

    def node(self, name: str = "local") -> dict[str, Any]:
        node = self.client.find(NODES, name)
        assert node is not None
        return node
