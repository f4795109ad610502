"""Other resources for the containers of a running pod (the `resize` subresource).

Source: pkg/kubelet/allocation/allocation_manager.go of Kubernetes 1.34. Processes have no cgroups: a new cpu or memory
request needs nothing done, and a memory limit is looked up by who watches it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kaito.embedded.kubelet.pods.admission import rejection
from kaito.embedded.kubelet.pods.records import ContainerRecord
from kaito.embedded.scheduler.requests import amounts, pod_requests

PENDING = "PodResizePending"


def wanted_resources(records: Iterable[ContainerRecord], pod: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The resources by container that the spec asks for now and that the container does not have yet."""
    spec = pod["spec"]
    asked = {
        entry["name"]: entry.get("resources") or {}
        for entry in (*(spec.get("initContainers") or ()), *spec["containers"])
    }
    return {r.name: asked[r.name] for r in records if r.name in asked and asked[r.name] != r.resources}


def refusal(
    pod: Mapping[str, Any], others: Sequence[Mapping[str, Any]], allocatable: Mapping[str, str]
) -> tuple[str, str] | None:
    """Reason and message of the condition `PodResizePending` when the node cannot give what is asked for, or None."""
    requests, capacity = pod_requests(pod), amounts(allocatable)
    for name in ("memory", "cpu"):
        wanted, there = requests.get(name, 0), capacity.get(name, 0)
        if wanted > there:
            return "Infeasible", f"Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {there}"
    rejected = rejection(pod, others, allocatable)
    return ("Deferred", rejected[1]) if rejected else None


def completed(pod: Mapping[str, Any]) -> str:
    """The message of the event `ResizeCompleted`."""
    told: dict[str, Any] = {}
    for field in ("initContainers", "containers"):
        entries = [
            {"name": entry["name"], "resources": entry["resources"]}
            for entry in pod["spec"].get(field) or ()
            if entry.get("resources") and (field == "containers" or entry.get("restartPolicy") == "Always")
        ]
        if entries:
            told[field] = entries
    return f"Pod resize completed: {json.dumps(told, separators=(',', ':'), sort_keys=True)}"


def must_restart(container: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a change of its resources restarts a container, by its `resizePolicy`."""
    restarting = {
        policy["resourceName"]
        for policy in container.get("resizePolicy") or ()
        if policy.get("restartPolicy") == "RestartContainer"
    }
    return any(
        (before.get(kind) or {}).get(name) != (after.get(kind) or {}).get(name)
        for kind in ("requests", "limits")
        for name in restarting
    )
