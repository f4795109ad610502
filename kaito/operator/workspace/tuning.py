"""Step 4 for tuning: the Job, and after it the server of what it made."""

from __future__ import annotations

from typing import Any

from kaito.kube.objects import is_deleting
from kaito.kube.resources import JOBS, PODS, SERVICES, STATEFUL_SETS
from kaito.operator.manifests import names, services
from kaito.operator.manifests.choices import preset_name, serves_after_tuning
from kaito.operator.manifests.tuning import output_dir, tuned_stateful_set, tuning_job
from kaito.operator.workspace.config_maps import copy_mirrors, training_config
from kaito.operator.workspace.context import Blocked, Pass
from kaito.operator.workspace.provisioning import machine_of, resolve_preset, shrink_nodes
from kaito.operator.workspace.serving import ensure, roll, storage_class
from kaito.operator.workspace.workloads import JobPhase, is_serving, job_phase, revision_of, served_job


def surge(step: Pass) -> int:
    """Nodes beyond the target: one while a tuning run shares the workspace with the server of the run before.

    Both ask for all GPUs of a node, and the old server stays until the new adapter is there.
    """
    server = step.store.get(STATEFUL_SETS, step.name, step.namespace)
    if step.workspace.get("tuning") is None or server is None or not step.settings.provisions_nodes:
        return 0
    job = step.store.get(JOBS, step.name, step.namespace)
    phase = job_phase(job, str(step.revision))
    if phase in (JobPhase.PENDING, JobPhase.RUNNING):
        return 1
    return 0


async def ensure_tuning(step: Pass) -> None:
    """Run the tuning Job of the current revision, and serve the result of one that has succeeded."""
    job = step.store.get(JOBS, step.name, step.namespace)
    if job is None:
        await _start(step)
        return
    if is_deleting(job):
        return
    if revision_of(job) != str(step.revision):
        await step.store.delete(JOBS, job, propagation="Foreground")
        if step.store.get(JOBS, step.name, step.namespace) is None:
            await _start(step)
        return
    if not serves_after_tuning(step.workspace, step.settings):
        await _stop_serving(step)
    elif job_phase(job, str(step.revision)) is JobPhase.SUCCEEDED:
        await _serve(step, job)


async def release_surge(step: Pass) -> None:
    """Give back the extra node of a re-tune once the new server runs, or the run has failed and the old one stays."""
    server = step.store.get(STATEFUL_SETS, step.name, step.namespace)
    if not step.settings.provisions_nodes or step.target is None or surge(step):
        return
    job = step.store.get(JOBS, step.name, step.namespace)
    if job is None or not is_serving(server):
        return
    failed = job_phase(job, str(step.revision)) is JobPhase.FAILED
    if not failed and served_job(server) != job["metadata"]["uid"]:
        return
    busy = frozenset(
        str(pod["spec"].get("nodeName") or "")
        for pod in step.store.of(PODS, step.key)
        if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    )
    await shrink_nodes(step, step.target, busy)


async def _start(step: Pass) -> None:
    preset = resolve_preset(step)
    if preset.tuning is None:
        raise Blocked(
            f"preset {preset_name(step.workspace)} cannot be fine-tuned: no tuning parameters are known for it"
        )
    config = await training_config(step)
    await copy_mirrors(step)
    text = str((config.get("data") or {}).get(names.TRAINING_CONFIG_FILE) or "")
    job = tuning_job(
        step.workspace,
        preset,
        machine_of(step),
        step.settings,
        revision=step.revision,
        config_map=config["metadata"]["name"],
        results=output_dir(text),
    )
    await ensure(step, JOBS, job)


async def _serve(step: Pass, job: dict[str, Any]) -> None:
    await copy_mirrors(step)
    await ensure(step, SERVICES, services.tuned_service(step.workspace))
    await ensure(step, SERVICES, services.headless_service(step.workspace))
    existing = step.store.get(STATEFUL_SETS, step.name, step.namespace)
    if existing is not None and served_job(existing) == job["metadata"]["uid"]:
        return
    wanted = tuned_stateful_set(
        step.workspace,
        job,
        resolve_preset(step),
        machine_of(step),
        step.settings,
        weights_storage_class=storage_class(step),
    )
    if existing is None:
        await ensure(step, STATEFUL_SETS, wanted)
    else:
        await roll(step, existing, wanted)


async def _stop_serving(step: Pass) -> None:
    """Take the server away after serving has been opted out of."""
    server = step.store.get(STATEFUL_SETS, step.name, step.namespace)
    if server is None or not served_job(server):
        return
    await step.store.delete(STATEFUL_SETS, server, propagation="Background")
    for name in (step.name, names.headless_name(step.workspace)):
        service = step.store.get(SERVICES, name, step.namespace)
        if service is not None:
            await step.store.delete(SERVICES, service)
