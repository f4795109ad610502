"""One pass over one InferenceSet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.kube.clock import Clock
from kaito.kube.controller import Result
from kaito.kube.errors import AlreadyExists
from kaito.kube.objects import Key, is_deleting, key_of
from kaito.kube.resources import CONTROLLER_REVISIONS, INFERENCE_SETS, WORKSPACES
from kaito.operator.inferenceset.status import compute_status, deletion_status, surplus
from kaito.operator.manifests import names
from kaito.operator.manifests.inference_set import (
    FINALIZER,
    HASH_ANNOTATION,
    REVISION_ANNOTATION,
    inference_set_hash,
    inference_set_revision,
    replica_labels,
    replica_name,
    replica_workspace,
)
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace.store import Store


class InferenceSetReconciler:
    """Keeps as many workspaces as `spec.replicas` says; level-triggered.

    Changes of the template reach new workspaces only, labels excepted, as in Kaito. Source: Kaito 0.12
    `pkg/inferenceset`.
    """

    def __init__(self, store: Store, settings: OperatorSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def reconcile(self, key: Key) -> Result | None:
        """One pass; raises ApiError for what a retry may help."""
        found = self._store.get(INFERENCE_SETS, key.name, key.namespace)
        if found is None:
            return None
        if is_deleting(found):
            await self._delete(found)
            return None
        inference_set = await self._sync_revision(found)
        replicas = inference_set["spec"].get("replicas")
        desired = 1 if replicas is None else int(replicas)
        workspaces = self._replicas(inference_set)
        for workspace in surplus(workspaces, desired):
            await self._store.delete(WORKSPACES, workspace)
        await self._create_missing(inference_set, desired - len(workspaces))
        await self._relabel(inference_set)
        await self._report(inference_set, desired)
        return None

    def _replicas(self, inference_set: Mapping[str, Any]) -> list[dict[str, Any]]:
        owned = self._store.of(WORKSPACES, key_of(inference_set))
        return [workspace for workspace in owned if not is_deleting(workspace)]

    async def _create_missing(self, inference_set: Mapping[str, Any], missing: int) -> None:
        taken = {one["metadata"]["name"] for one in self._store.of(WORKSPACES, key_of(inference_set))}
        index = 0
        while missing > 0:
            if replica_name(inference_set, index) not in taken:
                try:
                    await self._store.create(WORKSPACES, replica_workspace(inference_set, index))
                except AlreadyExists:
                    return
                missing -= 1
            index += 1

    async def _relabel(self, inference_set: Mapping[str, Any]) -> None:
        wanted = replica_labels(inference_set)
        for workspace in self._replicas(inference_set):
            own = workspace["metadata"].get("labels") or {}
            if not wanted.items() <= own.items():
                await self._store.patch(WORKSPACES, workspace, {"metadata": {"labels": wanted}})

    async def _report(self, inference_set: Mapping[str, Any], desired: int) -> None:
        workspaces = self._replicas(inference_set)
        status = compute_status(inference_set, workspaces, desired, now=self._clock.now())
        await self._write_status(inference_set, status)

    async def _write_status(self, inference_set: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        if status != inference_set.get("status"):
            await self._store.update(INFERENCE_SETS, {**inference_set, "status": status}, subresource="status")

    async def _delete(self, inference_set: Mapping[str, Any]) -> None:
        """Delete the workspaces, and let the set go when they are gone."""
        metadata = inference_set["metadata"]
        if FINALIZER not in (metadata.get("finalizers") or ()):
            return
        left = self._store.of(WORKSPACES, key_of(inference_set))
        for workspace in left:
            if not is_deleting(workspace):
                await self._store.delete(WORKSPACES, workspace)
        if left:
            await self._write_status(inference_set, deletion_status(inference_set, now=self._clock.now()))
            return
        kept = [name for name in metadata["finalizers"] if name != FINALIZER]
        patch = {"metadata": {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}}
        await self._store.patch(INFERENCE_SETS, inference_set, patch)

    async def _sync_revision(self, inference_set: Mapping[str, Any]) -> Mapping[str, Any]:
        """Finalizer, annotations and ControllerRevision of the current spec; the set as written."""
        digest = inference_set_hash(inference_set)
        history = self._store.of(CONTROLLER_REVISIONS, key_of(inference_set))
        existing = next((one for one in history if names.annotation(one, HASH_ANNOTATION) == digest), None)
        latest = max((int(one["revision"]) for one in history), default=0)
        revision = int(existing["revision"]) if existing is not None else latest + 1
        metadata = inference_set["metadata"]
        finalizers = metadata.get("finalizers") or []
        wanted = {HASH_ANNOTATION: digest, REVISION_ANNOTATION: str(revision)}
        patch: dict[str, Any] = {}
        if FINALIZER not in finalizers:
            patch |= {"finalizers": [*finalizers, FINALIZER], "resourceVersion": metadata["resourceVersion"]}
        if not wanted.items() <= (metadata.get("annotations") or {}).items():
            patch["annotations"] = wanted
        if patch:
            inference_set = await self._store.patch(INFERENCE_SETS, inference_set, {"metadata": patch})
        if existing is None:
            try:
                created = inference_set_revision(inference_set, digest, revision)
                await self._store.create(CONTROLLER_REVISIONS, created)
            except AlreadyExists:
                return inference_set
            if len(history) > self._settings.revision_history_limit:
                oldest = min(history, key=lambda one: int(one["revision"]))
                await self._store.delete(CONTROLLER_REVISIONS, oldest)
        return inference_set
