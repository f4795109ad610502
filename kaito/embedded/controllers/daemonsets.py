"""DaemonSets: one pod on every node that fits. Source: pkg/controller/daemon.

Left out: `maxSurge` (a rolling update here always ends the old pod first).
"""

from __future__ import annotations

from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.claiming import Claimer, owners_of
from kaito.embedded.controllers.cluster import Cluster
from kaito.embedded.controllers.controller_revisions import LABEL, History
from kaito.embedded.controllers.creating import PodControl
from kaito.embedded.controllers.pods import available_in, is_ready, phase_of, pod_from_template
from kaito.embedded.controllers.replica_counts import resolve
from kaito.embedded.scheduler.node_affinity import selects_node
from kaito.embedded.scheduler.taints import UNSCHEDULABLE, untolerated
from kaito.kube.controller import Result
from kaito.kube.errors import ApiError
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.kube.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS

_TOLERATIONS = [
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": UNSCHEDULABLE["key"], "operator": "Exists", "effect": "NoSchedule"},
]


def daemon_pod(owner: Object, node: str, digest: str) -> Object:
    """The pod for one node: kept to it by node affinity, and tolerating what a daemon must."""
    pod = pod_from_template(owner["spec"]["template"], owner)
    annotations = owner["metadata"].get("annotations") or {}
    pod["metadata"]["labels"] = {
        **(pod["metadata"].get("labels") or {}),
        LABEL: digest,
        "pod-template-generation": annotations.get(
            "deprecated.daemonset.template.generation", str(owner["metadata"].get("generation", 1))
        ),
    }
    spec = pod["spec"]
    field = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(spec.get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    required = dict(node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {})
    terms = [
        {**{k: v for k, v in term.items() if k != "matchFields"}, **field}
        for term in required.get("nodeSelectorTerms") or [{}]
    ]
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {**required, "nodeSelectorTerms": terms}
    spec["affinity"] = {**affinity, "nodeAffinity": node_affinity}
    extra = list(_TOLERATIONS)
    if spec.get("hostNetwork"):
        extra.append({"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"})
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *extra]
    return pod


