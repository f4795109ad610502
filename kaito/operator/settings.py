"""What an operator is started with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kaito.api.images import RUNTIME_IMAGE
from kaito.operator.manifests.timings import FULL_TIMINGS, TINY_TIMINGS, Timings

ModelFlavor = Literal["full", "tiny"]
NodeProvisioner = Literal["nodeclaim", "byo"]
Cloud = Literal["azure", "aws", "arc"]


@dataclass(frozen=True)
class OperatorSettings:
    """Everything about an operator that is not in the cluster. Frozen: a change means a new operator."""

    release_namespace: str = "kaito-system"
    """Where the operator's own objects live: parameter templates, the mirror map, its leader lease."""

    image: str = RUNTIME_IMAGE
    """The one runtime image that every container we make runs."""

    model_flavor: ModelFlavor = "tiny"
    """Which weights a preset resolves to, from the provider's capabilities. It picks the parameter templates and
    the probe timings."""

    timings: Timings | None = None
    """Probe delays and periods; None takes those of the flavour."""

    serve_after_tuning: bool = True
    """Whether a tuning workspace that succeeded is served. The annotation `kaito.sh/serve-after-tuning` wins."""

    node_provisioner: NodeProvisioner = "nodeclaim"
    """`nodeclaim` makes a Karpenter NodeClaim for each node; `byo` uses nodes that are already there."""

    cloud: Cloud = "azure"
    """Which SKU table, node class and tolerations apply."""

    mirrors_config_map: str | None = "kaito-mirrors"
    """The ConfigMap in the release namespace with the mirror map (key `mirrors.yaml`). Where it exists it is copied
    into the namespaces of workspaces and mounted in containers that fetch things. None: no mirrors anywhere."""

    default_image_family: str = "ubuntu"
    """The node image family of workspaces that do not name one."""

    weights_storage_class: str | None = "kaito-local-nvme-disk"
    """The storage class for a model's weights on machines with a local NVMe disk. Where the class does not exist, or
    with None, weights go into an emptyDir."""

    vllm_enabled: bool = True
    """Kaito's gate `vLLM`: false makes every workspace use the transformers runtime."""

    workers: int = 8
    """How many workspaces are reconciled at the same time."""

    status_quiet_seconds: float = 0.5
    """How long a status change that flips nothing (a message, a node name) may wait for more of its kind."""

    revision_history_limit: int = 10
    """ControllerRevisions kept for a workspace beside the current one."""

    @property
    def provisions_nodes(self) -> bool:
        """Whether the operator asks for nodes (Kaito: node auto-provisioning is enabled)."""
        return self.node_provisioner != "byo"

    @property
    def pod_timings(self) -> Timings:
        """The timings in force."""
        if self.timings is not None:
            return self.timings
        return FULL_TIMINGS if self.model_flavor == "full" else TINY_TIMINGS
