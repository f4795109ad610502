"""What travels between reconcilers and providers. All models are frozen, refuse unknown fields and survive JSON.

Units: disk and memory in GiB, times aware UTC datetimes, durations in seconds. `provider_id` is opaque: nobody parses
it.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kaito.providers.errors import InvalidRequest

PROVIDER_API_VERSION = 1
"""Raised when a change breaks existing providers; a provider states in its ProviderInfo which one it was written for.
"""

NAME_PATTERN = r"^[a-z][a-z0-9]{0,11}$"
"""Names of node requests: AKS agent pools allow no more."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Taint(_Model):
    """A node taint."""

    key: str
    """Key."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What it does to pods that do not tolerate it."""
    value: str = ""
    """Value."""

    def to_object(self) -> dict[str, str]:
        """As in `spec.taints` of a Node."""
        return {"key": self.key, "effect": self.effect} | ({"value": self.value} if self.value else {})


class Owner(_Model):
    """Who asked for the node."""

    kind: str
    """Kind, such as NodeClaim."""
    name: str
    """Name."""
    namespace: str = ""
    """Namespace; empty for cluster-scoped owners."""
    uid: str = ""
    """UID."""


class NodeRequest(_Model):
    """One wanted node. `name` is the idempotency key."""

    name: str = Field(pattern=NAME_PATTERN)
    """1 to 12 lower-case letters and digits, a letter first."""
    owner: Owner
    """Who asks."""
    instance_type: str = Field(min_length=1)
    """SKU."""
    disk_gib: int = Field(gt=0)
    """System disk."""
    labels: dict[str, str] = {}
    """Labels for the Node, arrive unchanged."""
    annotations: dict[str, str] = {}
    """Annotations for the Node."""
    taints: tuple[Taint, ...] = ()
    """Taints for the Node."""
    startup_taints: tuple[Taint, ...] = ()
    """Taints that somebody removes after the start; a provider that cannot set them leaves them out."""
    image_family: str = "ubuntu"
    """`ubuntu` or `azurelinux`."""
    capacity_type: Literal["on-demand", "spot"] = "on-demand"
    """Price model."""
    zones: tuple[str, ...] = ()
    """Acceptable zones; empty: any."""
    tags: dict[str, str] = {}
    """Tags for the cloud resource."""

    @property
    def generation_hash(self) -> str:
        """Fingerprint of the request: two requests of one name are the same node only if these are equal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @classmethod
    def checked(cls, request: NodeRequest | dict[str, Any]) -> NodeRequest:
        """A valid request, or InvalidRequest naming the field: the first thing that `create` does."""
        data = request.model_dump() if isinstance(request, BaseModel) else request
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidRequest(f"{where}: {first['msg']} (got {str(first.get('input'))[:60]!r})") from error


class NodeState(StrEnum):
    """Where a record stands; absence means gone."""

    PENDING = "PENDING"
    """Accepted, nothing begun."""
    CREATING = "CREATING"
    """Being made; no Node yet."""
    RUNNING = "RUNNING"
    """The machine runs and its Node has joined (Ready or not; `capacity` tells what it offers)."""
    FAILED = "FAILED"
    """Could not be made; stays until deleted, `last_error` says why."""
    DELETING = "DELETING"
    """Being removed."""


class LastError(_Model):
    """An error that came after `create` had returned."""

    code: str
    """The provider's own code."""
    reason: str
    """Condition reason of the error class (`kaito.providers.errors`)."""
    message: str
    """Sentence for a person."""


class NodeRecord(_Model):
    """What a provider knows about one requested node."""

    name: str
    """Name of the request."""
    state: NodeState
    """Where it stands."""
    instance_type: str
    """SKU."""
    provider_id: str | None = None
    """Unique and stable; equals the Node's spec.providerID once there is a Node."""
    node_names: tuple[str, ...] = ()
    """Names of its Node objects; normally one."""
    labels: dict[str, str] = {}
    """Labels that the provider gives the Node."""
    taints: tuple[Taint, ...] = ()
    """Taints of the request."""
    capacity: dict[str, str] = {}
    """Resources of the machine as far as they are known, as quantities; the GPU resource only once it is really there.
    """
    owner: Owner | None = None
    """Who asked, where the provider kept it."""
    disk_gib: int | None = None
    """System disk."""
    image_family: str = ""
    """Image family."""
    created_at: AwareDatetime | None = None
    """When it was asked for."""
    zone: str = ""
    """Zone."""
    capacity_type: str = "on-demand"
    """Price model."""
    last_error: LastError | None = None
    """Why it failed, or what went wrong last."""
    generation_hash: str = ""
    """Fingerprint of the request."""


class SkuOffer(_Model):
    """A size that the provider knows, available or not."""

    name: str
    """SKU."""
    gpu_model: str
    """GPU."""
    gpu_count: int
    """GPUs of a node."""
    gpu_mem_gib_total: int
    """Memory of all GPUs together."""
    vcpus: int = 0
    """Processors; 0: unknown."""
    mem_gib: int = 0
    """Memory; 0: unknown."""
    family: str = ""
    """Quota family."""
    available: bool = True
    """Whether a node can be had now."""
    reason: str = ""
    """Why not."""


class Capabilities(_Model):
    """What a provider can do. The contract suite runs a case only where its flag is set; left-out ones are reported."""

    real_pods: bool = True
    """Pods on its nodes really run."""
    dynamic_nodes: bool = True
    """Nodes can be made and removed at will."""
    spot: bool = False
    """Spot nodes can be asked for, and are evicted."""
    zones: bool = False
    """Zones can be asked for."""
    partial_capacity: bool = False
    """Capacity can run out between two requests."""
    node_loss: bool = False
    """A machine can vanish by itself."""
    gpu_metrics: bool = False
    """GPU metrics are exported."""
    virtual_time: bool = False
    """All waiting goes through the injected clock."""
    max_nodes: int | None = None
    """Most nodes at a time; None: no limit of its own."""
    serial_operations: bool = False
    """One operation at a time."""
    typical_provision_seconds: float = 300
    """How long a node usually takes."""
    model_flavor: Literal["full", "tiny"] = "full"
    """Real weights, or tiny stand-ins of the same architecture."""
    probe_period_seconds: int = 10
    """Period of the probes of pods on its nodes."""
    probe_initial_delay_seconds: int = 30
    """Initial delay of those probes."""


class ProviderInfo(_Model):
    """Who a provider is."""

    name: str
    """Name, as in `--provider`."""
    version: str
    """Version of the distribution."""
    api_version: int
    """PROVIDER_API_VERSION that it was written for, as a literal number."""
    capabilities: Capabilities
    """What it can do."""


class RepairPolicy(_Model):
    """A node condition that means the machine must be replaced."""

    condition_type: str
    """Type of the Node condition."""
    condition_status: str
    """Its status."""
    toleration_seconds: float
    """How long that is tolerated."""


__all__ = [
    "NAME_PATTERN",
    "PROVIDER_API_VERSION",
    "Capabilities",
    "LastError",
    "NodeRecord",
    "NodeRequest",
    "NodeState",
    "Owner",
    "ProviderInfo",
    "RepairPolicy",
    "SkuOffer",
    "Taint",
]
