"""`kaito.sh` Workspace, in the served version v1alpha1 and the stored version v1beta1."""

from __future__ import annotations

from typing import Any, ClassVar

from kaito.api.models.base import ApiModel, Condition, crd
from kaito.api.models.spec import (
    InferenceSpec,
    InferenceSpecV1Alpha1,
    ResourceSpec,
    ResourceSpecV1Alpha1,
    TuningSpec,
    TuningSpecV1Alpha1,
)


class Metric(ApiModel):
    """One measured number."""

    description: str | None = crd(required=True)
    """What was measured."""
    value: str | None = crd(required=True)
    """The number, as text."""
    unit: str | None = crd()
    """Unit of the value."""
    config: dict[str, str] | None = crd()
    """Under which settings it was measured."""


class Performance(ApiModel):
    """Results of the start-up benchmark."""

    metrics: dict[str, Metric] | None = crd()
    """Metrics by name."""


class WorkspaceStatusV1Alpha1(ApiModel):
    """Observed state (v1alpha1)."""

    worker_nodes: list[str] | None = crd()
    """Nodes that the workload runs on."""
    conditions: list[Condition] | None = crd()
    """Current conditions."""
    state: str | None = crd()
    """Pending; Ready or NotReady (inference); Running, Succeeded or Failed (tuning)."""


class WorkspaceStatus(WorkspaceStatusV1Alpha1):
    """Observed state."""

    target_node_count: int | None = crd(format="int32")
    """How many nodes the Workspace needs."""
    performance: Performance | None = crd()
    """Benchmark results."""


class WorkspaceV1Alpha1(ApiModel):
    """A model to serve or to fine-tune, and the nodes to do it on."""

    API_VERSION: ClassVar[str] = "kaito.sh/v1alpha1"

    api_version: str | None = crd()
    """Group and version of this representation."""
    kind: str | None = crd()
    """`Workspace`."""
    metadata: dict[str, Any] | None = crd(x_crd_metadata=True)
    """Standard object metadata."""
    resource: ResourceSpecV1Alpha1 | None = crd()
    """Nodes to run on."""
    inference: InferenceSpecV1Alpha1 | None = crd()
    """Serve a model; excludes tuning."""
    tuning: TuningSpecV1Alpha1 | None = crd()
    """Fine-tune a model; excludes inference."""
    status: WorkspaceStatusV1Alpha1 | None = crd()
    """Observed state."""


class Workspace(WorkspaceV1Alpha1):
    """A model to serve or to fine-tune, and the nodes to do it on."""

    API_VERSION: ClassVar[str] = "kaito.sh/v1beta1"

    resource: ResourceSpec | None = crd()
    """Nodes to run on."""
    inference: InferenceSpec | None = crd()
    """Serve a model; excludes tuning."""
    tuning: TuningSpec | None = crd()
    """Fine-tune a model; excludes inference."""
    status: WorkspaceStatus | None = crd()
    """Observed state."""

    @property
    def name(self) -> str:
        """metadata.name, or an empty string."""
        return str((self.metadata or {}).get("name") or "")

    @property
    def namespace(self) -> str:
        """metadata.namespace, or an empty string."""
        return str((self.metadata or {}).get("namespace") or "")

    @property
    def annotations(self) -> dict[str, str]:
        """metadata.annotations, never None."""
        return dict((self.metadata or {}).get("annotations") or {})
