"""The fake-gpu provider: a cloud whose machines are Node objects.

With the substrate `process` the embedded kubelet manager adopts the Nodes by their label and runs pods on them; this
module never starts a process.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from kaito.api.gpu import GpuConfig
from kaito.catalog.skus import all_skus, find_sku
from kaito.kube.errors import ApiError
from kaito.kube.errors import NotFound as ObjectNotFound
from kaito.kube.resources import CONFIG_MAPS, NODES
from kaito.providers import (
    Capabilities,
    Fault,
    FaultKind,
    LastError,
    NodeRecord,
    NodeRequest,
    Provider,
    ProviderInfo,
    ProviderSettings,
    SkuOffer,
)
from kaito.providers.errors import (
    CapacityUnavailable,
    InvalidRequest,
    NotFound,
    SkuUnavailable,
    Transient,
)
from kaito.providers.faults import STRIKES_NOW
from kaito_fake_gpu import machines
from kaito_fake_gpu.armed import ArmedFaults
from kaito_fake_gpu.keeping import MachineKeeper
from kaito_fake_gpu.machines import Machine
from kaito_fake_gpu.options import Options

VERSION = "0.1.0"
SELECTOR = f"{machines.PROVIDER_LABEL}={machines.PROVIDER_NAME}"
_CREATE_FAULTS = frozenset(kind for kind in FaultKind if Fault(kind=kind).raises_on_create)
_TRAITS = frozenset(
    {FaultKind.NEVER_REGISTERS, FaultKind.NEVER_READY, FaultKind.PLUGIN_NEVER_READY, FaultKind.DUPLICATE_NODE}
)


def create_provider(settings: ProviderSettings) -> FakeGpuProvider:
    """The factory behind the entry point `fake-gpu`; `settings.options` are those of `Options`."""
    try:
        options = Options.model_validate(dict(settings.options))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"option {where}: {first['msg']}") from error
    return FakeGpuProvider(settings, options)


class FakeGpuProvider(Provider):
    """See the module. Faults are armed with `inject`."""

    def __init__(self, settings: ProviderSettings, options: Options) -> None:
        self._client = settings.client
        self._clock = settings.clock
        self._options = options
        self._faults = ArmedFaults()
        self._locks: dict[str, asyncio.Lock] = {}
        self._keeper = MachineKeeper(settings.client, settings.clock, options)

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(
            name="fake-gpu",
            version=VERSION,
            api_version=1,
            capabilities=Capabilities(
                real_pods=self._options.substrate == "process",
                spot=True,
                zones=True,
                partial_capacity=True,
                node_loss=True,
                virtual_time=True,
                max_nodes=self._options.max_nodes,
                typical_provision_seconds=self._seconds(self._options.provision_seconds),
                model_flavor="tiny",
                probe_period_seconds=1,
                probe_initial_delay_seconds=0,
            ),
        )

    async def start(self) -> None:
        await self._keeper.start()

    async def aclose(self) -> None:
        await self._keeper.aclose()

    async def list_skus(self) -> list[SkuOffer]:
        return [
            SkuOffer(
                name=gpu.sku,
                gpu_model=gpu.model,
                gpu_count=gpu.gpu_count,
                gpu_mem_gib_total=gpu.memory_gib,
                vcpus=gpu.vcpus,
                mem_gib=gpu.ram_gib,
                family=gpu.family,
                available=not gpu.model.startswith("AMD"),
                reason="not an NVIDIA GPU" if gpu.model.startswith("AMD") else "",
            )
            for gpu in all_skus(self._options.cloud)
        ]

    async def create(self, request: NodeRequest) -> NodeRecord:
        request = NodeRequest.checked(request)
        gpu = self._gpu(request.instance_type)
        async with self._locks.setdefault(request.name, asyncio.Lock()):
            try:
                return await self._create(request, gpu)
            except ApiError as error:
                raise Transient(f"node {request.name}: the cluster refused it: {error.message}") from error

    async def _create(self, request: NodeRequest, gpu: GpuConfig) -> NodeRecord:
        existing = await self._find(request.name)
        if existing is not None:
            if existing.request.generation_hash != request.generation_hash:
                raise InvalidRequest(f"node {request.name} exists with another specification")
            return machines.record(existing, gpu, self._options)
        struck = self._faults.strike(_CREATE_FAULTS, request.name, request.instance_type)
        later = next((fault for fault in struck if fault.asynchronous), None)
        for fault in struck:
            if not fault.asynchronous:
                raise fault.error(request.name, request.instance_type)
        await self._check_room(request)
        return await self._begin(request, gpu, later)

    async def _begin(self, request: NodeRequest, gpu: GpuConfig, later: Fault | None) -> NodeRecord:
        name, size = request.name, request.instance_type
        if later is None:
            later = next(iter(self._faults.strike({FaultKind.PROVISION_FAILED}, name, size)), None)
        extra = sum(fault.seconds for fault in self._faults.strike({FaultKind.SLOW}, name, size))
        traits = frozenset(fault.kind.value for fault in self._faults.strike(_TRAITS, name, size))
        now = self._clock.now()
        delay = self._seconds(self._options.provision_seconds + extra)
        error = None
        if later is not None:
            cause = later.error(name, size)
            error = LastError(code=cause.code, reason=cause.reason, message=cause.message)
        annotations = machines.notes(
            request,
            phase=machines.CREATING,
            created_at=now,
            due=None if FaultKind.NEVER_REGISTERS in traits else now + timedelta(seconds=delay),
            traits=traits,
            error=error,
        )
        obj = machines.config_map(request, annotations, self._options)
        if delay == 0 and error is None and FaultKind.NEVER_REGISTERS not in traits:
            # No waiting: the Node at once, one write instead of three.
            obj = await self._keeper.register(request, created_at=now, traits=traits)
        else:
            obj = await self._client.create(CONFIG_MAPS, obj)
        machine = machines.read(obj)
        assert machine is not None
        shown = machine if machine.phase != machines.CREATING else _without_error(machine)
        return machines.record(shown, gpu, self._options)

    async def _check_room(self, request: NodeRequest) -> None:
        most = self._options.max_nodes
        if most is not None and len([one for one in await self._machines() if not one.gone]) >= most:
            raise CapacityUnavailable(
                f"node {request.name}: all {most} machines of the fake cloud are taken", scope=request.instance_type
            )

    async def get(self, name: str) -> NodeRecord:
        machine = await self._find(name)
        if machine is None:
            raise NotFound(f"there is no node {name}")
        return await self._record(machine)

    async def list(self, *, owned_only: bool = True) -> list[NodeRecord]:
        found = [await self._record(machine) for machine in await self._machines() if not machine.gone]
        if not owned_only:
            found += await self._foreign()
        return sorted({record.name: record for record in found}.values(), key=lambda record: record.name)

    async def _foreign(self) -> tuple[NodeRecord, ...]:
        """Nodes of the cluster that are not machines of ours, by their Node's name."""
        try:
            nodes = await self._client.list(NODES)
        except ApiError as error:
            raise Transient(f"the cluster does not list its nodes: {error.message}") from error
        return tuple(machines.foreign(node) for node in nodes.items if machines.read({"kind": "Node", **node}) is None)

    async def delete(self, name: str) -> None:
        async with self._locks.setdefault(name, asyncio.Lock()):
            machine = await self._find(name)
            if machine is None:
                self._locks.pop(name, None)
                raise NotFound(f"there is no node {name}")
            for fault in self._faults.strike({FaultKind.DELETE_FAILS}, name, machine.request.instance_type):
                raise fault.error(name, machine.request.instance_type)
            if machine.phase == machines.DELETING:
                return
            stuck = self._faults.strike({FaultKind.DELETE_STUCK}, name, machine.request.instance_type)
            delay = self._seconds(self._options.deprovision_seconds + sum(fault.seconds for fault in stuck))
            try:
                await self._keeper.remove(machine, delay)
            except ApiError as error:
                raise Transient(f"node {name}: the cluster refused its deletion: {error.message}") from error

    # ---- faults

    async def inject(self, fault: Fault) -> None:
        """Arm a fault; GPU loss, node loss and spot eviction strike the matching running nodes now."""
        if fault.kind not in STRIKES_NOW:
            self._faults.arm(fault)
            return
        struck = 0
        for machine in await self._machines():
            if fault.times is not None and struck >= fault.times:
                return
            if machine.has_node and fault.matches(machine.request.name, machine.request.instance_type):
                try:
                    await self._keeper.strike(machine, fault)
                except ApiError as error:
                    raise Transient(
                        f"node {machine.request.name}: the fault did not strike: {error.message}"
                    ) from error
                struck += 1

    async def clear(self) -> None:
        """Disarm everything."""
        self._faults.clear()

    # ---- reading the cluster

    def _seconds(self, seconds: float) -> float:
        return seconds / self._options.time_scale

    def _gpu(self, name: str) -> GpuConfig:
        gpu = find_sku(self._options.cloud, name)
        if gpu is None:
            raise SkuUnavailable(f"the fake cloud has no size {name}", scope=name)
        return gpu

    async def _machines(self) -> tuple[Machine, ...]:
        try:
            nodes = await self._client.list(NODES, label_selector=SELECTOR)
            maps = await self._client.list(CONFIG_MAPS, self._options.namespace, label_selector=SELECTOR)
        except ApiError as error:
            raise Transient(f"the cluster does not list its nodes: {error.message}") from error
        found = [machines.read({"kind": "Node", **obj}) for obj in nodes.items]
        found += [machines.read({**obj, "kind": "ConfigMap"}) for obj in maps.items]
        return tuple(machine for machine in found if machine is not None)

    async def _find(self, name: str) -> Machine | None:
        """The machine of that name: its Node, else its ConfigMap; two look-ups, however many machines there are."""
        for resource, kind, object_name, namespace in (
            (NODES, "Node", machines.node_name(name), None),
            (CONFIG_MAPS, "ConfigMap", machines.record_name(name), self._options.namespace),
        ):
            try:
                found = await self._client.get(resource, object_name, namespace)
            except ObjectNotFound:
                continue
            except ApiError as error:
                raise Transient(f"node {name}: the cluster does not show it: {error.message}") from error
            machine = machines.read({**found, "kind": kind})
            if machine is not None and not machine.gone:
                return machine
        return None

    async def _record(self, machine: Machine) -> NodeRecord:
        twins: tuple[str, ...] = ()
        if FaultKind.DUPLICATE_NODE in machine.traits and machine.has_node:
            twins = (machines.node_name(machine.request.name, 1),)
        shown = _without_error(machine) if machine.phase == machines.CREATING else machine
        return machines.record(shown, self._gpu(machine.request.instance_type), self._options, twins)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "options": self._options.model_dump()}


def _without_error(machine: Machine) -> Machine:
    """A machine that will fail does not say so before it has."""
    return Machine(**{**machine.__dict__, "error": None})
