"""Step 4 for inference: Services and StatefulSet."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from kaito.kube.errors import AlreadyExists, Conflict
from kaito.kube.resources import DEPLOYMENTS, SERVICES, STATEFUL_SETS, STORAGE_CLASSES, Resource
from kaito.operator.manifests import services
from kaito.operator.manifests.choices import runtime_of
from kaito.operator.manifests.inference import preset_stateful_set, template_stateful_set
from kaito.operator.workspace.config_maps import copy_mirrors
from kaito.operator.workspace.context import Blocked, Scope
from kaito.operator.workspace.provisioning import machine_of, resolve_preset
from kaito.operator.workspace.workloads import revision_of

_MIGRATION = "Migrating inference workload from Deployment to StatefulSet, this will cause a few minutes of downtime."


async def ensure_inference(scope: Scope) -> None:
    """Make what an inference workspace needs: two Services and a StatefulSet.

    Services are made once and never changed, a template's StatefulSet likewise; a preset's follows the revision.
    """
    runtime = runtime_of(scope.workspace, scope.settings)
    await ensure(scope, SERVICES, services.inference_service(scope.workspace, runtime=runtime))
    await ensure(scope, SERVICES, services.headless_service(scope.workspace))
    await _remove_deployment(scope)
    existing = scope.owned(STATEFUL_SETS)
    if scope.workspace["inference"].get("template"):
        if existing is None:
            replicas = scope.target or 1
            await ensure(
                scope, STATEFUL_SETS, template_stateful_set(scope.workspace, scope.settings, replicas=replicas)
            )
        return
    await copy_mirrors(scope)
    if existing is not None and revision_of(existing) == str(scope.revision):
        return
    wanted = preset_stateful_set(
        scope.workspace,
        resolve_preset(scope),
        machine_of(scope),
        scope.settings,
        revision=scope.revision,
        replicas=scope.target or 1,
        weights_storage_class=storage_class(scope),
    )
    if existing is None:
        await ensure(scope, STATEFUL_SETS, wanted)
    else:
        await roll(scope, existing, wanted)


async def ensure(scope: Scope, resource: Resource, wanted: Mapping[str, Any]) -> None:
    """Create an object of the workspace unless it is there.

    Raises Blocked when an object of that name belongs to somebody else: Kaito takes such objects for its own.
    """
    name = wanted["metadata"]["name"]
    if scope.owned(resource, name) is not None:
        return
    if scope.store.get(resource, name, scope.namespace) is not None:
        raise Blocked(f"{resource.kind} {name} exists and is not of this workspace; delete it or rename the workspace")
    try:
        await scope.store.create(resource, wanted)
    except AlreadyExists as error:
        # The informer does not show it yet; when it does, it will be clear whose it is.
        raise Conflict(error.message) from error


async def roll(scope: Scope, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Give a StatefulSet the pod template and annotations of `wanted`; replicas and claims stay.

    Kaito carries over environment, mounts, volumes and init containers only, so that an adapter added later is mounted
    but its pull secrets are not. An unchanged template rolls nothing.
    """
    updated = copy.deepcopy(dict(existing))
    annotations = updated["metadata"].setdefault("annotations", {})
    annotations |= wanted["metadata"].get("annotations") or {}
    updated["spec"]["template"] = wanted["spec"]["template"]
    await scope.store.update(STATEFUL_SETS, updated)


def storage_class(scope: Scope) -> str | None:
    """The class for local disks of weights, where the cluster has it."""
    name = scope.settings.weights_storage_class
    return name if name and scope.store.get(STORAGE_CLASSES, name) is not None else None


async def _remove_deployment(scope: Scope) -> None:
    """Kaito's migration of the workload of its first releases."""
    deployment = scope.store.get(DEPLOYMENTS, scope.name, scope.namespace)
    if deployment is not None:
        scope.context.events.event(scope.workspace, "Warning", "WorkloadMigration", _MIGRATION)
        await scope.store.delete(DEPLOYMENTS, deployment)
