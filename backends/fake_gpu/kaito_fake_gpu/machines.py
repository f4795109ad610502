"""Machines of the fake cloud as objects of the cluster: a ConfigMap until the Node is there, then the Node itself.

Nothing else remembers anything, so a new provider sees all that an earlier one had begun. Pure functions; no I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig
from kaito.kube.objects import format_micro_time, parse_time
from kaito.providers import LastError, NodeRecord, NodeRequest, NodeState
from kaito_fake_gpu.options import Options

PREFIX = "testbed.kaito.sh/"
PROVIDER_LABEL = PREFIX + "provider"
PROVIDER_NAME = "fake-gpu"
MACHINE = PREFIX + "machine"
"""Annotation: the request, as JSON."""
CREATED = PREFIX + "created-at"
DUE = PREFIX + "due"
"""Annotation: when the next step happens; absent: never."""
PHASE = PREFIX + "phase"
"""Annotation: one of PHASES."""
ERROR = PREFIX + "error"
"""Annotation: LastError as JSON."""
TRAITS = PREFIX + "faults"
"""Annotation: faults that the machine was made with, comma separated."""

CREATING = "creating"
FAILED = "failed"
STARTING = "starting"
"""The Node is there, its GPUs are not yet."""
RUNNING = "running"
DELETING = "deleting"
DOOMED = "doomed"
"""Announced to be evicted."""
GONE = "gone"
"""The machine is no more; only the Node object is left, held by somebody's finalizer."""


@dataclass(frozen=True)
class Machine:
    """One machine, read from its object."""

    request: NodeRequest
    phase: str
    created_at: datetime
    due: datetime | None
    traits: frozenset[str]
    error: LastError | None
    obj: Mapping[str, Any]
    """The Node or the ConfigMap."""

    @property
    def has_node(self) -> bool:
        """Whether there is a Node."""
        return self.obj.get("kind") != "ConfigMap"

    @property
    def object_name(self) -> str:
        """Name of the object."""
        return str(self.obj["metadata"]["name"])

    @property
    def gone(self) -> bool:
        """Whether the machine is no more."""
        return self.phase == GONE