def node_of(pod: Object) -> str:
    """The node a daemon pod is on or meant for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            return str(field["values"][0])
    return ""


class DaemonSets:
    """The reconciler."""

    def __init__(self, cluster: Cluster) -> None:
        self._clock = cluster.clock
        self._sets, self._pods, self._nodes = cluster.cache(DAEMON_SETS), cluster.cache(PODS), cluster.cache(NODES)
        self._claimer = Claimer(cluster.client, DAEMON_SETS, self._pods)
        self._history = History(cluster, DAEMON_SETS, hash_label=LABEL)
        self._control = PodControl(self._pods, cluster.recorder("daemonset-controller"))
        cluster.run(
            "daemonset",
            self.reconcile,
            watches={
                DAEMON_SETS: None,
                PODS: owners_of(self._sets, "DaemonSet"),
                NODES: lambda node: [key_of(each) for each in self._sets.informer.list()],
            },
            needs=[CONTROLLER_REVISIONS],
        )

    async def reconcile(self, key: Key) -> Result | None:
        """Bring the pods of one DaemonSet in line with the nodes, and its status with the pods."""
        owner = self._sets.get(key)
        if owner is None:
            return None
        await self._claimer.claim(owner, owner["spec"].get("selector"))
        revisions = await self._history.of(owner)
        collisions = (owner.get("status") or {}).get("collisionCount") or 0
        update, collisions = await self._history.ensure(owner, revisions, collisions)
        digest = update["metadata"]["labels"][LABEL]
        wanted = {
            node["metadata"]["name"]: self._fits(owner, node, digest)
            for node in self._nodes.all()
            if not is_deleting(node)
        }
        error: ApiError | None = None
        if not is_deleting(owner):
            error = await self._place(owner, wanted, digest)
            await self._roll(owner, wanted, digest)
        pods = self._pods.controlled_by(owner)
        status, again = self._status(owner, pods, wanted, digest, collisions)
        await self._sets.update_status(owner, status)
        live = {update["metadata"]["name"]} | {
            f"{key.name}-{(pod['metadata'].get('labels') or {}).get(LABEL)}" for pod in pods
        }
        await self._history.truncate(revisions, live, owner["spec"].get("revisionHistoryLimit", 10))
        if error is not None:
            raise error
        return Result(requeue_after=again) if again else None

    @staticmethod
    def _fits(owner: Object, node: Object, digest: str) -> tuple[bool, bool]:
        """Whether a pod should be started on the node, and whether one that is there may go on."""
        pod = daemon_pod(owner, node["metadata"]["name"], digest)
        if not selects_node(pod, node):
            return False, False
        taints = (node.get("spec") or {}).get("taints") or ()
        tolerations = pod["spec"]["tolerations"]
        return untolerated(tolerations, taints) is None, untolerated(tolerations, taints, ("NoExecute",)) is None

    async def _place(self, owner: Object, wanted: dict[str, tuple[bool, bool]], digest: str) -> ApiError | None:
        by_node: dict[str, list[Object]] = {}
        doomed: list[Object] = []
        for pod in self._pods.controlled_by(owner):
            if is_deleting(pod):
                by_node.setdefault(node_of(pod), [])
            elif phase_of(pod) in ("Failed", "Succeeded") or not wanted.get(node_of(pod), (False, False))[1]:
                doomed.append(pod)
            else:
                by_node.setdefault(node_of(pod), []).append(pod)
        for pods in by_node.values():
            doomed += sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")[1:]
        await self._control.delete_all(owner, doomed)
        held = {node_of(pod) for pod in doomed}
        missing = [name for name, (start, _) in wanted.items() if start and name not in by_node and name not in held]
        return await self._control.create_all(owner, [daemon_pod(owner, name, digest) for name in sorted(missing)])

    async def _roll(self, owner: Object, wanted: dict[str, tuple[bool, bool]], digest: str) -> None:
        """End outdated pods as far as `maxUnavailable` allows; those that are not available anyway go at once."""
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        total = sum(start for start, _ in wanted.values())
        limit = resolve((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), total, round_up=True)
        pods = [pod for pod in self._pods.controlled_by(owner) if not is_deleting(pod)]
        available = [pod for pod in pods if is_ready(pod)]
        outdated = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(LABEL) != digest]
        broken = [pod for pod in outdated if not is_ready(pod)]
        room = max(0, limit - (total - len(available)))
        healthy = sorted((pod for pod in outdated if is_ready(pod)), key=lambda pod: pod["metadata"]["name"])
        await self._control.delete_all(owner, [*broken, *healthy[:room]])

    def _status(
        self, owner: Object, pods: list[Object], wanted: dict[str, tuple[bool, bool]], digest: str, collisions: int
    ) -> tuple[dict[str, Any], float | None]:
        minimum = owner["spec"].get("minReadySeconds") or 0
        now = self._clock.now()
        by_node: dict[str, Object] = {}
        for pod in sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "", reverse=True):
            by_node[node_of(pod)] = pod
        desired = {name for name, (start, _) in wanted.items() if start}
        on = [by_node[name] for name in desired if name in by_node]
        waits = [available_in(pod, minimum, now) for pod in on]
        available = sum(wait == 0 for wait in waits)
        status: dict[str, Any] = {
            "currentNumberScheduled": len(on),
            "numberMisscheduled": sum(name in wanted and name not in desired for name in by_node),
            "desiredNumberScheduled": len(desired),
            "numberReady": sum(is_ready(pod) for pod in on),
            "observedGeneration": owner["metadata"].get("generation", 0),
            "updatedNumberScheduled": sum((p["metadata"].get("labels") or {}).get(LABEL) == digest for p in on),
            "numberAvailable": available,
            "numberUnavailable": len(desired) - available,
            "collisionCount": collisions,
        }
        required = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
        kept = {name: value for name, value in status.items() if value or name in required}
        return kept, min((wait for wait in waits if wait), default=None)
