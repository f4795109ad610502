"""One pass over one workspace: read the world, make what is missing, write the status once."""

from __future__ import annotations

from typing import Any

from kaito.kube.controller import Result
from kaito.kube.errors import ApiError, Conflict, Unreachable
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.kube.resources import EVENTS, JOBS, PODS, STATEFUL_SETS, WORKSPACES
from kaito.operator.manifests.choices import serves_after_tuning
from kaito.operator.workspace.context import Blocked, Context, Scope
from kaito.operator.workspace.deletion import delete_workspace
from kaito.operator.workspace.failures import has_started
from kaito.operator.workspace.provisioning import (
    ensure_accelerator_labels,
    provision_nodes,
    settle_target,
    view_nodes,
)
from kaito.operator.workspace.revisions import sync_revision
from kaito.operator.workspace.serving import ensure_inference
from kaito.operator.workspace.status import Observation, compute_status, is_urgent
from kaito.operator.workspace.tuning import ensure_tuning, release_surge, surge


class WorkspaceReconciler:
    """Brings workspaces to what they ask for; level-triggered.

    Each pass starts from what is there, never from what the last pass thought, so a pass may end anywhere. Order of
    steps: Kaito 0.12 `pkg/workspace/controllers/workspace_controller.go`.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held: dict[Key, float] = {}
        """Since when a workspace has had a status change that is not urgent, in monotonic seconds."""

    async def reconcile(self, key: Key) -> Result | None:
        """One pass; raises ApiError for what a retry may help."""
        workspace = self._context.store.get(WORKSPACES, key.name, key.namespace)
        if workspace is None:
            self._held.pop(key, None)
            return None
        scope = Scope(self._context, workspace)
        if is_deleting(workspace):
            self._held.pop(key, None)
            await delete_workspace(scope)
            return None
        failure: Exception | None = None
        try:
            await self._advance(scope)
        except (Conflict, Unreachable):
            raise
        except (Blocked, ApiError) as error:
            failure = error
        result = await self._report(scope, failure)
        if isinstance(failure, ApiError):
            raise failure
        return result

    async def _advance(self, scope: Scope) -> None:
        await sync_revision(scope)
        settle_target(scope)
        assert scope.target is not None
        needed = scope.target + surge(scope)
        if scope.settings.provisions_nodes:
            await provision_nodes(scope, needed)
        view = view_nodes(scope, needed)
        if not (view.claims_ready and view.nodes_ready):
            return
        await ensure_accelerator_labels(scope)
        if not view.ready:
            return
        if scope.workspace.get("tuning") is not None:
            await ensure_tuning(scope)
            await release_surge(scope)
        elif scope.workspace.get("inference") is not None:
            await ensure_inference(scope)

    async def _report(self, scope: Scope, failure: Exception | None) -> Result | None:
        """Write the status when it has changed; a change that flips nothing waits for more of its kind."""
        old = scope.workspace.get("status") or {}
        new = compute_status(self._observe(scope, failure), target=scope.target, now=self._context.clock.now())
        if new == old:
            self._held.pop(scope.key, None)
            return None
        now = self._context.clock.monotonic()
        quiet = scope.settings.status_quiet_seconds
        if not is_urgent(old, new) and quiet > 0:
            since = self._held.setdefault(scope.key, now)
            if now - since < quiet:
                return Result(requeue_after=quiet - (now - since))
        self._held.pop(scope.key, None)
        await scope.store.update(WORKSPACES, {**scope.workspace, "status": new}, subresource="status")
        return None

    def _observe(self, scope: Scope, failure: Exception | None) -> Observation:
        error = failure.message if isinstance(failure, ApiError) else str(failure) if failure else None
        needed = (scope.target or 0) + surge(scope)
        pods = scope.store.of(PODS, scope.key)
        return Observation(
            workspace=scope.workspace,
            nodes=view_nodes(scope, needed),
            stateful_set=scope.owned(STATEFUL_SETS),
            job=scope.owned(JOBS),
            pods=pods,
            mount_troubles=_mount_troubles(scope, pods),
            revision=str(scope.revision),
            serves=serves_after_tuning(scope.workspace, scope.settings),
            error=error,
        )


def _mount_troubles(scope: Scope, pods: list[dict[str, Any]]) -> dict[str, str]:
    """The newest FailedMount event of each pod that has not started."""
    troubles = {}
    for pod in pods:
        if has_started(pod):
            continue
        events = scope.store.of(EVENTS, key_of(pod))
        own = [event for event in events if event["involvedObject"].get("uid") == pod["metadata"].get("uid")]
        if own:
            newest = max(own, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
            troubles[pod["metadata"]["name"]] = str(newest.get("message") or "")
    return troubles
