"""The desired state of a Workspace: resource, inference, tuning."""

from __future__ import annotations

from typing import Any

from kaito.api.models.base import ApiModel, LabelSelector, crd, preserve_unknown
from kaito.api.models.data import AdapterSpec, DataDestination, DataSource

PARTITION_MODES = ["mig", "accelerator"]


class GpuPartition(ApiModel):
    """Part of a node's GPUs; BYO nodes only."""

    # Kaito's CRD states the enumeration twice, so the server's refusal has two sentences; users may match on them.
    mode: str | None = crd(required=True, allOf=[{"enum": PARTITION_MODES}, {"enum": PARTITION_MODES}])
    """`mig` (one slice) or `accelerator` (some whole GPUs)."""
    profile: str | None = crd()
    """MIG profile such as `1g.10gb`; mode `mig` only."""
    count: int | None = crd(minimum=1)
    """Number of whole GPUs; mode `accelerator` only."""


class ResourceSpecV1Alpha1(ApiModel):
    """Which nodes the Workspace runs on (v1alpha1)."""

    count: int | None = crd(default=1)
    """Number of GPU nodes."""
    instance_type: str | None = crd(default="Standard_NC24ads_A100_v4")
    """SKU of the GPU nodes."""
    label_selector: LabelSelector | None = crd(required=True, x_kubernetes_map_type="atomic")
    """Labels that the GPU nodes must have."""
    preferred_nodes: list[str] | None = crd()
    """Names of existing nodes to use first."""


class ResourceSpec(ResourceSpecV1Alpha1):
    """Which nodes the Workspace runs on."""

    instance_type: str | None = crd()
    """SKU of the GPU nodes; required where nodes are provisioned, empty where nodes are brought along."""
    partition: GpuPartition | None = crd()
    """Use part of a node's GPUs instead of all of them."""


class PresetOptionsV1Alpha1(ApiModel):
    """Options of a preset (v1alpha1)."""

    image: str | None = crd()
    """Image that holds the model."""
    image_pull_secrets: list[str] | None = crd()
    """Secrets for pulling that image."""


class PresetOptions(PresetOptionsV1Alpha1):
    """Options of a preset."""

    model_access_secret: str | None = crd()
    """Secret with the key HF_TOKEN, for gated models."""


class PresetSpecV1Alpha1(ApiModel):
    """A supported base model (v1alpha1)."""

    name: str | None = crd(required=True)
    """Preset name, alias, or a Hugging Face id `organisation/model`."""
    access_mode: str | None = crd(default="public", enum=["public", "private"])
    """Whether the model image is public."""
    preset_options: PresetOptionsV1Alpha1 | None = crd()
    """Options."""


class PresetSpec(PresetSpecV1Alpha1):
    """A supported base model."""

    preset_options: PresetOptions | None = crd()
    """Options."""


class InferenceSpecV1Alpha1(ApiModel):
    """Serve a model (v1alpha1)."""

    preset: PresetSpecV1Alpha1 | None = crd()
    """Base model with preset configuration; excludes template."""
    template: Any = preserve_unknown()
    """Pod template to run instead of a preset."""
    config: str | None = crd()
    """ConfigMap in the same namespace with the key `inference_config.yaml`."""
    adapters: list[AdapterSpec] | None = crd()
    """Adapters to load, at most 10."""


class InferenceSpec(InferenceSpecV1Alpha1):
    """Serve a model."""

    preset: PresetSpec | None = crd()
    """Base model with preset configuration; excludes template."""


class TuningSpecV1Alpha1(ApiModel):
    """Fine-tune a model (v1alpha1)."""

    preset: PresetSpecV1Alpha1 | None = crd()
    """Base model to tune."""
    method: str | None = crd()
    """`lora` or `qlora`."""
    config: str | None = crd()
    """ConfigMap in the same namespace with the key `training_config.yaml`; absent: the template of the method."""
    input: DataSource | None = crd(required=True)
    """Training data."""
    output: DataDestination | None = crd(required=True)
    """Where the tuned adapter goes."""


class TuningSpec(TuningSpecV1Alpha1):
    """Fine-tune a model."""

    preset: PresetSpec | None = crd()
    """Base model to tune."""
