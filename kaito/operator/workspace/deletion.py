"""The end of a workspace: its nodes and workloads go first, then its finalizer."""

from __future__ import annotations

from typing import Any

from kaito.api import labels
from kaito.kube.client import Propagation
from kaito.kube.objects import controller_of, is_deleting
from kaito.kube.resources import JOBS, NODE_CLAIMS, PODS, SERVICES, STATEFUL_SETS, WORKSPACES, Resource
from kaito.operator.workspace.context import Scope
from kaito.operator.workspace.status import deletion_status
from kaito.operator.workspace.workloads import is_owned_by

_OWNED = (STATEFUL_SETS, JOBS, SERVICES)


async def delete_workspace(scope: Scope) -> None:
    """Delete what the workspace made, and let it go once that is gone.

    Kaito takes the finalizer off at once and leaves the rest to garbage collection; here `kubectl delete` returns when
    node claims, nodes, pods and services are gone. While something is still there the status says what.
    """
    finalizers = scope.workspace["metadata"].get("finalizers") or []
    if labels.WORKSPACE_FINALIZER not in finalizers:
        return
    for claim in scope.store.of(NODE_CLAIMS, scope.key) if scope.settings.provisions_nodes else ():
        await _delete(scope, NODE_CLAIMS, claim)
    for resource in _OWNED:
        for obj in _owned(scope, resource):
            await _delete(scope, resource, obj)
    left = _left(scope)
    if left:
        message = f"workspace is being deleted, waiting for {', '.join(left)}"
        await _report(scope, message)
        return
    kept = [name for name in finalizers if name != labels.WORKSPACE_FINALIZER]
    metadata = {"finalizers": kept, "resourceVersion": scope.workspace["metadata"]["resourceVersion"]}
    await scope.store.patch(WORKSPACES, scope.workspace, {"metadata": metadata})


async def _delete(scope: Scope, resource: Resource, obj: dict[str, Any]) -> None:
    if not is_deleting(obj):
        propagation: Propagation = "Background" if resource in (NODE_CLAIMS, SERVICES) else "Foreground"
        await scope.store.delete(resource, obj, propagation=propagation)


def _owned(scope: Scope, resource: Resource) -> list[dict[str, Any]]:
    return [obj for obj in scope.store.of(resource, scope.key) if is_owned_by(obj, scope.workspace)]


def _left(scope: Scope) -> list[str]:
    """What is still there, as `kind name`."""
    left = [(resource, obj) for resource in _OWNED for obj in _owned(scope, resource)]
    if scope.settings.provisions_nodes:
        left += [(NODE_CLAIMS, claim) for claim in scope.store.of(NODE_CLAIMS, scope.key)]
    left += [(PODS, pod) for pod in scope.store.of(PODS, scope.key) if _is_workload(scope, pod)]
    return [f"{resource.kind} {obj['metadata']['name']}" for resource, obj in left]


async def _report(scope: Scope, message: str) -> None:
    status = deletion_status(scope.workspace, message, now=scope.context.clock.now())
    if status != scope.workspace.get("status"):
        await scope.store.update(WORKSPACES, {**scope.workspace, "status": status}, subresource="status")


def _is_workload(scope: Scope, pod: dict[str, Any]) -> bool:
    """Whether a pod is of the workspace's StatefulSet or Job (which may be gone already)."""
    owner = controller_of(pod)
    return owner is not None and owner["name"] == scope.name and owner["kind"] in (STATEFUL_SETS.kind, JOBS.kind)
