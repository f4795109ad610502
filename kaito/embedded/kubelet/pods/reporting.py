"""Writing a pod's status to the API, when it has something new to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kaito.embedded.kubelet.pods.records import ContainerRecord
from kaito.embedded.kubelet.pods.resizing import PENDING
from kaito.embedded.kubelet.pods.status import PodState, pod_status
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock
from kaito.kube.resources import PODS

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", PENDING)


class StatusReporter:
    """Writes the status of one pod and remembers what it wrote."""

    def __init__(self, client: KubeClient, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._written: dict[str, Any] | None = None

    async def report(self, pod: dict[str, Any], records: Sequence[ContainerRecord], state: PodState) -> None:
        """Write the status when it differs from what the API has, which may be newer than ``pod`` says."""
        status = pod_status(self._with_own_conditions(pod), records, state, now=self._clock.now())
        if status == self._written:
            return
        current = pod.get("status") or {}
        if self._written is None and all(current.get(key) == value for key, value in status.items()):
            return
        metadata = pod["metadata"]
        patch = {"metadata": {"uid": metadata["uid"]}, "status": _without_stale(status, current)}
        namespace = metadata.get("namespace", "")
        await self._client.patch(PODS, metadata["name"], patch, namespace, kind="strategic", subresource="status")
        self._written = status

    def _with_own_conditions(self, pod: dict[str, Any]) -> dict[str, Any]:
        """The pod as the informer knows it, our own last word in place of what it may not have heard yet."""
        if self._written is None:
            return pod
        status = dict(pod.get("status") or {})
        own = {condition["type"]: condition for condition in self._written.get("conditions") or ()}
        foreign = {
            condition["type"]: condition
            for condition in status.get("conditions") or ()
            if condition["type"] not in OWN_CONDITIONS
        }
        status["conditions"] = list((own | foreign).values())
        for key in ("phase", "startTime"):
            if key in self._written:
                status[key] = self._written[key]
        return {**pod, "status": status}


def _without_stale(status: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that turns ``current`` into ``status``: conditions are merged by type, and a nomination has served."""
    new = {condition["type"] for condition in status.get("conditions") or ()}
    conditions = [{"reason": None, "message": None, **condition} for condition in status.get("conditions") or ()]
    conditions += [
        {"$patch": "delete", "type": known["type"]}
        for known in current.get("conditions") or ()
        if known["type"] in OWN_CONDITIONS and known["type"] not in new
    ]
    patch = dict(status) | ({"conditions": conditions} if conditions else {})
    return patch | ({"nominatedNodeName": None} if current.get("nominatedNodeName") else {})
