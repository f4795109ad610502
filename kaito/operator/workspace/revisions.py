"""Step 1 and 2 of a pass: finalizer, revision annotations and ControllerRevisions."""

from __future__ import annotations

from typing import Any

from kaito.api import labels
from kaito.kube.errors import AlreadyExists
from kaito.kube.resources import CONTROLLER_REVISIONS, WORKSPACES
from kaito.operator.manifests import names
from kaito.operator.manifests.revision import controller_revision, revision_name, workspace_hash
from kaito.operator.workspace.context import Blocked, Scope


async def sync_revision(scope: Scope) -> None:
    """Give the workspace its finalizer and annotations, and its current state a ControllerRevision.

    One patch, and before anything else is made, so that nothing can be left behind. A state that was there before gets
    its old number back. Source: Kaito 0.12 `syncControllerRevision`.
    """
    digest = workspace_hash(scope.workspace)
    name = revision_name(scope.workspace, digest)
    history = [one for one in scope.store.of(CONTROLLER_REVISIONS, scope.key) if one["metadata"].get("annotations")]
    existing = next((one for one in history if one["metadata"]["name"] == name), None)
    if existing is not None and names.annotation(existing, labels.WORKSPACE_HASH) != digest:
        raise Blocked(f"revision name conflicts, the hash values are different: {name}")
    latest = max((int(one.get("revision") or 0) for one in history), default=0)
    scope.revision = int(existing["revision"]) if existing is not None else latest + 1
    await _mark(scope, digest)
    if existing is None:
        try:
            await scope.store.create(CONTROLLER_REVISIONS, controller_revision(scope.workspace, digest, scope.revision))
        except AlreadyExists:
            return
        await _trim(scope, history)


async def _mark(scope: Scope, digest: str) -> None:
    metadata = scope.workspace["metadata"]
    finalizers = list(metadata.get("finalizers") or ())
    annotations = metadata.get("annotations") or {}
    wanted = {labels.WORKSPACE_HASH: digest, labels.WORKSPACE_REVISION: str(scope.revision)}
    patch: dict[str, Any] = {}
    if labels.WORKSPACE_FINALIZER not in finalizers:
        patch["finalizers"] = [*finalizers, labels.WORKSPACE_FINALIZER]
        patch["resourceVersion"] = metadata["resourceVersion"]
    if any(annotations.get(key) != value for key, value in wanted.items()):
        patch["annotations"] = wanted
    if patch:
        scope.workspace = await scope.store.patch(WORKSPACES, scope.workspace, {"metadata": patch})


async def _trim(scope: Scope, history: list[dict[str, Any]]) -> None:
    """Delete the oldest revision when there were more than the limit before the newest came, as Kaito counts."""
    if len(history) > scope.settings.revision_history_limit:
        oldest = min(history, key=lambda one: int(one.get("revision") or 0))
        await scope.store.delete(CONTROLLER_REVISIONS, oldest)
