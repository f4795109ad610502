"""The scheduler's picture of the cluster: nodes with the pods on them, kept up to date one change at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kaito.embedded.scheduler.node_affinity import required_affinity
from kaito.embedded.scheduler.requests import Amounts, HostPort, amounts, host_ports, pod_requests

FINISHED = ("Succeeded", "Failed")
DEFAULT_CPU, DEFAULT_MEMORY = 100, 200 * 1024 * 1024
"""What a pod that requests nothing is taken to use, in thousandths of a core and bytes, when load is compared."""
NOT_STARTED = "9999"


def affinity_terms(pod: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The required terms of `podAffinity` or `podAntiAffinity`."""
    affinity = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())


@dataclass(slots=True)
class PodInfo:
    """A pod with what the filters ask of it, worked out once."""

    pod: Mapping[str, Any]
    uid: str
    namespace: str
    labels: Mapping[str, str]
    requests: Amounts
    ports: list[HostPort]
    anti_affinity: list[dict[str, Any]]
    priority: int
    started: str
    """`status.startTime`; later than any time for a pod that has not started."""

    @classmethod
    def of(cls, pod: Mapping[str, Any]) -> PodInfo:
        metadata = pod["metadata"]
        requests = {name: amount for name, amount in pod_requests(pod).items() if amount}
        return cls(
            pod=pod,
            uid=metadata["uid"],
            namespace=metadata["namespace"],
            labels=metadata.get("labels") or {},
            requests=requests,
            ports=host_ports(pod),
            anti_affinity=affinity_terms(pod, "podAntiAffinity"),
            priority=pod["spec"].get("priority") or 0,
            started=(pod.get("status") or {}).get("startTime") or NOT_STARTED,
        )


@dataclass(slots=True)
class NodeInfo:
    """A node, what it can give and what its pods have taken."""

    name: str
    node: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: list[dict[str, Any]] = field(default_factory=list)
    unschedulable: bool = False
    allocatable: Amounts = field(default_factory=dict)
    requested: Amounts = field(default_factory=dict)
    pods: dict[str, PodInfo] = field(default_factory=dict)
    cpu_load: int = 0
    memory_load: int = 0

    def set_node(self, node: Mapping[str, Any]) -> bool:
        """Take over a new version of the Node; True when something that scheduling looks at has changed."""
        spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
        taints, unschedulable = spec.get("taints") or [], bool(spec.get("unschedulable"))
        allocatable = amounts((node.get("status") or {}).get("allocatable"))
        changed = self.node is None or (labels, taints, unschedulable, allocatable) != (
            self.labels,
            self.taints,
            self.unschedulable,
            self.allocatable,
        )
        self.node, self.labels, self.taints = node, labels, taints
        self.unschedulable, self.allocatable = unschedulable, allocatable
        return changed

    def add(self, info: PodInfo) -> None:
        self.pods[info.uid] = info
        for name, amount in info.requests.items():
            self.requested[name] = self.requested.get(name, 0) + amount
        self.cpu_load += info.requests.get("cpu", DEFAULT_CPU)
        self.memory_load += info.requests.get("memory", DEFAULT_MEMORY)

    def remove(self, uid: str) -> None:
        info = self.pods.pop(uid, None)
        if info is not None:
            for name, amount in info.requests.items():
                self.requested[name] -= amount
            self.cpu_load -= info.requests.get("cpu", DEFAULT_CPU)
            self.memory_load -= info.requests.get("memory", DEFAULT_MEMORY)


