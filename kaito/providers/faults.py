"""Faults that a test or a scenario can ask a provider for. Only providers that simulate implement this."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from kaito.providers import errors


class FaultKind(StrEnum):
    """What goes wrong. The first group is answered by `create`, the second strikes later."""

    QUOTA = "quota"
    SKU_UNAVAILABLE = "sku-unavailable"
    CAPACITY = "capacity"
    THROTTLED = "throttled"
    IN_PROGRESS = "in-progress"
    UNAUTHORIZED = "unauthorized"
    POLICY = "policy"
    TRANSIENT = "transient"

    PROVISION_FAILED = "provision-failed"
    """The record turns FAILED after the provisioning delay."""
    SLOW = "slow"
    """Provisioning takes `seconds` longer."""
    NEVER_REGISTERS = "never-registers"
    """The machine runs, a Node never comes."""
    NEVER_READY = "never-ready"
    """The Node comes and stays NotReady."""
    PLUGIN_NEVER_READY = "plugin-never-ready"
    """The Node is Ready and never shows a GPU."""
    DUPLICATE_NODE = "duplicate-node"
    """Two Nodes with one provider id."""
    DELETE_FAILS = "delete-fails"
    """`delete` raises."""
    DELETE_STUCK = "delete-stuck"
    """Removal takes `seconds` longer."""

    GPU_LOST = "gpu-lost"
    """A running node's GPUs go to zero."""
    NODE_LOSS = "node-loss"
    """A running machine vanishes."""
    SPOT_EVICTION = "spot-eviction"
    """A running machine is announced to vanish and does so `seconds` later."""


STRIKES_NOW = frozenset({FaultKind.GPU_LOST, FaultKind.NODE_LOSS, FaultKind.SPOT_EVICTION})
"""Faults that hit running nodes at once instead of waiting for a request."""

_ERRORS: dict[FaultKind, type[errors.ProviderError]] = {
    FaultKind.QUOTA: errors.QuotaExceeded,
    FaultKind.SKU_UNAVAILABLE: errors.SkuUnavailable,
    FaultKind.CAPACITY: errors.CapacityUnavailable,
    FaultKind.THROTTLED: errors.Throttled,
    FaultKind.IN_PROGRESS: errors.OperationInProgress,
    FaultKind.UNAUTHORIZED: errors.AuthFailed,
    FaultKind.POLICY: errors.PolicyDenied,
    FaultKind.TRANSIENT: errors.Transient,
    FaultKind.PROVISION_FAILED: errors.ProvisionFailed,
    FaultKind.DELETE_FAILS: errors.Transient,
}
_TEXTS: dict[FaultKind, str] = {
    FaultKind.QUOTA: "the quota of the GPU family is used up",
    FaultKind.SKU_UNAVAILABLE: "the size is not available for this subscription in this region",
    FaultKind.CAPACITY: "Allocation failed: there is not enough capacity for the size in this region",
    FaultKind.THROTTLED: "too many requests",
    FaultKind.IN_PROGRESS: "another operation on the cluster is in progress",
    FaultKind.UNAUTHORIZED: "the credentials are not allowed to do this",
    FaultKind.POLICY: "a policy does not allow this",
    FaultKind.TRANSIENT: "the provider did not answer properly",
    FaultKind.PROVISION_FAILED: "the machine did not start",
    FaultKind.DELETE_FAILS: "the machine could not be deleted",
}


class Fault(BaseModel):
    """One fault, for requests or nodes whose name matches `target`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    """What goes wrong."""
    target: str = "*"
    """Glob on the name of the node request."""
    instance_type: str = "*"
    """Glob on the size."""
    times: int | None = Field(default=1, ge=1)
    """How often it strikes; None: always."""
    skip: int = Field(default=0, ge=0)
    """How many matching requests are spared first: `capacity` with skip 2 gives two nodes of any number."""
    seconds: float = Field(default=0, ge=0)
    """Delay of the kinds that have one."""
    retry_after: float | None = None
    """What the error carries."""
    asynchronous: bool = False
    """An error that `create` would raise comes after it has returned, on the record."""
    message: str = ""
    """Instead of the standard sentence."""

    def matches(self, name: str, instance_type: str) -> bool:
        """Whether the fault is about this request."""
        return fnmatchcase(name, self.target) and fnmatchcase(instance_type, self.instance_type)

    def error(self, name: str, instance_type: str) -> errors.ProviderError:
        """The error that the fault raises for a request; only for kinds that raise one."""
        text = self.message or f"node {name} ({instance_type}): {_TEXTS[self.kind]}"
        if self.kind is FaultKind.QUOTA:
            return errors.QuotaExceeded(
                text, retry_after=self.retry_after, scope=instance_type, limit=0, usage=0, required=1
            )
        return _ERRORS[self.kind](text, retry_after=self.retry_after, scope=instance_type)

    @property
    def raises_on_create(self) -> bool:
        """Whether `create` answers with an error."""
        return self.kind in _ERRORS and self.kind not in {FaultKind.PROVISION_FAILED, FaultKind.DELETE_FAILS}

    @property
    def error_class(self) -> type[errors.ProviderError] | None:
        """The class of error that comes of it, None for kinds without one."""
        return _ERRORS.get(self.kind)


@runtime_checkable
class FaultInjectable(Protocol):
    """A provider that can be made to fail."""

    async def inject(self, fault: Fault) -> None:
        """Arm `fault`; kinds that strike running nodes do so now."""

    async def clear(self) -> None:
        """Disarm everything that has not struck yet."""
