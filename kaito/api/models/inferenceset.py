"""`kaito.sh` InferenceSet: several equal inference Workspaces behind one scale, in both versions."""

from __future__ import annotations

from typing import Any, ClassVar

from kaito.api.models.base import ApiModel, Condition, LabelSelector, crd, preserve_unknown
from kaito.api.models.spec import GpuPartition, InferenceSpec


class MaintenanceWindow(ApiModel):
    """When replicas may be upgraded."""

    schedule: str | None = crd(required=True)
    """Cron expression, UTC."""
    duration: str | None = crd(default="4h")
    """Length of the window."""


class AutoUpgrade(ApiModel):
    """Upgrade of the base image."""

    enabled: bool | None = crd(default=False)
    """Whether replicas are upgraded by themselves."""
    strategy: str | None = crd(default="InPlace", enum=["InPlace", "Surge"])
    """InPlace or Surge."""
    maintenance_window: MaintenanceWindow | None = crd()
    """When."""


class ReplicaResourceV1Alpha1(ApiModel):
    """Nodes of one replica (v1alpha1)."""

    instance_type: str | None = crd()
    """SKU of the nodes."""


class ReplicaResource(ReplicaResourceV1Alpha1):
    """Nodes of one replica."""

    partition: GpuPartition | None = crd()
    """Part of a node's GPUs."""


class ReplicaTemplateV1Alpha1(ApiModel):
    """The Workspace made for each replica (v1alpha1)."""

    metadata: Any = preserve_unknown()
    """Labels and annotations for the Workspaces."""
    resource: ReplicaResourceV1Alpha1 | None = crd()
    """Nodes."""
    inference: InferenceSpec | None = crd(required=True)
    """What to serve."""


class ReplicaTemplate(ReplicaTemplateV1Alpha1):
    """The Workspace made for each replica."""

    resource: ReplicaResource | None = crd()
    """Nodes."""


class InferenceSetSpecV1Alpha1(ApiModel):
    """Desired state (v1alpha1)."""

    replicas: int | None = crd(default=1, format="int32", minimum=0)
    """Number of Workspaces."""
    node_count_limit: int | None = crd()
    """Most nodes that all replicas may use."""
    label_selector: LabelSelector | None = crd(required=True, x_kubernetes_map_type="atomic")
    """Labels of the nodes."""
    template: ReplicaTemplateV1Alpha1 | None = crd(required=True)
    """One replica."""
    update_strategy: Any = crd(
        default={"rollingUpdate": {"maxUnavailable": 1}, "type": "RollingUpdate"},
        x_kubernetes_preserve_unknown_fields=True,
    )
    """How replicas are replaced."""
    auto_upgrade: AutoUpgrade | None = crd()
    """Upgrade of the base image."""


class InferenceSetSpec(InferenceSetSpecV1Alpha1):
    """Desired state."""

    template: ReplicaTemplate | None = crd(required=True)
    """One replica."""


class MetricV1Alpha1(ApiModel):
    """One measured number (v1alpha1)."""

    description: str | None = crd(required=True)
    """What was measured."""
    value: str | None = crd(required=True)
    """The number, as text."""
    unit: str | None = crd()
    """Unit of the value."""


class PerformanceV1Alpha1(ApiModel):
    """Benchmark results (v1alpha1)."""

    metrics: dict[str, MetricV1Alpha1] | None = crd()
    """Metrics by name."""


class Metric(MetricV1Alpha1):
    """One measured number."""

    config: dict[str, str] | None = crd()
    """Under which settings it was measured."""


class Performance(PerformanceV1Alpha1):
    """Benchmark results."""

    metrics: dict[str, Metric] | None = crd()  # type: ignore[assignment]
    """Metrics by name."""


class AutoUpgradeStatus(ApiModel):
    """Progress of upgrades."""

    num_drifted_workspaces: int | None = crd()
    """How many replicas run an old image."""
    last_successful_upgrade_time: str | None = crd(format="date-time")
    """When the last upgrade ended."""


class InferenceSetStatusV1Alpha1(ApiModel):
    """Observed state (v1alpha1)."""

    replicas: int | None = crd()
    """Number of Workspaces."""
    ready_replicas: int | None = crd()
    """How many are ready."""
    selector: str | None = crd()
    """Selector of the replicas, for the scale subresource."""
    conditions: list[Condition] | None = crd()
    """Current conditions."""
    performance: PerformanceV1Alpha1 | None = crd()
    """Benchmark results."""
    auto_upgrade: AutoUpgradeStatus | None = crd()
    """Progress of upgrades."""


class InferenceSetStatus(InferenceSetStatusV1Alpha1):
    """Observed state."""

    performance: Performance | None = crd()
    """Benchmark results."""


class InferenceSetV1Alpha1(ApiModel):
    """Several equal inference Workspaces."""

    API_VERSION: ClassVar[str] = "kaito.sh/v1alpha1"

    api_version: str | None = crd()
    """Group and version of this representation."""
    kind: str | None = crd()
    """`InferenceSet`."""
    metadata: dict[str, Any] | None = crd(x_crd_metadata=True)
    """Standard object metadata."""
    spec: InferenceSetSpecV1Alpha1 | None = crd(required=True)
    """Desired state."""
    status: InferenceSetStatusV1Alpha1 | None = crd()
    """Observed state."""


class InferenceSet(InferenceSetV1Alpha1):
    """Several equal inference Workspaces."""

    API_VERSION: ClassVar[str] = "kaito.sh/v1beta1"

    spec: InferenceSetSpec | None = crd(required=True)
    """Desired state."""
    status: InferenceSetStatus | None = crd()
    """Observed state."""