class ClusterState:
    """Nodes and where every unfinished pod is, including pods whose binding is under way (assumed)."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self._by_label: dict[tuple[str, str], dict[str, None]] = {}
        self._where: dict[str, str] = {}
        self.with_anti_affinity: dict[str, PodInfo] = {}
        """Placed pods with required anti-affinity, by uid: they constrain pods that have none themselves."""
        self._nominated: dict[str, tuple[str, PodInfo]] = {}

    def ready_nodes(self) -> list[NodeInfo]:
        """Every node whose Node object is there."""
        return [info for info in self.nodes.values() if info.node is not None]

    def set_node(self, node: Mapping[str, Any]) -> bool:
        """Add or replace a Node; True when scheduling could turn out differently."""
        name = node["metadata"]["name"]
        info = self.nodes.setdefault(name, NodeInfo(name))
        before = info.labels
        changed = info.set_node(node)
        if info.labels != before:
            self._forget_labels(name, before)
            for label in info.labels.items():
                self._by_label.setdefault(label, {})[name] = None
        return changed

    def _forget_labels(self, name: str, labels: Mapping[str, str]) -> None:
        for label in labels.items():
            names = self._by_label.get(label, {})
            names.pop(name, None)
            if not names:
                self._by_label.pop(label, None)

    def candidates(self, pod: Mapping[str, Any]) -> list[NodeInfo]:
        """The nodes that can match the pod's `nodeSelector` and single-term affinity: a cheap superset, by label."""
        narrowed: list[dict[str, None]] = [
            self._by_label.get(label, {}) for label in (pod["spec"].get("nodeSelector") or {}).items()
        ]
        required = required_affinity(pod)
        terms: list[dict[str, Any]] = (required or {}).get("nodeSelectorTerms") or []
        if len(terms) == 1:
            for expression in terms[0].get("matchExpressions") or ():
                if expression["operator"] == "In":
                    found: dict[str, None] = {}
                    for value in expression["values"]:
                        found |= self._by_label.get((expression["key"], value), {})
                    narrowed.append(found)
        if not narrowed:
            return self.ready_nodes()
        return [self.nodes[name] for name in min(narrowed, key=len)]

    def remove_node(self, name: str) -> None:
        info = self.nodes.get(name)
        if info is None:
            return
        self._forget_labels(name, info.labels)
        info.node, info.labels = None, {}
        if not info.pods:
            del self.nodes[name]

    def nominate(self, info: PodInfo, node: str) -> None:
        """Keep room for a pod on a node where others are ended for it."""
        self._nominated[info.uid] = (node, info)

    def withdraw(self, uid: str) -> None:
        """Keep no room for a pod any more."""
        self._nominated.pop(uid, None)

    def nominated_node(self, uid: str) -> str | None:
        """The node on which room is kept for a pod, or None."""
        entry = self._nominated.get(uid)
        return entry[0] if entry else None

    def less_nominated(self, node: str, than: PodInfo) -> list[PodInfo]:
        """The pods of lower priority for which room is kept on a node."""
        return [info for name, info in self._nominated.values() if name == node and info.priority < than.priority]

    def as_seen_by(self, pod: PodInfo, node: NodeInfo) -> NodeInfo:
        """A node with the nominated pods that come before ``pod`` on it already."""
        coming = [
            info
            for name, info in self._nominated.values()
            if name == node.name and info.uid != pod.uid and info.priority >= pod.priority
        ]
        if not coming:
            return node
        full = replace(node, requested=dict(node.requested), pods=dict(node.pods))
        for info in coming:
            full.add(info)
        return full

    def place(self, info: PodInfo, node: str) -> None:
        """Put a pod on a node, from wherever it was."""
        self.remove_pod(info.uid)
        self.withdraw(info.uid)
        self.nodes.setdefault(node, NodeInfo(node)).add(info)
        self._where[info.uid] = node
        if info.anti_affinity:
            self.with_anti_affinity[info.uid] = info

    def remove_pod(self, uid: str) -> bool:
        """Take a pod off its node; True when it was on one."""
        name = self._where.pop(uid, None)
        self.with_anti_affinity.pop(uid, None)
        if name is None:
            return False
        info = self.nodes[name]
        info.remove(uid)
        if info.node is None and not info.pods:
            del self.nodes[name]
        return True

    def node_of(self, uid: str) -> NodeInfo | None:
        """The node a pod is on, or None."""
        name = self._where.get(uid)
        return self.nodes.get(name) if name is not None else None

    def placed(self) -> Iterable[tuple[NodeInfo, PodInfo]]:
        """Every placed pod with its node."""
        for node in self.nodes.values():
            for info in node.pods.values():
                yield node, info
