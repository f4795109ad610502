"""Step 4 for inference: Services and StatefulSet."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from kaito.kube.errors import AlreadyExists
from kaito.kube.resources import DEPLOYMENTS, SERVICES, STATEFUL_SETS, STORAGE_CLASSES, Resource
from kaito.operator.manifests import services
from kaito.operator.manifests.choices import runtime_of
from kaito.operator.manifests.inference import preset_stateful_set, template_stateful_set
from kaito.operator.workspace.config_maps import copy_mirrors
from kaito.operator.workspace.context import Pass
from kaito.operator.workspace.provisioning import machine_of, resolve_preset
from kaito.operator.workspace.workloads import revision_of

_MIGRATION = "Migrating inference workload from Deployment to StatefulSet, this will cause a few minutes of downtime."


async def ensure_inference(step: Pass) -> None:
    """Make what an inference workspace needs: two Services and a StatefulSet.

    Services are made once and never changed, a template's StatefulSet likewise; a preset's follows the revision.
    """
    runtime = runtime_of(step.workspace, step.settings)
    await ensure(step, SERVICES, services.inference_service(step.workspace, runtime=runtime))
    await ensure(step, SERVICES, services.headless_service(step.workspace))
    await _remove_deployment(step)
    existing = step.store.get(STATEFUL_SETS, step.name, step.namespace)
    if step.workspace["inference"].get("template"):
        if existing is None:
            replicas = step.target or 1
            await ensure(step, STATEFUL_SETS, template_stateful_set(step.workspace, step.settings, replicas=replicas))
        return
    await copy_mirrors(step)
    if existing is not None and revision_of(existing) == str(step.revision):
        return
    wanted = preset_stateful_set(
        step.workspace,
        resolve_preset(step),
        machine_of(step),
        step.settings,
        revision=step.revision,
        replicas=step.target or 1,
        weights_storage_class=storage_class(step),
    )
    if existing is None:
        await ensure(step, STATEFUL_SETS, wanted)
    else:
        await roll(step, existing, wanted)


async def ensure(step: Pass, resource: Resource, wanted: Mapping[str, Any]) -> None:
    """Create an object of the workspace unless one of that name is there."""
    metadata = wanted["metadata"]
    if step.store.get(resource, metadata["name"], metadata["namespace"]) is None:
        try:
            await step.store.create(resource, wanted)
        except AlreadyExists:
            return


async def roll(step: Pass, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Give a StatefulSet the pod template and annotations of `wanted`; replicas and claims stay.

    Kaito carries over environment, mounts, volumes and init containers only, so that an adapter added later is mounted
    but its pull secrets are not. An unchanged template rolls nothing.
    """
    updated = copy.deepcopy(dict(existing))
    annotations = updated["metadata"].setdefault("annotations", {})
    annotations |= wanted["metadata"].get("annotations") or {}
    updated["spec"]["template"] = wanted["spec"]["template"]
    await step.store.update(STATEFUL_SETS, updated)


def storage_class(step: Pass) -> str | None:
    """The class for local disks of weights, where the cluster has it."""
    name = step.settings.weights_storage_class
    return name if name and step.store.get(STORAGE_CLASSES, name) is not None else None


async def _remove_deployment(step: Pass) -> None:
    """Kaito's migration of the workload of its first releases."""
    deployment = step.store.get(DEPLOYMENTS, step.name, step.namespace)
    if deployment is not None:
        step.context.events.event(step.workspace, "Warning", "WorkloadMigration", _MIGRATION)
        await step.store.delete(DEPLOYMENTS, deployment)
