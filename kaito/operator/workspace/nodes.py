"""Whether the nodes of a workspace are there: pure functions over its NodeClaims and Nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaito.api import conditions, labels
from kaito.kube.objects import condition_is, get_condition, is_deleting
from kaito.operator.workspace.conditions import Condition, shortened

_PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure")
_CLAIM_STEPS = (conditions.LAUNCHED, conditions.REGISTERED, conditions.INITIALIZED)


@dataclass(frozen=True)
class NodeView:
    """The nodes and claims of one workspace. `claims` is None where nodes are the user's own (`byo`)."""

    target: int
    """Nodes that are needed."""
    instance_type: str
    nodes: Sequence[Mapping[str, Any]]
    """Every node that carries the workspace's labels, ready or not."""
    claims: Sequence[Mapping[str, Any]] | None
    checks_plugins: bool
    """Whether the GPUs of nodes are waited for: only machines that the SKU table knows have a number to expect."""

    @property
    def worker_names(self) -> list[str]:
        """`status.workerNodes`."""
        return sorted(node["metadata"]["name"] for node in self.nodes)

    @property
    def claims_ready(self) -> bool:
        """Enough NodeClaims are ready; trivially so without claims."""
        if self.claims is None:
            return True
        return sum(is_claim_ready(claim) for claim in self.claims) >= self.target

    @property
    def nodes_ready(self) -> bool:
        """Enough nodes are ready, of the asked instance type where one was asked for."""
        ready = [node for node in self.nodes if is_node_ready(node)]
        if self.claims is not None:
            ready = [node for node in ready if instance_type_of(node) == self.instance_type]
        return len(ready) >= self.target

    @property
    def nodes_without_plugin(self) -> list[Mapping[str, Any]]:
        """Nodes behind claims whose GPUs are not there yet; nothing to wait for without claims."""
        if self.claims is None or not self.checks_plugins:
            return []
        by_name = {node["metadata"]["name"]: node for node in self.nodes}
        waiting = []
        for claim in self.claims:
            if is_deleting(claim):
                continue
            node = by_name.get(str((claim.get("status") or {}).get("nodeName") or ""))
            if node is not None and not has_gpus(node):
                waiting.append(node)
        return waiting

    @property
    def ready(self) -> bool:
        """Workloads may be made."""
        return self.claims_ready and self.nodes_ready and not self.nodes_without_plugin


def node_conditions(view: NodeView) -> list[Condition]:
    """NodesReady, NodeClaimReady (not for `byo`) and ResourceReady."""
    nodes = _nodes_condition(view)
    if view.claims is None:
        if nodes.status:
            return [nodes, _resource_ready()]
        message = "node status condition not ready"
        resource = Condition(conditions.RESOURCE_READY, False, conditions.REASON_RESOURCE_NOT_READY, message)
        return [nodes, resource]
    claim = _claim_condition(view)
    unready = claim if not claim.status else nodes
    if unready.status:
        return [nodes, claim, _resource_ready()]
    return [nodes, claim, Condition(conditions.RESOURCE_READY, False, unready.reason, unready.message)]


def _resource_ready() -> Condition:
    message = "workspace resource is ready"
    return Condition(conditions.RESOURCE_READY, True, conditions.REASON_RESOURCE_SUCCESS, message)


def _nodes_condition(view: NodeView) -> Condition:
    if not view.nodes_ready:
        reason, message = conditions.REASON_NODE_NOT_READY, "Not enough Nodes are ready"
        return Condition(conditions.NODES_READY, False, reason, message + _pressure(view))
    if view.nodes_without_plugin:
        reason, message = conditions.REASON_NODE_PLUGINS_NOT_READY, "waiting all node plugins to be ready"
        return Condition(conditions.NODES_READY, False, reason, message + _pressure(view))
    message = "Enough Nodes are ready" + _pressure(view)
    return Condition(conditions.NODES_READY, True, conditions.REASON_NODES_READY, message)


def _pressure(view: NodeView) -> str:
    pressed = []
    for node in view.nodes:
        kinds = [kind for kind in _PRESSURES if condition_is(node, kind)]
        if kinds:
            pressed.append(f"{node['metadata']['name']} ({', '.join(kinds)})")
    return f"; warning: worker node(s) under resource pressure: {', '.join(sorted(pressed))}" if pressed else ""


def _claim_condition(view: NodeView) -> Condition:
    if view.claims_ready:
        message = "Enough NodeClaims are ready"
        return Condition(conditions.NODE_CLAIM_READY, True, conditions.REASON_NODE_CLAIMS_READY, message)
    reason, message = _claim_trouble(view.claims or ())
    return Condition(conditions.NODE_CLAIM_READY, False, reason, message)


def _claim_trouble(claims: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Reason and message of the earliest step that a claim is stuck at; a real error beats mere waiting."""
    waiting: tuple[str, str] | None = None
    for claim in claims:
        if is_deleting(claim):
            continue
        for step in _CLAIM_STEPS:
            condition = get_condition(claim, step)
            if condition is None or condition.get("status") == "True" or not condition.get("message"):
                continue
            found = (str(condition.get("reason") or ""), shortened(str(condition["message"]), 259))
            if found[0] != conditions.AWAITING_RECONCILIATION:
                return found
            waiting = waiting or found
            break
    return waiting or (conditions.REASON_NODE_CLAIM_NOT_READY, "Ready NodeClaims are not enough")


def is_claim_ready(claim: Mapping[str, Any]) -> bool:
    """Ready is True; a claim of a controller that writes no such condition is ready once it names its node."""
    if is_deleting(claim):
        return False
    condition = get_condition(claim, conditions.READY)
    if condition is None:
        return bool((claim.get("status") or {}).get("nodeName"))
    return condition.get("status") == "True"


def is_node_ready(node: Mapping[str, Any]) -> bool:
    """Its kubelet says so and nobody is deleting it."""
    return not is_deleting(node) and condition_is(node, conditions.READY)


def instance_type_of(node: Mapping[str, Any]) -> str:
    """The machine type its cloud gave it."""
    return str((node["metadata"].get("labels") or {}).get(labels.INSTANCE_TYPE) or "")


def has_gpus(node: Mapping[str, Any]) -> bool:
    """The device plugin has announced GPUs."""
    amount = ((node.get("status") or {}).get("capacity") or {}).get(labels.GPU_RESOURCE)
    return amount not in (None, "", "0", 0)
