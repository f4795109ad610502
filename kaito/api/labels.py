"""Label, annotation, taint and finalizer keys that Kaito, Karpenter and this testbed put on objects.

Source: Kaito 0.12 (`api/v1beta1/labels.go`), Karpenter v1, and for the `testbed.kaito.sh` keys this project.
"""

from __future__ import annotations

from typing import Final

# Ownership of nodes, node claims and pods.
WORKSPACE_NAME: Final = "kaito.sh/workspace"
WORKSPACE_NAMESPACE: Final = "kaito.sh/workspacenamespace"
RAGENGINE_NAME: Final = "kaito.sh/ragengine"
RAGENGINE_NAMESPACE: Final = "kaito.sh/ragenginenamespace"

# Revisions.
WORKSPACE_REVISION_OWNER: Final = "workspace.kaito.io/name"
WORKSPACE_HASH: Final = "workspace.kaito.io/hash"
WORKSPACE_REVISION: Final = "workspace.kaito.io/revision"

# Annotations that users set on a Workspace.
RUNTIME: Final = "kaito.sh/runtime"
ENABLE_LB: Final = "kaito.sh/enablelb"
BYPASS_RESOURCE_CHECKS: Final = "kaito.sh/bypass-resource-checks"
NODE_IMAGE_FAMILY: Final = "kaito.sh/node-image-family"
NODE_CLASS_NAME: Final = "kaito.sh/node-class-name"
DISABLE_BENCHMARK: Final = "kaito.sh/disable-benchmark"
PERFORMANCE_MODE: Final = "kaito.sh/performance-mode"
USE_LOCAL_WEIGHTS: Final = "kaito.sh/use-local-weights"
MODEL_STREAMING: Final = "kaito.sh/model-streaming"
SERVE_AFTER_TUNING: Final = "kaito.sh/serve-after-tuning"
"""This project's: `"false"` leaves a tuned Workspace unserved."""

INFERENCE_ROLE: Final = "kaito.sh/inference-role"
INFERENCESET_CREATED_BY: Final = "inferenceset.kaito.sh/created-by"

# Node labels.
ACCELERATOR: Final = "accelerator"
ACCELERATOR_NVIDIA: Final = "nvidia"
MACHINE_TYPE: Final = "kaito.sh/machine-type"
AGENT_POOL: Final = "agentpool"
AKS_AGENT_POOL: Final = "kubernetes.azure.com/agentpool"
AKS_SCALE_SET_PRIORITY: Final = "kubernetes.azure.com/scalesetpriority"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
OS: Final = "kubernetes.io/os"
ARCH: Final = "kubernetes.io/arch"
HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
REGION: Final = "topology.kubernetes.io/region"
GPU_PRODUCT: Final = "nvidia.com/gpu.product"
GPU_COUNT: Final = "nvidia.com/gpu.count"
GPU_MEMORY: Final = "nvidia.com/gpu.memory"
"""MiB per GPU, as GPU feature discovery writes it."""
CUDA_MAJOR: Final = "nvidia.com/cuda.compute.major"
CUDA_MINOR: Final = "nvidia.com/cuda.compute.minor"
GPU_RESOURCE: Final = "nvidia.com/gpu"
SUBSTRATE: Final = "testbed.kaito.sh/substrate"
"""Who makes a fake node run: `process` nodes are adopted by the process kubelet."""
SUBSTRATE_PROCESS: Final = "process"

# Taints.
GPU_TAINT_KEY: Final = "sku"
GPU_TAINT_VALUE: Final = "gpu"

# Karpenter.
NODEPOOL: Final = "karpenter.sh/nodepool"
NODEPOOL_KAITO: Final = "kaito"
CAPACITY_TYPE: Final = "karpenter.sh/capacity-type"
DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"
DO_NOT_SYNC_TAINTS: Final = "karpenter.sh/do-not-sync-taints"
REGISTERED: Final = "karpenter.sh/registered"
INITIALIZED: Final = "karpenter.sh/initialized"
UNREGISTERED_TAINT: Final = "karpenter.sh/unregistered"
DISRUPTED_TAINT: Final = "karpenter.sh/disrupted"
KARPENTER_WORKSPACE_NAME: Final = "karpenter.kaito.sh/workspace-name"
KARPENTER_WORKSPACE_NAMESPACE: Final = "karpenter.kaito.sh/workspace-namespace"
KARPENTER_INFERENCESET: Final = "karpenter.kaito.sh/inferenceset"
KARPENTER_INFERENCESET_NAMESPACE: Final = "karpenter.kaito.sh/inferenceset-namespace"

RESERVED_SELECTOR_KEYS: Final = frozenset(
    {
        WORKSPACE_NAME,
        WORKSPACE_NAMESPACE,
        RAGENGINE_NAME,
        RAGENGINE_NAMESPACE,
        KARPENTER_WORKSPACE_NAME,
        KARPENTER_WORKSPACE_NAMESPACE,
        KARPENTER_INFERENCESET,
        KARPENTER_INFERENCESET_NAMESPACE,
    }
)
"""Keys that a Workspace's selector may carry but that never select anything: Kaito strips them before it uses them."""

# Finalizers.
WORKSPACE_FINALIZER: Final = "workspace.finalizer.kaito.sh"
INFERENCESET_FINALIZER: Final = "inferenceset.finalizer.kaito.sh"
KARPENTER_FINALIZER: Final = "karpenter.sh/termination"


def selector_labels(match_labels: dict[str, str] | None) -> dict[str, str]:
    """The labels of a Workspace selector that really select nodes: `match_labels` without the reserved keys."""
    return {key: value for key, value in (match_labels or {}).items() if key not in RESERVED_SELECTOR_KEYS}
