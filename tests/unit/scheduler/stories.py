"""Stories that a scheduler plays on an API server without kubelets, and what is seen of them afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from kaito.kube.client import KubeClient
from kaito.kube.errors import ApiError
from kaito.kube.objects import get_condition
from kaito.kube.resources import EVENTS, NODES, PODS, Resource

PRIORITY_CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")


@dataclass
class Play:
    """The hands of a story. Pods and nodes are made in the namespace `default`."""

    client: KubeClient
    quiet: float
    """Seconds without a change after which the scheduler is done."""
    names: dict[str, str] = field(default_factory=dict)
    """uid -> name, to mask uids in texts."""

    async def node(self, name: str, *, cpu: str = "2", labels: Any = None) -> None:
        metadata = {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}
        await self.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}})
        amounts = {"cpu": cpu, "memory": "8Gi", "pods": "10"}
        ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
        status = {"capacity": amounts, "allocatable": amounts, "conditions": ready}
        await self.client.patch(NODES, name, {"status": status}, subresource="status")
        await self.client.patch(NODES, name, {"spec": {"taints": None}})

    async def priorities(self, **values: int) -> None:
        for name, value in values.items():
            await self.client.create(
                PRIORITY_CLASSES,
                {
                    "apiVersion": "scheduling.k8s.io/v1",
                    "kind": "PriorityClass",
                    "metadata": {"name": name.replace("_", "-")},
                    "value": value,
                    "preemptionPolicy": "Never" if name.endswith("never") else "PreemptLowerPriority",
                },
            )

    async def pod(
        self,
        name: str,
        *,
        cpu: str = "1",
        on: str = "",
        priority: str = "",
        started: int = 0,
        labels: Any = None,
        port: int = 0,
        **spec: Any,
    ) -> None:
        """A pod; one that is `on` a node runs there since minute `started` of an hour."""
        container: dict[str, Any] = {"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu}}}
        if port:
            container["ports"] = [{"containerPort": port, "hostPort": port}]
        whole = {"containers": [container], **({"nodeName": on} if on else {}), **spec}
        if priority:
            whole["priorityClassName"] = priority
        metadata = {"name": name, "namespace": "default", "labels": labels or {}}
        made = await self.client.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole})
        self.names[made["metadata"]["uid"]] = name
        if on:
            status = {"phase": "Running", "startTime": f"2026-01-01T10:{started:02}:00Z"}
            await self.client.patch(PODS, name, {"status": status}, "default", subresource="status")

    async def budget(self, name: str, labels: dict[str, str], *, allowed: int) -> None:
        await self.client.create(
            BUDGETS,
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
            },
        )
        status = {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "currentHealthy": 1,
            "desiredHealthy": 1,
            "expectedPods": 1,
        }
        await self.client.patch(BUDGETS, name, {"status": status}, "default", subresource="status")

    async def remove(self, name: str) -> None:
        """End a pod at once, as its kubelet does in the end."""
        await self.client.delete(PODS, name, "default", grace_seconds=0)

    async def remove_ending(self) -> None:
        """End every pod that is being deleted."""
        for pod in (await self.client.list(PODS, "default")).items:
            if pod["metadata"].get("deletionTimestamp"):
                await self.remove(pod["metadata"]["name"])

    async def settle(self) -> None:
        """Wait until nothing changes any more."""
        seen = None
        while True:
            now = [
                sorted(obj["metadata"]["resourceVersion"] for obj in (await self.client.list(kind, "default")).items)
                for kind in (PODS, EVENTS)
            ]
            if now == seen:
                return
            seen = now
            await asyncio.sleep(self.quiet)

    # ---- what is seen

    async def pods(self) -> dict[str, Any]:
        """Of each pod: its node, the nominated one, whether it is being deleted, and its conditions."""
        return {pod["metadata"]["name"]: self._seen(pod) for pod in (await self.client.list(PODS, "default")).items}

    def _seen(self, pod: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = {"node": pod["spec"].get("nodeName")}
        if nominated := (pod.get("status") or {}).get("nominatedNodeName"):
            shown["nominated"] = nominated
        if pod["metadata"].get("deletionTimestamp"):
            shown["deleted"] = True
        for kind in ("PodScheduled", "DisruptionTarget"):
            condition = get_condition(pod, kind)
            if condition and (kind != "PodScheduled" or condition["status"] != "True"):
                ignored = ("type", "lastTransitionTime", "lastProbeTime")
                shown[kind] = {key: value for key, value in condition.items() if key not in ignored}
        return shown

    async def events(self) -> list[Any]:
        """Every different event but for times and uids, in order of their texts.

        How often a pod that waits is looked at again is each scheduler's own.
        """
        found: list[Any] = []
        for event in (await self.client.list(EVENTS, "default")).items:
            message = event["message"]
            for uid, name in self.names.items():
                message = message.replace(uid, f"<{name}>")
            related = event.get("related") or {}
            times = ("firstTimestamp", "lastTimestamp", "eventTime", "count")
            shown = {
                "about": event["involvedObject"]["name"],
                "type": event["type"],
                "reason": event["reason"],
                "message": message,
                "action": event.get("action"),
                "related": related.get("name"),
                "source": event["source"],
                "component": event["reportingComponent"],
                "instance": event["reportingInstance"].split("-")[:2],
                "form": [key for key in times if event.get(key)],
            }
            if shown not in found:
                found.append(shown)
        return sorted(found, key=str)


Story = Callable[[Play], Awaitable[None]]
STORIES: dict[str, Story] = {}


def story(act: Story) -> Story:
    STORIES[act.__name__] = act
    return act


@story
async def the_younger_of_two_equal_pods_is_the_victim(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.pod("old", on="n1", started=1)
    await play.pod("young", on="n1", started=2)
    await play.pod("urgent", priority="high")


@story
async def the_node_with_the_lowest_victims_is_chosen_and_waited_for(play: Play) -> None:
    await play.priorities(high=1000, middle=500, low=10)
    await play.node("n1")
    await play.node("n2")
    await play.pod("a", cpu="2", on="n1", priority="middle")
    await play.pod("b", cpu="2", on="n2", priority="low")
    await play.pod("urgent", priority="high", cpu="2")
    await play.settle()
    await play.pod("late", cpu="500m", priority="middle")
    await play.settle()
    await play.remove_ending()


@story
async def a_disruption_budget_counts_more_than_priority(play: Play) -> None:
    await play.priorities(high=1000, middle=500, low=10)
    await play.node("n1")
    await play.node("n2")
    await play.pod("a", cpu="2", on="n1", priority="middle")
    await play.pod("b", cpu="2", on="n2", priority="low", labels={"app": "guarded"})
    await play.budget("guard", {"app": "guarded"}, allowed=0)
    await play.pod("urgent", priority="high", cpu="2")


@story
async def a_budget_that_nobody_can_keep_is_broken(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.pod("free", on="n1", started=1)
    await play.pod("guarded", on="n1", started=2, labels={"app": "guarded"})
    await play.budget("guard", {"app": "guarded"}, allowed=0)
    await play.pod("urgent", priority="high", cpu="2")


@story
async def within_a_node_guarded_pods_are_spared_first(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.pod("free", on="n1", started=1)
    await play.pod("guarded", on="n1", started=2, labels={"app": "guarded"})
    await play.budget("guard", {"app": "guarded"}, allowed=0)
    await play.pod("urgent", priority="high")


@story
async def a_polite_pod_waits(play: Play) -> None:
    await play.priorities(high_never=1000)
    await play.node("n1")
    await play.pod("a", cpu="2", on="n1")
    await play.pod("urgent", priority="high-never")


@story
async def equal_priority_is_no_reason(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.pod("a", cpu="2", on="n1", priority="high")
    await play.pod("urgent", priority="high")


@story
async def victims_that_do_not_make_enough_room_are_left_alone(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.node("n2", cpu="1")
    await play.pod("equal", on="n1", priority="high")
    await play.pod("small", cpu="500m", on="n1")
    await play.pod("urgent", priority="high", cpu="2")


@story
async def fewer_victims_are_better(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.node("n2")
    await play.pod("a1", on="n1")
    await play.pod("a2", on="n1")
    await play.pod("b", cpu="2", on="n2")
    await play.pod("urgent", priority="high", cpu="2")


@story
async def later_victims_are_better(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.node("n2")
    await play.pod("a", cpu="2", on="n1", started=5)
    await play.pod("b", cpu="2", on="n2", started=9)
    await play.pod("urgent", priority="high", cpu="2")


@story
async def a_host_port_can_be_taken_over(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    await play.pod("a", on="n1", port=8080)
    await play.pod("other", on="n1", cpu="100m")
    await play.pod("urgent", priority="high", cpu="100m", port=8080)
    await play.settle()
    await play.remove_ending()


@story
async def what_keeps_others_away_can_be_removed(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1")
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    await play.pod("loner", on="n1", cpu="100m", affinity=away)
    await play.pod("other", on="n1", cpu="100m")
    await play.pod("urgent", priority="high", cpu="100m", labels={"app": "x"})


@story
async def only_nodes_where_it_helps_are_looked_at(play: Play) -> None:
    await play.priorities(high=1000)
    await play.node("n1", labels={"zone": "a"})
    await play.node("n2")
    await play.pod("a", cpu="2", on="n1")
    await play.pod("b", cpu="2", on="n2")
    await play.pod("urgent", priority="high", nodeSelector={"zone": "a"})
    await play.settle()
    await play.pod("lost", priority="high", nodeSelector={"zone": "b"})


@story
async def a_stronger_pod_takes_the_place_that_was_cleared(play: Play) -> None:
    await play.priorities(high=1000, highest=2000)
    await play.node("n1")
    await play.pod("a", cpu="2", on="n1")
    await play.pod("urgent", priority="high", cpu="2")
    await play.settle()
    await play.pod("most-urgent", priority="highest", cpu="2")
    await play.settle()
    await play.remove_ending()


@story
async def a_plain_pod_is_scheduled_with_an_event(play: Play) -> None:
    await play.node("n1")
    await play.pod("a")
    await play.pod("b", cpu="3")


async def tell(client: KubeClient, name: str, *, quiet: float) -> dict[str, Any]:
    """Play a story and see how it ended; everything is removed again."""
    act, play = STORIES[name], Play(client, quiet)
    try:
        await act(play)
        await play.settle()
        return {"pods": await play.pods(), "events": await play.events()}
    finally:
        await clear(client)


async def clear(client: KubeClient) -> None:
    for kind, namespace in ((PODS, "default"), (BUDGETS, "default"), (NODES, None), (PRIORITY_CLASSES, None)):
        for obj in (await client.list(kind, namespace)).items:
            name = obj["metadata"]["name"]
            if name.startswith("system-"):
                continue
            try:
                await client.delete(kind, name, namespace, grace_seconds=0)
            except ApiError as error:
                if error.status != 404:
                    raise
    await asyncio.sleep(0.3)
    for event in (await client.list(EVENTS, "default")).items:
        await client.delete(EVENTS, event["metadata"]["name"], "default")
