"""The end of a workspace: its nodes and workloads go first, then its finalizer."""

from __future__ import annotations

from typing import Any

from kaito.api import labels
from kaito.kube.objects import controller_of, is_deleting
from kaito.kube.resources import JOBS, NODE_CLAIMS, PODS, SERVICES, STATEFUL_SETS, WORKSPACES, Resource
from kaito.operator.workspace.context import Pass
from kaito.operator.workspace.status import deletion_status
from kaito.operator.workspace.workloads import is_owned_by

_OWNED = (STATEFUL_SETS, JOBS, SERVICES)


async def delete_workspace(step: Pass) -> None:
    """Delete what the workspace made, and let it go once that is gone.

    Kaito takes the finalizer off at once and leaves the rest to garbage collection; here `kubectl delete` returns when
    node claims, nodes, pods and services are gone. While something is still there the status says what.
    """
    finalizers = step.workspace["metadata"].get("finalizers") or []
    if labels.WORKSPACE_FINALIZER not in finalizers:
        return
    for claim in step.store.of(NODE_CLAIMS, step.key) if step.settings.provisions_nodes else ():
        await _delete(step, NODE_CLAIMS, claim)
    for resource in _OWNED:
        for obj in _owned(step, resource):
            await _delete(step, resource, obj)
    left = _left(step)
    if left:
        message = f"workspace is being deleted, waiting for {', '.join(left)}"
        await _report(step, message)
        return
    kept = [name for name in finalizers if name != labels.WORKSPACE_FINALIZER]
    metadata = {"finalizers": kept, "resourceVersion": step.workspace["metadata"]["resourceVersion"]}
    await step.store.patch(WORKSPACES, step.workspace, {"metadata": metadata})


async def _delete(step: Pass, resource: Resource, obj: dict[str, Any]) -> None:
    if not is_deleting(obj):
        propagation = "Background" if resource in (NODE_CLAIMS, SERVICES) else "Foreground"
        await step.store.delete(resource, obj, propagation=propagation)  # type: ignore[arg-type]


def _owned(step: Pass, resource: Resource) -> list[dict[str, Any]]:
    return [obj for obj in step.store.of(resource, step.key) if is_owned_by(obj, step.workspace)]


def _left(step: Pass) -> list[str]:
    """What is still there, as `kind name`."""
    left = [(resource, obj) for resource in _OWNED for obj in _owned(step, resource)]
    if step.settings.provisions_nodes:
        left += [(NODE_CLAIMS, claim) for claim in step.store.of(NODE_CLAIMS, step.key)]
    left += [(PODS, pod) for pod in step.store.of(PODS, step.key) if _is_workload(step, pod)]
    return [f"{resource.kind} {obj['metadata']['name']}" for resource, obj in left]


async def _report(step: Pass, message: str) -> None:
    status = deletion_status(step.workspace, message, now=step.context.clock.now())
    if status != step.workspace.get("status"):
        await step.store.update(WORKSPACES, {**step.workspace, "status": status}, subresource="status")


def _is_workload(step: Pass, pod: dict[str, Any]) -> bool:
    """Whether a pod is of the workspace's StatefulSet or Job (which may be gone already)."""
    owner = controller_of(pod)
    return owner is not None and owner["name"] == step.name and owner["kind"] in (STATEFUL_SETS.kind, JOBS.kind)