def read(obj: Mapping[str, Any]) -> Machine | None:
    """The machine of a Node or ConfigMap; None when the object is not one of ours."""
    notes = obj["metadata"].get("annotations") or {}
    if MACHINE not in notes:
        return None
    due = notes.get(DUE)
    return Machine(
        request=NodeRequest.model_validate_json(notes[MACHINE]),
        phase=notes.get(PHASE, RUNNING),
        created_at=parse_time(notes[CREATED]),
        due=parse_time(due) if due else None,
        traits=frozenset(filter(None, notes.get(TRAITS, "").split(","))),
        error=LastError.model_validate_json(notes[ERROR]) if ERROR in notes else None,
        obj=obj,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def provider_id(request: NodeRequest) -> str:
    """Stable for a request, different for a new one of the same name by another owner."""
    return f"fake-gpu:///machines/{request.name}/{_digest(f'{request.name}/{request.owner.uid}')[:12]}"


def node_name(request_name: str, number: int = 0) -> str:
    """As AKS names the nodes of an agent pool; told by the name alone, so a machine is found without a search."""
    return f"aks-{request_name}-{int(_digest(request_name)[:7], 16) % 10**8:08d}-vmss{number:06d}"


def record_name(request_name: str) -> str:
    """Name of the ConfigMap."""
    return f"fake-gpu-{request_name}"


def notes(
    request: NodeRequest,
    *,
    phase: str,
    created_at: datetime,
    due: datetime | None = None,
    traits: frozenset[str] = frozenset(),
    error: LastError | None = None,
) -> dict[str, str]:
    """The annotations that make an object a machine."""
    found = {MACHINE: request.model_dump_json(), PHASE: phase, CREATED: format_micro_time(created_at)}
    if due is not None:
        found[DUE] = format_micro_time(due)
    if traits:
        found[TRAITS] = ",".join(sorted(traits))
    if error is not None:
        found[ERROR] = error.model_dump_json()
    return found


def config_map(request: NodeRequest, annotations: Mapping[str, str], options: Options) -> dict[str, Any]:
    """A machine without a Node."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(request.name),
            "namespace": options.namespace,
            "labels": {PROVIDER_LABEL: PROVIDER_NAME},
            "annotations": dict(annotations),
        },
    }


def node_labels(request: NodeRequest, gpu: GpuConfig, options: Options) -> dict[str, str]:
    """Labels of the Node: what AKS, its GPU feature discovery and the request give it."""
    name = node_name(request.name)
    zone = request.zones[0] if request.zones else f"{options.region}-1"
    found = {
        labels.AGENT_POOL: request.name,
        labels.AKS_AGENT_POOL: request.name,
        labels.INSTANCE_TYPE: request.instance_type,
        labels.HOSTNAME: name,
        labels.OS: "linux",
        labels.ARCH: "amd64",
        labels.REGION: options.region,
        labels.ZONE: zone,
        labels.CAPACITY_TYPE: request.capacity_type,
        labels.MACHINE_TYPE: "gpu" if gpu.gpu_count else "cpu",
        labels.ACCELERATOR: labels.ACCELERATOR_NVIDIA,
        labels.GPU_PRODUCT: gpu.model.replace(" ", "-"),
        labels.GPU_COUNT: str(gpu.gpu_count),
        labels.GPU_MEMORY: str(gpu.memory_gib * 1024 // max(gpu.gpu_count, 1)),
        labels.CUDA_MAJOR: str(int(gpu.cuda)),
        labels.CUDA_MINOR: str(round(gpu.cuda * 10) % 10),
        PROVIDER_LABEL: PROVIDER_NAME,
    }
    if request.capacity_type == "spot":
        found[labels.AKS_SCALE_SET_PRIORITY] = "spot"
    return {**found, **request.labels}


def node(
    request: NodeRequest, gpu: GpuConfig, annotations: Mapping[str, str], options: Options, *, adopted: bool = True
) -> dict[str, Any]:
    """The Node of a machine; `adopted=False` keeps the kubelet manager away from it."""
    found = node_labels(request, gpu, options)
    if adopted and options.substrate == "process":
        found[labels.SUBSTRATE] = labels.SUBSTRATE_PROCESS
    taints = [taint.to_object() for taint in (*request.taints, *request.startup_taints)]
    if request.capacity_type == "spot":
        taints.append({"key": labels.AKS_SCALE_SET_PRIORITY, "value": "spot", "effect": "NoSchedule"})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node_name(request.name),
            "labels": found,
            "annotations": {**request.annotations, **annotations},
        },
        "spec": {"providerID": provider_id(request)} | ({"taints": taints} if taints else {}),
    }


_STATES = {
    CREATING: NodeState.CREATING,
    FAILED: NodeState.FAILED,
    STARTING: NodeState.RUNNING,
    RUNNING: NodeState.RUNNING,
    DOOMED: NodeState.RUNNING,
    DELETING: NodeState.DELETING,
}


def record(machine: Machine, gpu: GpuConfig, options: Options, twins: tuple[str, ...] = ()) -> NodeRecord:
    """What reconcilers see. `twins`: names of further Nodes with the same provider id."""
    request = machine.request
    status = machine.obj.get("status") or {}
    expected = node_labels(request, gpu, options)
    return NodeRecord(
        name=request.name,
        state=_STATES[machine.phase],
        instance_type=request.instance_type,
        provider_id=provider_id(request),
        node_names=(machine.object_name, *twins) if machine.has_node else (),
        labels=expected,
        taints=(*request.taints, *request.startup_taints),
        capacity={key: str(value) for key, value in (status.get("capacity") or {}).items()},
        owner=request.owner,
        disk_gib=request.disk_gib,
        image_family=request.image_family,
        created_at=machine.created_at,
        zone=expected[labels.ZONE],
        capacity_type=request.capacity_type,
        last_error=machine.error,
        generation_hash=request.generation_hash,
    )


def foreign(node: Mapping[str, Any]) -> NodeRecord:
    """A Node that somebody else made."""
    metadata = node["metadata"]
    found = metadata.get("labels") or {}
    return NodeRecord(
        name=metadata["name"],
        state=NodeState.RUNNING,
        instance_type=found.get(labels.INSTANCE_TYPE, ""),
        provider_id=(node.get("spec") or {}).get("providerID"),
        node_names=(metadata["name"],),
        labels=found,
        capacity={key: str(value) for key, value in ((node.get("status") or {}).get("capacity") or {}).items()},
    )
