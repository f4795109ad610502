"""What admission may look at besides the object itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kaito.api import labels
from kaito.api.gpu import GpuConfig
from kaito.api.models import Workspace
from kaito.api.preset import Preset

ConfigMapLookup = Callable[[str, str], Mapping[str, str] | None]
"""(namespace, name) -> the ConfigMap's data (an empty mapping where it has none), or None where there is no such
ConfigMap.
"""


class Catalog(Protocol):
    """The model and SKU tables, as `kaito.catalog.CATALOG` has them. Look-ups that fail raise LookupError with a
    sentence.
    """

    def is_valid_preset(self, name: str) -> bool:
        """Whether `name` counts as a preset name."""

    def is_deprecated(self, name: str) -> bool:
        """Whether `name` was a preset once."""

    def preset(self, name: str) -> Preset:
        """The preset of that name; raises LookupError."""

    def find_sku(self, cloud: str, name: str) -> GpuConfig | None:
        """The size, or None; raises LookupError for an unknown cloud."""

    def sku_names(self, cloud: str) -> list[str]:
        """The supported sizes, sorted; raises LookupError for an unknown cloud."""

    def known_anywhere(self, name: str) -> bool:
        """Whether any cloud's table knows the size."""


def _no_config_map(_namespace: str, _name: str) -> Mapping[str, str] | None:
    return None


@dataclass(frozen=True)
class AdmissionContext:
    """Settings of the operator and a view of the cluster. All of it is data or a pure look-up; nothing does I/O."""

    catalog: Catalog
    config_map: ConfigMapLookup = _no_config_map
    nodes: Callable[[], Sequence[Mapping[str, Any]]] = field(default=lambda: ())
    """The cluster's nodes; called only where nodes are brought along."""
    cloud: str = "azure"
    """azure, aws or arc."""
    provisioner: str = "azure-gpu-provisioner"
    """azure-gpu-provisioner, karpenter or byo."""
    gates: Mapping[str, bool] = field(default_factory=dict)
    """Feature gates that differ from Kaito's defaults (vLLM on, everything else off)."""
    release_namespace: str = "kaito-system"
    """Where the templates of tuning and inference parameters are; empty: unknown."""
    node_classes: Sequence[str] = ()
    """NodeClasses that a Workspace may name, karpenter only."""
    csi_drivers: frozenset[str] = frozenset()
    """Names of the CSIDriver objects, for model streaming."""

    @property
    def auto_provisioning(self) -> bool:
        """Whether nodes are made for Workspaces (anything but byo)."""
        return self.provisioner != "byo"

    def gate(self, name: str) -> bool:
        """Whether a feature gate is on."""
        return self.gates.get(name, name == "vLLM")

    def runtime(self, workspace: Workspace) -> str:
        """`vllm` or `transformers`: the gate, then the annotation, any unknown value counts as vllm."""
        if not self.gate("vLLM"):
            return "transformers"
        return "transformers" if workspace.annotations.get(labels.RUNTIME) == "transformers" else "vllm"
