"""The scheduler: takes pods in priority order, finds each a node and binds it, and says why when there is none."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Mapping
from typing import Any

from kaito.embedded.scheduler.cluster_state import FINISHED, ClusterState, NodeInfo, PodInfo
from kaito.embedded.scheduler.deciding import Decision, Surroundings, decide
from kaito.embedded.scheduler.filtering import Filter
from kaito.embedded.scheduler.reporting import SCHEDULER_NAME, Reporter
from kaito.embedded.scheduler.volumes import SELECTED_NODE, PodVolumes, claim_names
from kaito.kube.controller import Controller, Result
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.informer import Change
from kaito.kube.manager import Manager
from kaito.kube.objects import Key
from kaito.kube.resources import (
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    STORAGE_CLASSES,
)

logger = logging.getLogger(__name__)

CONCURRENT_BINDINGS = 32
RETRY_SECONDS = 1.0
"""How long a pod waits after a binding that failed for no reason of its own."""
_CYCLE = Key("", "cycle")


class Scheduler:
    """Assigns unassigned pods of `default-scheduler` to nodes.

    Filters, order, reasons, messages and preemption are kube-scheduler 1.34's. Deliberately left out: scheduling gates'
    condition (the API server sets it) and CSI limits. A pod that fits nowhere is tried again when something changes
    that could help it.
    """

    def __init__(self, manager: Manager) -> None:
        self._client, self._clock = manager.client, manager.clock
        self._reporter = Reporter(manager.client, manager.clock)
        self._state = ClusterState()
        self._pending: dict[str, dict[str, Any]] = {}
        self._ready: list[tuple[int, str, int, str]] = []
        self._waiting: dict[str, PodInfo] = {}
        self._awaiting_volumes: dict[str, str] = {}
        self._changed_nodes: set[str] = set()
        self._wake_all = False
        self._wake_related = False
        self._order = itertools.count()
        self._bindings = asyncio.Semaphore(CONCURRENT_BINDINGS)
        self.controller = Controller("scheduler", self._run_cycle, workers=1, clock=manager.clock)
        self._namespaces = manager.informer(NAMESPACES)
        self._claims = manager.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = manager.informer(PERSISTENT_VOLUMES)
        self._classes = manager.informer(STORAGE_CLASSES)
        self._budgets = manager.informer(POD_DISRUPTION_BUDGETS)
        nodes, pods = manager.informer(NODES), manager.informer(PODS)
        # Its cycle must see whole first lists: half of the nodes would give wrong verdicts.
        self.controller.informers += [nodes, pods, self._namespaces, self._claims, self._volumes, self._classes]
        self.controller.informers.append(self._budgets)
        nodes.add_handler(self._on_node)
        pods.add_handler(self._on_pod)
        for informer in (self._claims, self._volumes, self._classes):
            informer.add_handler(self._on_storage)

    # ---- what changes mean

    def _on_node(self, change: Change) -> None:
        name = change.object["metadata"]["name"]
        if change.type == "DELETED":
            self._state.remove_node(name)
            # Spread and the count in the messages change too.
            self._wake_related = True
        elif self._state.set_node(change.object):
            self._changed_nodes.add(name)
        else:
            return
        self.controller.queue.add(_CYCLE)

    def _on_storage(self, change: Change) -> None:
        if any(info.pod["spec"].get("volumes") for info in self._waiting.values()) or self._awaiting_volumes:
            self._wake_all = True
            self.controller.queue.add(_CYCLE)

    def _on_pod(self, change: Change) -> None:
        pod, old = change.object, change.old
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        if old is not None and old["metadata"]["uid"] != uid:
            self._forget(old["metadata"]["uid"])
        if change.type == "DELETED" or (pod.get("status") or {}).get("phase") in FINISHED:
            self._forget(uid)
        elif spec.get("nodeName"):
            self._pending.pop(uid, None)
            self._waiting.pop(uid, None)
            self._awaiting_volumes.pop(uid, None)
            node = self._state.node_of(uid)
            if old is None or node is None or node.name != spec["nodeName"] or _relevant(old) != _relevant(pod):
                self._state.place(PodInfo.of(pod), spec["nodeName"])
                if self._waiting:
                    self._wake_related = True
                    self.controller.queue.add(_CYCLE)
        elif (spec.get("schedulerName") or SCHEDULER_NAME) == SCHEDULER_NAME:
            self._take_in(pod, old)

    def _take_in(self, pod: dict[str, Any], old: Mapping[str, Any] | None) -> None:
        uid = pod["metadata"]["uid"]
        if pod["metadata"].get("deletionTimestamp") or pod["spec"].get("schedulingGates"):
            self._forget(uid)
            return
        known = uid in self._pending
        self._pending[uid] = pod
        if not known and (nominated := (pod.get("status") or {}).get("nominatedNodeName")):
            self._state.nominate(PodInfo.of(pod), nominated)
        if not known or old is None or _relevant(old) != _relevant(pod):
            self._push(uid)

    def _forget(self, uid: str) -> None:
        self._pending.pop(uid, None)
        self._waiting.pop(uid, None)
        self._awaiting_volumes.pop(uid, None)
        self._state.withdraw(uid)
        node = self._state.node_of(uid)
        if node is not None:
            # What the pod kept away may now go to nodes far from its own.
            self._wake_all = self._wake_all or uid in self._state.with_anti_affinity
            self._state.remove_pod(uid)
            self._changed_nodes.add(node.name)
            self._wake_related = True
            self.controller.queue.add(_CYCLE)

    def _push(self, uid: str) -> None:
        pod = self._pending[uid]
        self._waiting.pop(uid, None)
        created = pod["metadata"].get("creationTimestamp") or ""
        heapq.heappush(self._ready, (-(pod["spec"].get("priority") or 0), created, next(self._order), uid))
        self.controller.queue.add(_CYCLE)

    # ---- the cycle

    async def _run_cycle(self, key: Key) -> Result | None:
        self._wake()
        tasks: list[asyncio.Task[bool]] = []
        for uid, node in list(self._awaiting_volumes.items()):
            await self._continue_binding(uid, node, tasks)
        while self._ready:
            uid = heapq.heappop(self._ready)[-1]
            pod = self._pending.get(uid)
            if pod is None or self._state.node_of(uid) is not None:
                continue
            await self._bindings.acquire()
            tasks.append(asyncio.create_task(self._release_after(self._schedule(pod))))
            # Binding requests are sent, and changes come in, between two decisions.
            await asyncio.sleep(0)
        failed = not all(await asyncio.gather(*tasks))
        return Result(requeue_after=RETRY_SECONDS) if failed else None

    async def _release_after(self, work: Any) -> bool:
        try:
            return bool(await work)
        finally:
            self._bindings.release()

    def _wake(self) -> None:
        """Make the waiting pods ready that the changes since the last cycle could help."""
        if self._waiting and (self._wake_all or self._wake_related or self._changed_nodes):
            nodes = [n for name in self._changed_nodes if (n := self._state.nodes.get(name)) and n.node is not None]
            for uid, info in list(self._waiting.items()):
                if uid not in self._pending:
                    del self._waiting[uid]
                elif (
                    self._wake_all
                    or (self._wake_related and _looks_at_pods(info))
                    or any(self._could_take(node, info) for node in nodes)
                ):
                    self._push(uid)
        self._wake_all = self._wake_related = False
        self._changed_nodes.clear()

    def _could_take(self, node: NodeInfo, info: PodInfo) -> bool:
        nothing = ClusterState()
        return Filter(info, nothing, volumes=PodVolumes(), namespaces={}).refuses(node) is None or _looks_at_pods(info)

    async def _schedule(self, pod: dict[str, Any]) -> bool:
        """Decide on one pod and carry it out; False asks for another cycle soon."""
        info = PodInfo.of(pod)
        around = self._surroundings(info)
        decision = decide(info, self._state, around)
        if decision.node is None:
            await self._wait(pod, info, decision)
            return True
        self._state.place(info, decision.node)
        return await self._bind(pod, decision.node, around.volumes)

    def _surroundings(self, info: PodInfo) -> Surroundings:
        namespace = info.namespace
        volumes = PodVolumes.of(
            info.pod,
            claim=lambda name: self._claims.get(name, namespace),
            volume=self._volumes.get,
            storage_class=self._classes.get,
            volumes=self._volumes.list,
        )
        namespaces = (
            {ns["metadata"]["name"]: ns["metadata"].get("labels") or {} for ns in self._namespaces.list()}
            if _looks_at_pods(info) or self._state.with_anti_affinity
            else {}
        )
        return Surroundings(volumes, namespaces, self._budgets.list())

    # ---- carrying it out

    async def _bind(self, pod: dict[str, Any], node: str, volumes: PodVolumes | None = None) -> bool:
        metadata = pod["metadata"]
        name, namespace, uid = metadata["name"], metadata["namespace"], metadata["uid"]
        try:
            if volumes is not None and volumes.waiting:
                for claim in volumes.waiting:
                    annotation = {"metadata": {"annotations": {SELECTED_NODE: node}, "uid": claim["metadata"]["uid"]}}
                    await self._client.patch(
                        PERSISTENT_VOLUME_CLAIMS, claim["metadata"]["name"], annotation, namespace, kind="merge"
                    )
                self._awaiting_volumes[uid] = node
                return True
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": name, "namespace": namespace, "uid": uid},
                "target": {"kind": "Node", "name": node},
            }
            await self._client.create_subresource(PODS, name, "binding", binding, namespace)
        except NotFound:
            self._forget(uid)
            return True
        except ApiError as error:
            logger.info("binding pod %s/%s to %s: %s", namespace, name, node, error.message)
            self._state.remove_pod(uid)
            if uid in self._pending:
                self._push(uid)
            return False
        self._reporter.scheduled(pod, node)
        return True

    async def _continue_binding(self, uid: str, node: str, tasks: list[asyncio.Task[bool]]) -> None:
        """Bind a pod whose claims have been provisioned, or start over when the provisioner gave the node back."""
        pod = self._pending.get(uid)
        if pod is None:
            self._awaiting_volumes.pop(uid, None)
            return
        claims = [self._claims.get(name, pod["metadata"]["namespace"]) for name in claim_names(pod)]
        if all(claim and (claim.get("status") or {}).get("phase") == "Bound" for claim in claims):
            del self._awaiting_volumes[uid]
            await self._bindings.acquire()
            tasks.append(asyncio.create_task(self._release_after(self._bind(pod, node))))

    async def _wait(self, pod: dict[str, Any], info: PodInfo, decision: Decision) -> None:
        """Let a pod that fits nowhere wait, and make room for it where that helps."""
        self._waiting[info.uid] = info
        before = (pod.get("status") or {}).get("nominatedNodeName")
        nominated = before
        candidate = decision.candidate
        if candidate is not None:
            nominated = candidate.node
            self._state.nominate(info, nominated)
        elif decision.hopeless:
            nominated = None
            self._state.withdraw(info.uid)
        await self._reporter.unschedulable(pod, decision.message, None if nominated == before else nominated or "")
        if candidate is None:
            return
        for other in self._state.less_nominated(candidate.node, info):
            self._state.withdraw(other.uid)
            await self._reporter.withdrawn(other.pod)
            if other.uid in self._pending:
                self._push(other.uid)
        await asyncio.gather(*(self._reporter.end(victim.pod, pod, candidate.node) for victim in candidate.victims))


def _relevant(pod: Mapping[str, Any]) -> Any:
    metadata = pod["metadata"]
    started = (pod.get("status") or {}).get("startTime")
    return pod["spec"], metadata.get("labels"), bool(metadata.get("deletionTimestamp")), started


def _looks_at_pods(info: PodInfo) -> bool:
    spec = info.pod["spec"]
    affinity = spec.get("affinity") or {}
    return bool(affinity.get("podAffinity") or affinity.get("podAntiAffinity") or spec.get("topologySpreadConstraints"))
