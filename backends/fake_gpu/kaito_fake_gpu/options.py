"""Options of the fake-gpu provider."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """How the fake cloud behaves. All durations in seconds of the injected clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    substrate: Literal["process", "simulated"] = "process"
    """`process`: the process kubelet adopts the nodes and runs pods on them. `simulated`: nobody does; the provider
    itself makes the Nodes Ready, and pods on them only exist."""
    provision_seconds: float = Field(default=0.5, ge=0)
    """From the request to the Node."""
    plugin_seconds: float = Field(default=0.5, ge=0)
    """From the Node to its GPUs, as if a device plugin had to start."""
    deprovision_seconds: float = Field(default=0, ge=0)
    """From the deletion to the end of the machine."""
    time_scale: float = Field(default=1, gt=0)
    """All three are divided by this."""
    max_nodes: int | None = Field(default=None, ge=1)
    """More nodes than this at a time are refused for lack of capacity."""
    region: str = "local"
    """Value of the region label; the zone is `<region>-1`."""
    cloud: Literal["azure", "aws", "arc"] = "azure"
    """Whose sizes are offered."""
    namespace: str = "kube-system"
    """Where machines without a Node are remembered, as ConfigMaps."""
