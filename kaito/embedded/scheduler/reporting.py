"""What the scheduler writes about pods: conditions, nominations, events, and the end of victims."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from typing import Any

from kaito.embedded.scheduler.preemption import REASON
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.events import EventRecorder
from kaito.kube.objects import format_time, get_condition
from kaito.kube.resources import PODS

logger = logging.getLogger(__name__)

SCHEDULER_NAME = "default-scheduler"


class Reporter:
    """Writes; what cannot be written is logged, since the next look at the pod says it again."""

    def __init__(self, client: KubeClient, clock: Clock) -> None:
        self._client, self._clock = client, clock
        instance = f"{SCHEDULER_NAME}-{platform.node()}"
        self._events = EventRecorder(client, SCHEDULER_NAME, clock, instance=instance)

    def scheduled(self, pod: Mapping[str, Any], node: str) -> None:
        """A pod was bound."""
        metadata = pod["metadata"]
        text = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._events.event(pod, "Normal", "Scheduled", text, action="Binding")

    async def unschedulable(self, pod: Mapping[str, Any], message: str, nominated: str | None) -> None:
        """A pod fits nowhere: condition and event, when they say something new.

        `nominated` is the new node on which room is made for it, empty for none any more, None for no change.
        """
        current = get_condition(pod, "PodScheduled")
        known = current is not None and current["status"] == "False" and current.get("message") == message
        if known and nominated is None:
            return
        status: dict[str, Any] = {}
        if nominated is not None:
            status["nominatedNodeName"] = nominated or None
        if not known:
            status["conditions"] = [
                self._condition(pod, "PodScheduled", "False", reason="Unschedulable", message=message)
            ]
        await self._patch(pod, status)
        if not known:
            self._events.event(pod, "Warning", "FailedScheduling", message, action="Scheduling")

    async def withdrawn(self, pod: Mapping[str, Any]) -> None:
        """The room made for a pod is for a more important one now."""
        await self._patch(pod, {"nominatedNodeName": None})

    async def end(self, victim: Mapping[str, Any], preemptor: Mapping[str, Any], node: str) -> None:
        """End a pod in favour of another one, with its grace period."""
        metadata = victim["metadata"]
        if not metadata.get("deletionTimestamp"):
            scheduler = preemptor["spec"].get("schedulerName") or SCHEDULER_NAME
            text = f"{scheduler}: preempting to accommodate a higher priority pod"
            condition = self._condition(victim, "DisruptionTarget", "True", reason=REASON, message=text)
            await self._patch(victim, {"conditions": [condition]})
            try:
                await self._client.delete(PODS, metadata["name"], metadata["namespace"], uid=metadata["uid"])
            except NotFound:
                return
            except ApiError as error:
                logger.info("preempting pod %s/%s: %s", metadata["namespace"], metadata["name"], error.message)
                return
        text = f"Preempted by pod {preemptor['metadata']['uid']} on node {node}"
        self._events.event(victim, "Normal", "Preempted", text, action="Preempting", related=preemptor)

    def _condition(self, pod: Mapping[str, Any], kind: str, status: str, *, reason: str, message: str) -> Any:
        current = get_condition(pod, kind)
        condition = {"type": kind, "status": status, "lastProbeTime": None, "reason": reason, "message": message}
        if current is None or current["status"] != status:
            condition["lastTransitionTime"] = format_time(self._clock.now())
        if generation := pod["metadata"].get("generation"):
            condition["observedGeneration"] = generation
        return condition

    async def _patch(self, pod: Mapping[str, Any], status: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        patch = {"metadata": {"uid": metadata["uid"]}, "status": status}
        try:
            await self._client.patch(
                PODS, metadata["name"], patch, metadata["namespace"], kind="strategic", subresource="status"
            )
        except ApiError as error:
            logger.info("status of pod %s/%s: %s", metadata["namespace"], metadata["name"], error.message)
