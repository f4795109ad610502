"""What a node offers in GPUs: as a SKU table says, as GPU feature discovery labels say, or as a MIG slice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kaito.api import labels
from kaito.api.quantity import GIB

_MIG_FORMAT = re.compile(r"^(\d+)g\.([\d.]+)gb$")
MIG_PROFILES = tuple(
    f"{slices}g.{memory}gb"
    for slices, memories in (
        (1, (5, 6, 10, 12, 18, 20, 23, 24, 35, 45)),
        (2, (10, 12, 20, 24, 35, 45)),
        (3, (20, 40, 47, 48, 71, 90)),
        (4, (20, 24, 40, 47, 48, 71, 90)),
        (7, (40, 80, 94, 96, 141, 180)),
    )
    for memory in memories
)
"""The profiles that NVIDIA defines and Kaito 0.12 accepts."""


class GpuConfigError(ValueError):
    """No usable GPU configuration; the message says which node, label or profile."""


@dataclass(frozen=True)
class GpuConfig:
    """GPUs of one node.

    `memory_bytes` is the total over all `gpu_count` GPUs. `vcpus` and `ram_gib` are 0 where the table does not know
    them.
    """

    sku: str
    gpu_count: int
    memory_bytes: int
    model: str
    nvme: bool = False
    cuda: float = 0.0
    is_mig: bool = False
    vcpus: int = 0
    ram_gib: int = 0
    family: str = ""
    seed_era: bool = False

    @property
    def memory_gib(self) -> int:
        """Total GPU memory in whole GiB."""
        return self.memory_bytes // GIB

    def only(self, gpus: int) -> GpuConfig:
        """The part of this node that `gpus` of its GPUs make up."""
        return replace(self, gpu_count=gpus, memory_bytes=self.memory_bytes // self.gpu_count * gpus)


def from_node_labels(node: Mapping[str, Any]) -> GpuConfig:
    """GPUs of an existing node by its GPU feature discovery labels; raises GpuConfigError.

    `nvidia.com/gpu.memory` is MiB per GPU and is rounded to whole GiB, as Kaito does.
    """
    metadata = node.get("metadata") or {}
    name = metadata.get("name", "")
    found = metadata.get("labels") or {}
    product, count, memory = (found.get(key) for key in (labels.GPU_PRODUCT, labels.GPU_COUNT, labels.GPU_MEMORY))
    if not product or not count or not memory:
        raise GpuConfigError(f"missing required nvidia.com labels on node {name}")
    gpus = _integer(labels.GPU_COUNT, count, name)
    per_gpu = int(_integer(labels.GPU_MEMORY, memory, name) / 1024 + 0.5)
    mig = found.get("nvidia.com/mig.config")
    return GpuConfig(
        sku=found.get(labels.INSTANCE_TYPE, "unknown"),
        gpu_count=gpus,
        memory_bytes=per_gpu * gpus * GIB,
        model=product,
        cuda=_capability(found),
        is_mig=bool(mig) and mig != "all-disabled" and found.get("nvidia.com/mig.config.state") == "success",
    )


def _integer(key: str, text: str, node: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise GpuConfigError(f"invalid {key} value on node {node}: {text}")
    return int(text)


def _capability(found: Mapping[str, str]) -> float:
    try:
        return float(f"{int(found.get(labels.CUDA_MAJOR, '0'))}.{int(found.get(labels.CUDA_MINOR, '0'))}")
    except ValueError:
        return 0.0


def validate_mig_profile(profile: str) -> None:
    """Raise GpuConfigError unless `profile` is one of MIG_PROFILES."""
    if _MIG_FORMAT.match(profile) is None:
        raise GpuConfigError(f"invalid MIG profile format {_go_quote(profile)}: expected format like '1g.10gb'")
    if profile not in MIG_PROFILES:
        known = " ".join(sorted(MIG_PROFILES))
        raise GpuConfigError(f"unknown MIG profile {_go_quote(profile)}: must be one of [{known}]")


def mig_slice(profile: str) -> GpuConfig:
    """The one slice that a Workspace with this MIG profile runs on; raises GpuConfigError on a malformed profile."""
    match = _MIG_FORMAT.match(profile)
    if match is None:
        raise GpuConfigError(
            f"invalid MIG profile: invalid MIG profile format {_go_quote(profile)}: expected format like '1g.10gb'"
        )
    try:
        memory = int(float(match.group(2)))
    except ValueError as error:
        raise GpuConfigError(f"invalid MIG profile: invalid memory in MIG profile {_go_quote(profile)}") from error
    return GpuConfig(sku="unknown", gpu_count=1, memory_bytes=memory * GIB, model="", is_mig=True)


def _go_quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
