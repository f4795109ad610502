"""Node life cycle: nodes whose heartbeats stop, their taints and their pods. Source: pkg/controller/nodelifecycle."""

from __future__ import annotations

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.node_health import heartbeat_of, toleration_seconds, unknown_conditions, wanted_taints
from kaito.embedded.controllers.pods import is_ready
from kaito.kube.controller import Result
from kaito.kube.objects import Key, condition_is, format_time, get_condition, is_deleting, key_of, parse_time
from kaito.kube.resources import LEASES, NODES, PODS

GRACE_SECONDS = 50.0
"""Silence after which a node is Unknown (`--node-monitor-grace-period`, 50 s since Kubernetes 1.32)."""
LEASE_NAMESPACE = "kube-node-lease"
NODE_INDEX = "node"
"""Index over pods: the node they are assigned to."""


class NodeLifecycle:
    """Two reconcilers: nodes, and the pods that have to leave them."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._nodes, self._leases, self._pods = cluster.cache(NODES), cluster.cache(LEASES), cluster.cache(PODS)
        self._pods.add_index(NODE_INDEX, node_of)
        self._beats: dict[str, tuple[tuple[str, ...], float]] = {}
        self._events = cluster.recorder("node-controller")
        self._evictions = cluster.recorder("taint-eviction-controller")
        cluster.run(
            "node-lifecycle",
            self.reconcile_node,
            watches={
                NODES: None,
                LEASES: self._hear,
            },
            needs=[PODS],
        )
        cluster.run(
            "taint-eviction",
            self.reconcile_pod,
            watches={PODS: lambda pod: [key_of(pod)] if self._taints_of(pod) else [], NODES: self._pods_on},
        )

    def _hear(self, lease: Object) -> list[Key]:
        """Note a renewal; only that of a node which is not Ready wakes anybody."""
        if lease["metadata"]["namespace"] != LEASE_NAMESPACE:
            return []
        name = lease["metadata"]["name"]
        node = self._nodes.informer.get(name)
        if node is None:
            return []
        self._silence(node)
        return [] if condition_is(node, "Ready") else [Key("", name)]

    def _pods_on(self, node: Object) -> list[Key]:
        if not any(taint["effect"] == "NoExecute" for taint in (node.get("spec") or {}).get("taints") or ()):
            return []
        return [key_of(pod) for pod in self._pods.by_index(NODE_INDEX, node["metadata"]["name"])]

    # ---- nodes

    async def reconcile_node(self, key: Key) -> Result | None:
        """Judge one node's heartbeat, bring its taints in line, and mark its pods when it is not ready."""
        node = self._nodes.get(key)
        if node is None:
            if self._beats.pop(key.name, None) is not None:
                message = f"Node {key.name} event: Removing Node {key.name} from Controller"
                gone = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": key.name, "uid": key.name}}
                self._events.event(gone, "Normal", "RemovingNode", message)
            return None
        if key.name not in self._beats:
            message = f"Node {key.name} event: Registered Node {key.name} in Controller"
            self._events.event(node, "Normal", "RegisteredNode", message)
        silent = self._silence(node)
        now = format_time(self._clock.now())
        if silent >= GRACE_SECONDS:
            status = node.get("status") or {}
            node = await self._nodes.update_status(node, {**status, "conditions": unknown_conditions(node, now)})
        taints = wanted_taints(node, now)
        if taints != ((node.get("spec") or {}).get("taints") or []):
            version = node["metadata"]["resourceVersion"]
            node = await self._nodes.patch(
                node, {"metadata": {"resourceVersion": version}, "spec": {"taints": taints or None}}
            )
        ready = get_condition(node, "Ready")
        if ready is not None and ready["status"] != "True":
            await self._mark_pods(node, now)
        return Result(requeue_after=GRACE_SECONDS - silent) if silent < GRACE_SECONDS else None

    def _silence(self, node: Object) -> float:
        """Seconds since the last sign of life was seen by this process, whatever the node's own clock says."""
        name = node["metadata"]["name"]
        beat = heartbeat_of(node, self._leases.get(Key(LEASE_NAMESPACE, name)))
        known = self._beats.get(name)
        now = self._clock.monotonic()
        if known is None or (known[0] != beat and (known[0][:2] != beat[:2] or beat[2] != "Unknown")):
            self._beats[name] = (beat, now)
            return 0.0
        return now - known[1]

    async def _mark_pods(self, node: Object, now: str) -> None:
        marked = False
        for pod in self._pods.by_index(NODE_INDEX, node["metadata"]["name"]):
            if not is_ready(pod):
                continue
            condition = {"type": "Ready", "status": "False", "lastTransitionTime": now}
            await self._pods.patch(pod, {"status": {"conditions": [condition]}}, kind="strategic", subresource="status")
            self._events.event(pod, "Warning", "NodeNotReady", "Node is not ready")
            marked = True
        if marked:
            name = node["metadata"]["name"]
            self._events.event(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")

    # ---- pods under NoExecute taints

    def _taints_of(self, pod: Object) -> list[dict[str, str]]:
        name = pod["spec"].get("nodeName")
        node = self._nodes.get(Key("", name)) if name else None
        taints = ((node or {}).get("spec") or {}).get("taints") or ()
        return [taint for taint in taints if taint["effect"] == "NoExecute"]

    async def reconcile_pod(self, key: Key) -> Result | None:
        """Delete a pod whose tolerations of its node's NoExecute taints have run out."""
        pod = self._pods.get(key)
        if pod is None or is_deleting(pod):
            return None
        taints = self._taints_of(pod)
        seconds = toleration_seconds(pod, taints)
        if seconds is None:
            return None
        now = self._clock.now()
        added = [parse_time(taint["timeAdded"]) for taint in taints if taint.get("timeAdded")]
        left = seconds - (now - max(added)).total_seconds() if added and seconds else seconds
        if left > 0:
            return Result(requeue_after=left)
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": format_time(now),
        }
        message = f"Marking for deletion Pod {key.namespace}/{key.name}"
        self._evictions.event(pod, "Normal", "TaintManagerEviction", message)
        await self._pods.patch(pod, {"status": {"conditions": [condition]}}, kind="strategic", subresource="status")
        await self._pods.delete(pod)
        return None


def node_of(pod: Object) -> list[str]:
    """The values of `NODE_INDEX` for a pod."""
    name = pod["spec"].get("nodeName")
    return [name] if name else []
