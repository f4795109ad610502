"""The process kubelet of all nodes that carry its label."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kaito.embedded.kubelet.host import Host, PullCheck
from kaito.embedded.kubelet.images import ImageTable
from kaito.embedded.kubelet.ipam import AddressPool, NetworkClaims, SocketClaims
from kaito.embedded.kubelet.layout import KubeletLayout, remove_tree
from kaito.embedded.kubelet.nodes import SUBSTRATE, SUBSTRATE_LABEL, NodeKeeper, machine_capacity
from kaito.embedded.kubelet.pods.worker import PodWorker
from kaito.embedded.kubelet.processes.leftovers import end_leftovers
from kaito.embedded.kubelet.processes.local import LocalRunner
from kaito.embedded.kubelet.processes.runner import ProcessRunner
from kaito.embedded.kubelet.server import KubeletServer
from kaito.embedded.kubelet.settings import KubeletSettings
from kaito.embedded.pki import Certificate
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.events import EventRecorder
from kaito.kube.informer import Change, Informer
from kaito.kube.resources import CONFIG_MAPS, NODES, PODS, SECRETS

logger = logging.getLogger(__name__)

STOP_GRACE = 3.0
"""Seconds that containers get to end by themselves when the kubelet ends."""


class KubeletManager:
    """Runs the pods of every Node with the label ``testbed.kaito.sh/substrate: process``, and makes the node ``local``.

    ``root`` holds pods' folders and process records; one manager at a time may use it. ``run`` works until it is
    cancelled or `stop` is called; either way every process it started has ended when it returns. ``ready`` is set once
    the nodes known at the start are Ready and the kubelet server listens.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        root: Path,
        images: ImageTable,
        serving: Certificate,
        client_ca_pem: bytes,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        settings: KubeletSettings | None = None,
        runner: ProcessRunner | None = None,
        pull_check: PullCheck | None = None,
        claims: NetworkClaims | None = None,
    ) -> None:
        self._client = client
        self._clock: Clock = clock or SystemClock()
        self._settings = settings or KubeletSettings()
        self._claims = claims or SocketClaims()
        self._events = EventRecorder(client, "kubelet", self._clock)
        self._host = Host(
            client=client,
            clock=self._clock,
            runner=runner or LocalRunner(),
            images=images,
            layout=KubeletLayout(root.resolve()),
            pool=AddressPool(self._claims),
            events=self._events,
            settings=self._settings,
            environment=dict(environment or {}),
            allocatable=self._allocatable,
            node=lambda name: self._nodes.get(name),
            neighbours=self._neighbours,
            pull_check=pull_check,
        )
        self._capacity = machine_capacity(root, self._settings)
        self.server = KubeletServer(self._host, serving, client_ca_pem, self.worker)
        self.ready = asyncio.Event()
        self._nodes = Informer(client, NODES, label_selector=f"{SUBSTRATE_LABEL}={SUBSTRATE}", clock=self._clock)
        self._pods = Informer(client, PODS, clock=self._clock)
        self._config_maps = Informer(client, CONFIG_MAPS, clock=self._clock)
        self._secrets = Informer(client, SECRETS, clock=self._clock)
        self._pods.add_index("node", lambda pod: [name] if (name := pod["spec"].get("nodeName")) else [])
        self._keepers: dict[str, NodeKeeper] = {}
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beats: dict[str, asyncio.Task[None]] = {}
        self._losses: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._recovering = True

    # ---- for others

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        """The live pod of that name, if it runs here."""
        pod = self._pods.get(name, namespace)
        if pod is None:
            return None
        return self._workers.get(pod["metadata"]["uid"])

    async def kill_container(self, namespace: str, pod: str, container: str) -> bool:
        """SIGKILL for a container, as a fault; False when it is not running."""
        worker = self.worker(namespace, pod)
        record = worker.record(container) if worker else None
        if record is None or record.run is None or not record.running:
            return False
        record.run.process.signal(signal.SIGKILL)
        return True

    # ---- life

    async def run(self) -> None:
        """Work until cancelled or stopped."""
        self._stopped.clear()
        try:
            self._host.layout.root.mkdir(parents=True, exist_ok=True)
            self._host.layout.root.chmod(0o700)  # volumes hold secrets
            self._host.layout.pods.mkdir(exist_ok=True)
            left = await end_leftovers(self._host.layout.root)
            if left:
                logger.warning("ended %d processes that an earlier kubelet had left", left)
            await self.server.start()
            async with asyncio.TaskGroup() as group:
                work = [
                    group.create_task(informer.run())
                    for informer in (self._nodes, self._pods, self._config_maps, self._secrets)
                ]
                work.append(group.create_task(self._start()))
                await self._stopping.wait()
                for task in work:
                    task.cancel()
        finally:
            await self._shut_down()

    async def stop(self) -> None:
        """End `run` and every process; returns when all has ended."""
        self._stopping.set()
        await self._stopped.wait()

    async def _start(self) -> None:
        """Register, then follow nodes and pods in this order: pods of unknown nodes are not ours."""
        if self._settings.local_node:
            await self._until_done(self._keeper(self._settings.local_node).register)
        await asyncio.gather(*(informer.synced.wait() for informer in (self._nodes, self._pods)))
        self._nodes.add_handler(self._node_changed)
        while self._settings.local_node and self._nodes.get(self._settings.local_node) is None:
            await self._clock.sleep(0.02)
        self._pods.add_handler(self._pod_changed)
        self._recovering = False
        self._forget_unknown_folders()
        for informer, kind in ((self._config_maps, "configMap"), (self._secrets, "secret")):
            await informer.synced.wait()
            informer.add_handler(partial(self._content_changed, kind))
        await self._until_done(self._first_beats)
        self.ready.set()
        logger.info("kubelet ready with %d nodes", len(self._keepers))
        await self._delete_stranded()

    async def _until_done(self, action: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await action()
                return
            except ApiError as error:
                logger.info("kubelet: %s; again in %.1f s", error.message, self._settings.retry)
                await self._clock.sleep(self._settings.retry)

    async def _shut_down(self) -> None:
        try:
            tasks = (*self._tasks.values(), *self._beats.values(), *self._losses)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(worker.kill(STOP_GRACE) for worker in self._workers.values()))
            await self.server.stop()
            await self._events.flush()
        finally:
            for name in tuple(self._keepers):
                self._host.pool.forget_node(name)
            self._stopped.set()

    # ---- nodes

    def _allocatable(self, node: str) -> Mapping[str, str]:
        found = self._nodes.get(node) or {}
        return {**self._capacity, **((found.get("status") or {}).get("allocatable") or {})}

    def _neighbours(self, node: str, uid: str) -> list[dict[str, Any]]:
        return [
            worker.pod
            for worker in self._workers.values()
            if worker.node == node and worker.uid != uid and worker.admitted
        ]

    def _keeper(self, name: str) -> NodeKeeper:
        if name not in self._keepers:
            self._keepers[name] = NodeKeeper(
                self._client,
                self._clock,
                name,
                settings=self._settings,
                capacity=self._capacity,
                port=self.server.port,
            )
        return self._keepers[name]

    def _node_changed(self, change: Change) -> None:
        name = change.object["metadata"]["name"]
        if change.type == "DELETED":
            self._node_gone(name)
            return
        self._keeper(name)
        if name not in self._beats:
            self._beats[name] = asyncio.create_task(self._beat(name), name=f"heartbeat {name}")
            for pod in self._pods.by_index("node", name):
                self._pod_changed(Change("ADDED", pod, None))

    def _node_gone(self, name: str) -> None:
        self._keepers.pop(name, None)
        if task := self._beats.pop(name, None):
            task.cancel()
        if not self._recovering:
            self._losses.add(asyncio.create_task(self._lose(name), name=f"loss of {name}"))

    async def _lose(self, name: str) -> None:
        """End the processes of a node that was deleted or lost its label.

        A node that is only lost is a machine that died: nothing is reported about its pods while the Node object is
        there. Once that is gone too its pods are deleted; when the label comes back its pods are taken up again.
        """
        lost = [worker for worker in self._workers.values() if worker.node == name]
        for worker in lost:
            worker.lose()
        self._host.pool.forget_node(name)
        while name not in self._keepers:
            try:
                await self._client.get(NODES, name)
            except NotFound:
                for worker in lost:
                    worker.orphan()
                return
            except ApiError as error:
                logger.info("node %s: %s", name, error.message)
            await self._clock.sleep(self._settings.retry)
        for worker in lost:
            worker.find()

    async def _beat(self, name: str) -> None:
        """Heartbeats of one node until it is gone; a change of the node by others is answered at the next beat."""
        while True:
            node = self._nodes.get(name)
            if node is not None:
                try:
                    await self._keeper(name).beat(node)
                except ApiError as error:
                    logger.info("node %s: heartbeat failed: %s", name, error.message)
            settled = node is not None and self._is_tidy(node)
            await self._clock.sleep(self._settings.heartbeat_period if settled else 0.1)

    @staticmethod
    def _is_tidy(node: Mapping[str, Any]) -> bool:
        conditions = {entry["type"]: entry["status"] for entry in (node.get("status") or {}).get("conditions") or ()}
        tainted = any(
            taint["key"] == "node.kubernetes.io/not-ready" for taint in (node.get("spec") or {}).get("taints") or ()
        )
        return conditions.get("Ready") == "True" and not tainted

    async def _first_beats(self) -> None:
        for name in tuple(self._keepers):
            node = self._nodes.get(name)
            if node is not None and not self._is_tidy(node):
                await self._keepers[name].beat(node)

    # ---- pods

    def _pod_changed(self, change: Change) -> None:
        pod = change.object
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if change.type == "DELETED":
            if worker is not None:
                worker.gone()
            return
        before = change.old["metadata"]["uid"] if change.old is not None else uid
        if before != uid and (old := self._workers.get(before)):
            old.gone()
        if worker is not None:
            worker.update(pod)
            return
        node = pod["spec"].get("nodeName")
        if node not in self._keepers or self._stopping.is_set():
            return
        recovered = bool((pod.get("status") or {}).get("containerStatuses"))
        worker = self._workers[uid] = PodWorker(self._host, pod, recovered=recovered)
        task = asyncio.create_task(worker.run(), name=f"pod {worker.namespace}/{worker.name}")
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._pod_done(uid, done))

    def _pod_done(self, uid: str, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        if error := task.exception():
            worker = self._workers[uid]
            logger.error("pod %s/%s: the kubelet failed", worker.namespace, worker.name, exc_info=error)
            return
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)

    def _content_changed(self, kind: str, change: Change) -> None:
        metadata = change.object["metadata"]
        for worker in self._workers.values():
            if worker.namespace == metadata.get("namespace") and worker.mentions(kind, metadata["name"]):
                worker.refresh_volumes()

    def _forget_unknown_folders(self) -> None:
        for folder in self._host.layout.pods.iterdir():
            if folder.name not in self._workers:
                remove_tree(folder)

    async def _delete_stranded(self) -> None:
        """Delete pods that an earlier run of ours left bound to nodes that are gone (pod garbage collection)."""
        for pod in self._pods.list():
            node = pod["spec"].get("nodeName")
            if not node or pod["metadata"]["uid"] in self._workers or not _was_ours(pod):
                continue
            try:
                await self._client.get(NODES, node)
            except NotFound:
                metadata = pod["metadata"]
                try:
                    await self._client.delete(
                        PODS, metadata["name"], metadata.get("namespace"), uid=metadata["uid"], grace_seconds=0
                    )
                except ApiError as error:
                    logger.info("pod %s of a node that is gone: %s", metadata["name"], error.message)
            except ApiError as error:
                logger.info("node %s: %s", node, error.message)


def _was_ours(pod: Mapping[str, Any]) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(str(status.get("containerID") or "").startswith("process://") for status in statuses)
