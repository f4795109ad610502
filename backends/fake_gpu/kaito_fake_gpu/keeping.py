"""Keeps the machines going: Nodes appear when they are due, GPUs after them, and both are put back when somebody (a
restarted kubelet) changes them. Level-triggered: every round looks at what there is, not at what happened."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig
from kaito.catalog.skus import find_sku
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock
from kaito.kube.controller import Controller, Key, Result, Temporary
from kaito.kube.errors import AlreadyExists, Conflict, NotFound
from kaito.kube.informer import Informer
from kaito.kube.objects import format_micro_time, format_time
from kaito.kube.resources import CONFIG_MAPS, NODES
from kaito.providers import Fault, FaultKind, NodeRequest
from kaito.providers.errors import OperationInProgress
from kaito_fake_gpu import machines
from kaito_fake_gpu.machines import Machine
from kaito_fake_gpu.options import Options

SELECTOR = f"{machines.PROVIDER_LABEL}={machines.PROVIDER_NAME}"
RETRY_SECONDS = 1.0
"""Pause before a Node is written again whose predecessor is still there."""
WORKERS = 8
NO_GPUS = frozenset({FaultKind.PLUGIN_NEVER_READY, FaultKind.GPU_LOST})
"""Faults of a running machine whose GPUs nobody shows."""


class MachineKeeper:
    """The background half of the provider; also the only place that writes machines."""

    def __init__(self, client: KubeClient, clock: Clock, options: Options) -> None:
        self._client = client
        self._clock = clock
        self._options = options
        self._tasks: list[asyncio.Task[None]] = []
        self._nodes = Informer(client, NODES, label_selector=SELECTOR, clock=clock)
        self._maps = Informer(client, CONFIG_MAPS, options.namespace, label_selector=SELECTOR, clock=clock)
        self._controller = Controller("fake-gpu", self._reconcile, workers=WORKERS, clock=clock)
        for informer in (self._nodes, self._maps):
            self._controller.watches(informer)

    async def start(self) -> None:
        """Begin; returns when the machines that are there have been read."""
        if self._tasks:
            return
        runs = {"nodes": self._nodes.run, "records": self._maps.run, "machines": self._controller.run}
        self._tasks = [asyncio.create_task(run(), name=f"fake-gpu {name}") for name, run in runs.items()]
        await self._nodes.synced.wait()
        await self._maps.synced.wait()

    async def aclose(self) -> None:
        """End; machines stay."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _reconcile(self, key: Key) -> Result | None:
        """Bring one machine forward; a key with a namespace is a ConfigMap, without one a Node."""
        if key.namespace:
            found, kind = self._maps.get(key.name, key.namespace), "ConfigMap"
        else:
            found, kind = self._nodes.get(key.name), "Node"
        return await self.keep({**found, "kind": kind}) if found is not None else None

    async def keep(self, found: dict[str, Any]) -> Result | None:
        """Bring the machine of an object, as it was read, one step forward."""
        machine = machines.read(found)
        if machine is None or machine.gone:
            return None
        try:
            due = await self._step(machine)
        except (NotFound, Conflict):
            return None  # deleted or written meanwhile; the informer will say so
        except OperationInProgress as error:
            raise Temporary(error.message, RETRY_SECONDS) from error
        if due is None:
            return None
        return Result(max(0.0, (due - self._clock.now()).total_seconds()))

    async def _step(self, machine: Machine) -> datetime | None:
        """Bring one machine forward; returns when to look again, None: when it changes."""
        if machine.phase in {machines.STARTING, machines.RUNNING}:
            await self._simulate_kubelet(dict(machine.obj), machine.traits)
        if machine.due is not None and machine.due > self._clock.now():
            return machine.due
        if machine.phase == machines.CREATING and machine.due is not None:
            if machine.error is not None:
                await self._note(machine, {machines.PHASE: machines.FAILED, machines.DUE: None})
            else:
                await self.register(machine.request, created_at=machine.created_at, traits=machine.traits)
                await self._delete_object(machine)
        elif machine.phase == machines.STARTING:
            await self._start(machine)
        elif machine.phase == machines.RUNNING:
            await self._assert_status(machine)
        elif machine.phase == machines.DOOMED:
            await self._vanish(machine)
        elif machine.phase == machines.DELETING:
            await self._end(machine)
        return None

    # ---- writing machines

    async def register(self, request: NodeRequest, *, created_at: datetime, traits: frozenset[str]) -> dict[str, Any]:
        """Write the Node of a machine (and its twin, when it was made with that fault); idempotent."""
        delay = self._options.plugin_seconds / self._options.time_scale
        annotations = machines.notes(
            request,
            phase=machines.STARTING if delay else machines.RUNNING,
            created_at=created_at,
            due=self._clock.now() + timedelta(seconds=delay) if delay else None,
            traits=traits,
        )
        node = machines.node(
            request, self._gpu(request), annotations, self._options, adopted=FaultKind.NEVER_READY not in traits
        )
        if self._speaks_for_kubelet(traits):
            # As kubelets do, the Node is registered with its status: one write instead of three.
            node["status"] = self._simulated_status(traits, gpus=None if delay else self._gpu(request).gpu_count)
        if FaultKind.DUPLICATE_NODE in traits:
            twin = {**node, "metadata": {**node["metadata"], "name": machines.node_name(request.name, 1)}}
            with contextlib.suppress(AlreadyExists):
                await self._client.create(NODES, twin)
        try:
            return {"kind": "Node", **await self._client.create(NODES, node)}
        except AlreadyExists:
            found = {"kind": "Node", **await self._client.get(NODES, node["metadata"]["name"])}
            former = machines.read(found)
            if former is None or former.gone:
                raise OperationInProgress(
                    f"node {request.name}: the Node object of the machine before is still there, held by finalizers"
                ) from None
            return found

    def _speaks_for_kubelet(self, traits: frozenset[str]) -> bool:
        """Whether no kubelet will ever speak for the Node: simulated ones, and never-ready ones."""
        return FaultKind.NEVER_READY in traits or self._options.substrate == "simulated"

    async def _simulate_kubelet(self, node: dict[str, Any], traits: frozenset[str]) -> dict[str, Any]:
        """The Node with a kubelet's word on it, where there is none."""
        if not self._speaks_for_kubelet(traits):
            return node
        conditions = (node.get("status") or {}).get("conditions") or []
        if not any(one["type"] == "Ready" for one in conditions):
            node = await self._patch_status(node["metadata"]["name"], self._simulated_status(traits))
        taints = (node.get("spec") or {}).get("taints") or []
        kept = [one for one in taints if one["key"] != "node.kubernetes.io/not-ready"]
        if kept != taints and FaultKind.NEVER_READY not in traits:
            # A real API server adds it to every new Node, and only a node lifecycle controller would take it away.
            # Taints are replaced as a whole: only in the Node that was read, or the registration's would be undone.
            version = {"resourceVersion": node["metadata"]["resourceVersion"]}
            patch = {"metadata": version, "spec": {"taints": kept}}
            node = await self._client.patch(NODES, node["metadata"]["name"], patch)
        return node

    def _simulated_status(self, traits: frozenset[str], *, gpus: int | None = None) -> dict[str, Any]:
        """What a kubelet would say, where there is none; with GPUs unless a device plugin has still to start."""
        now = format_time(self._clock.now())
        ready = FaultKind.NEVER_READY not in traits
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": "KubeletReady" if ready else "KubeletNotReady",
            "message": "simulated" if ready else "container runtime network not ready",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        resources = {"cpu": "24", "memory": "220Gi", "pods": "110"}
        if gpus is not None and not traits & NO_GPUS:
            resources[labels.GPU_RESOURCE] = str(gpus)
        return {"conditions": [condition], "capacity": dict(resources), "allocatable": dict(resources)}

    async def _start(self, machine: Machine) -> None:
        if FaultKind.PLUGIN_NEVER_READY in machine.traits:
            await self._note(machine, {machines.DUE: None, machines.PHASE: machines.RUNNING})
            return
        await self._assert_status(machine)
        await self._note(machine, {machines.PHASE: machines.RUNNING, machines.DUE: None})

    async def _assert_status(self, machine: Machine) -> None:
        """GPUs in capacity and allocatable, put back whenever they are missing or different."""
        if machine.traits & NO_GPUS:
            return
        wanted = str(self._gpu(machine.request).gpu_count)
        status = machine.obj.get("status") or {}
        if all((status.get(part) or {}).get(labels.GPU_RESOURCE) == wanted for part in ("capacity", "allocatable")):
            return
        gpus = {labels.GPU_RESOURCE: wanted}
        await self._patch_status(machine.object_name, {"capacity": gpus, "allocatable": gpus})

    async def _patch_status(self, name: str, status: dict[str, Any]) -> dict[str, Any]:
        return await self._client.patch(NODES, name, {"status": status}, subresource="status")

    async def _note(self, machine: Machine, annotations: dict[str, str | None], **metadata: Any) -> None:
        resource = NODES if machine.has_node else CONFIG_MAPS
        namespace = None if machine.has_node else self._options.namespace
        patch = {"metadata": {"annotations": annotations, **metadata}}
        await self._client.patch(resource, machine.object_name, patch, namespace)

    async def remove(self, machine: Machine, delay: float) -> None:
        """Begin the end of a machine, `delay` seconds from now."""
        if delay > 0:
            due = format_micro_time(self._clock.now() + timedelta(seconds=delay))
            await self._note(machine, {machines.PHASE: machines.DELETING, machines.DUE: due})
        else:
            await self._end(machine)

    async def _end(self, machine: Machine) -> None:
        """The machine is no more. A Node that somebody's finalizer holds stays as a husk that nobody runs."""
        with contextlib.suppress(NotFound):
            if machine.has_node and machine.obj["metadata"].get("finalizers"):
                await self._note(
                    machine, {machines.PHASE: machines.GONE, machines.DUE: None}, labels={labels.SUBSTRATE: None}
                )
            await self._delete_object(machine)

    async def _delete_object(self, machine: Machine) -> None:
        with contextlib.suppress(NotFound):
            if machine.has_node:
                await self._client.delete(NODES, machine.object_name)
            else:
                await self._client.delete(CONFIG_MAPS, machine.object_name, self._options.namespace)

    # ---- faults that strike running nodes

    async def strike(self, machine: Machine, fault: Fault) -> None:
        """GPU loss, node loss or spot eviction of one machine."""
        if fault.kind is FaultKind.GPU_LOST:
            traits = ",".join(sorted({*machine.traits, fault.kind.value}))
            await self._note(machine, {machines.TRAITS: traits})
            gpus = {labels.GPU_RESOURCE: "0"}
            await self._patch_status(machine.object_name, {"capacity": gpus, "allocatable": gpus})
        elif fault.kind is FaultKind.SPOT_EVICTION and fault.seconds > 0:
            due = format_micro_time(self._clock.now() + timedelta(seconds=fault.seconds / self._options.time_scale))
            await self._note(machine, {machines.PHASE: machines.DOOMED, machines.DUE: due})
        else:
            await self._vanish(machine)

    async def _vanish(self, machine: Machine) -> None:
        """The machine is gone at once, its Node stays behind and turns Unknown: nobody drains it, as on AKS."""
        await self._note(machine, {machines.PHASE: machines.GONE, machines.DUE: None}, labels={labels.SUBSTRATE: None})
        node = await self._client.get(NODES, machine.object_name)
        now = format_time(self._clock.now())
        conditions = [one for one in (node.get("status") or {}).get("conditions") or [] if one["type"] != "Ready"]
        lost = {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        await self._patch_status(machine.object_name, {"conditions": [*conditions, lost]})
        taints = [one for one in node["spec"].get("taints") or [] if one["key"] != "node.kubernetes.io/unreachable"]
        taints += [
            {"key": "node.kubernetes.io/unreachable", "effect": effect} for effect in ("NoSchedule", "NoExecute")
        ]
        await self._client.patch(NODES, machine.object_name, {"spec": {"taints": taints}})

    def _gpu(self, request: NodeRequest) -> GpuConfig:
        gpu = find_sku(self._options.cloud, request.instance_type)
        assert gpu is not None, "create() refuses sizes that the table does not know"
        return gpu
