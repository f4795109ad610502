"""Step 4 for tuning: the Job, and after it the server of what it made."""

from __future__ import annotations

from typing import Any

from kaito.kube.objects import is_deleting
from kaito.kube.resources import JOBS, PODS, SERVICES, STATEFUL_SETS
from kaito.operator.manifests import names, services
from kaito.operator.manifests.choices import preset_name, serves_after_tuning
from kaito.operator.manifests.tuning import output_dir, tuned_stateful_set, tuning_job
from kaito.operator.workspace.config_maps import copy_mirrors, training_config
from kaito.operator.workspace.context import Blocked, Scope
from kaito.operator.workspace.provisioning import machine_of, resolve_preset, shrink_nodes
from kaito.operator.workspace.serving import ensure, roll, storage_class
from kaito.operator.workspace.workloads import JobPhase, is_serving, job_phase, revision_of, served_job


def surge(scope: Scope) -> int:
    """Nodes beyond the target: one while a tuning run shares the workspace with the server of the run before.

    Both ask for all GPUs of a node, and the old server stays until the new adapter is there.
    """
    server = scope.owned(STATEFUL_SETS)
    if scope.workspace.get("tuning") is None or server is None or not scope.settings.provisions_nodes:
        return 0
    job = scope.owned(JOBS)
    phase = job_phase(job, str(scope.revision))
    if phase in (JobPhase.PENDING, JobPhase.RUNNING):
        return 1
    return 0


async def ensure_tuning(scope: Scope) -> None:
    """Run the tuning Job of the current revision, and serve the result of one that has succeeded."""
    job = scope.owned(JOBS)
    if job is None:
        await _start(scope)
        return
    if is_deleting(job):
        return
    if revision_of(job) != str(scope.revision):
        await scope.store.delete(JOBS, job, propagation="Foreground")
        if scope.owned(JOBS) is None:
            await _start(scope)
        return
    if not serves_after_tuning(scope.workspace, scope.settings):
        await _stop_serving(scope)
    elif job_phase(job, str(scope.revision)) is JobPhase.SUCCEEDED:
        await _serve(scope, job)


async def release_surge(scope: Scope) -> None:
    """Give back the extra node of a re-tune once the new server runs, or the run has failed and the old one stays."""
    server = scope.owned(STATEFUL_SETS)
    if not scope.settings.provisions_nodes or scope.target is None or surge(scope):
        return
    job = scope.owned(JOBS)
    if job is None or not is_serving(server):
        return
    failed = job_phase(job, str(scope.revision)) is JobPhase.FAILED
    if not failed and served_job(server) != job["metadata"]["uid"]:
        return
    busy = frozenset(
        str(pod["spec"].get("nodeName") or "")
        for pod in scope.store.of(PODS, scope.key)
        if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    )
    await shrink_nodes(scope, scope.target, busy)


async def _start(scope: Scope) -> None:
    preset = resolve_preset(scope)
    if preset.tuning is None:
        raise Blocked(
            f"preset {preset_name(scope.workspace)} cannot be fine-tuned: no tuning parameters are known for it"
        )
    config = await training_config(scope)
    await copy_mirrors(scope)
    text = str((config.get("data") or {}).get(names.TRAINING_CONFIG_FILE) or "")
    job = tuning_job(
        scope.workspace,
        preset,
        machine_of(scope),
        scope.settings,
        revision=scope.revision,
        config_map=config["metadata"]["name"],
        results=output_dir(text),
    )
    await ensure(scope, JOBS, job)


async def _serve(scope: Scope, job: dict[str, Any]) -> None:
    await copy_mirrors(scope)
    await ensure(scope, SERVICES, services.tuned_service(scope.workspace))
    await ensure(scope, SERVICES, services.headless_service(scope.workspace))
    existing = scope.owned(STATEFUL_SETS)
    if existing is not None and served_job(existing) == job["metadata"]["uid"]:
        return
    wanted = tuned_stateful_set(
        scope.workspace,
        job,
        resolve_preset(scope),
        machine_of(scope),
        scope.settings,
        weights_storage_class=storage_class(scope),
    )
    if existing is None:
        await ensure(scope, STATEFUL_SETS, wanted)
    else:
        await roll(scope, existing, wanted)


async def _stop_serving(scope: Scope) -> None:
    """Take the server away after serving has been opted out of."""
    server = scope.owned(STATEFUL_SETS)
    if server is None or not served_job(server):
        return
    await scope.store.delete(STATEFUL_SETS, server, propagation="Background")
    for name in (scope.name, names.headless_name(scope.workspace)):
        service = scope.owned(SERVICES, name)
        if service is not None:
            await scope.store.delete(SERVICES, service)
