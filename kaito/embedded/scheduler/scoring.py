"""Which of several fitting nodes is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kaito.embedded.scheduler.cluster_state import DEFAULT_CPU, DEFAULT_MEMORY, ClusterState, NodeInfo, PodInfo
from kaito.embedded.scheduler.node_affinity import preference
from kaito.embedded.scheduler.pod_affinity import NamespaceLabels, preferences
from kaito.embedded.scheduler.taints import untolerated

MAX_SCORE = 100
AFFINITY_WEIGHT, POD_AFFINITY_WEIGHT, TAINT_WEIGHT = 2, 2, 3
"""kube-scheduler's default weights; least allocation counts once."""
DEVICE_PENALTY = 1000
"""A node with devices that the pod did not ask for loses against any node without, whatever else speaks for it."""


def _free_share(allocatable: int, used: int) -> int:
    return max(0, (allocatable - used) * MAX_SCORE // allocatable) if allocatable else 0


def _devices(node: NodeInfo) -> set[str]:
    return {name for name, amount in node.allocatable.items() if amount and "/" in name}


def _normalized(values: Sequence[int], *, reverse: bool = False) -> list[int]:
    highest = max(values)
    if not highest:
        return [MAX_SCORE if reverse else 0] * len(values)
    scaled = [value * MAX_SCORE // highest for value in values]
    return [MAX_SCORE - value for value in scaled] if reverse else scaled


def scores(
    pod: PodInfo, nodes: Sequence[NodeInfo], state: ClusterState, namespaces: NamespaceLabels
) -> Mapping[str, int]:
    """A score by node name, higher is better.

    Least allocation of cpu and memory, preferred node and pod affinity and PreferNoSchedule taints as in
    kube-scheduler; nodes with devices are kept for the pods that ask for them, which it does not do.
    """
    tolerations = pod.pod["spec"].get("tolerations") or ()
    affinity = _normalized([preference(pod.pod, node.node or {}) for node in nodes])
    disliked = _normalized(
        [
            sum(untolerated(tolerations, [taint], ("PreferNoSchedule",)) is not None for taint in node.taints)
            for node in nodes
        ],
        reverse=True,
    )
    weights = preferences(pod, state, namespaces)
    attraction = [
        sum(weight for (key, value), weight in weights.items() if node.labels.get(key) == value) for node in nodes
    ]
    low, high = min(attraction), max(attraction)
    result: dict[str, int] = {}
    for node, wished, unwanted, pulled in zip(nodes, affinity, disliked, attraction, strict=True):
        cpu = _free_share(node.allocatable.get("cpu", 0), node.cpu_load + pod.requests.get("cpu", DEFAULT_CPU))
        memory_used = node.memory_load + pod.requests.get("memory", DEFAULT_MEMORY)
        least = (cpu + _free_share(node.allocatable.get("memory", 0), memory_used)) // 2
        together = (pulled - low) * MAX_SCORE // (high - low) if high > low else 0
        unasked = DEVICE_PENALTY if _devices(node) - pod.requests.keys() else 0
        result[node.name] = (
            least + AFFINITY_WEIGHT * wished + POD_AFFINITY_WEIGHT * together + TAINT_WEIGHT * unwanted - unasked
        )
    return result
