"""The Job that tunes, and the server of what it made."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import yaml

from kaito.api import exitcodes, labels
from kaito.api.gpu import GpuConfig
from kaito.api.preset import Preset
from kaito.kube.objects import owner_reference
from kaito.operator.manifests import containers, names, selection, serving
from kaito.operator.manifests.adapters import adapter_parts
from kaito.operator.manifests.choices import preset_name
from kaito.operator.settings import OperatorSettings

RESULTS_VOLUME = "results-volume"
DATA_VOLUME = "data-volume"
DEFAULT_OUTPUT = "/mnt/output"
PUSH_ATTEMPTS = 7
"""Tries of each request to the registry: about a minute in all, with the pusher's doubling pauses."""
PHI_3_TARGET_MODULES = "k_proj,q_proj,v_proj,o_proj,gate_proj,down_proj,up_proj"
"""What Kaito names as target modules for phi-3 presets, whatever modules the model has."""
ALL_LINEAR = "all-linear"


def output_dir(config_text: str) -> str:
    """Where a training config lets results go: below `/mnt`, `/mnt/output` when it does not say.

    Source: Kaito `pkg/workspace/tuning` (`GetTrainingOutputDir`). A config that does not parse gives the default; the
    tuner then says what is wrong with it.
    """
    try:
        config = yaml.safe_load(config_text)
        value = config["training_config"]["TrainingArguments"]["output_dir"]
    except (yaml.YAMLError, KeyError, TypeError):
        return DEFAULT_OUTPUT
    path = str(value or "").strip()
    if not path:
        return DEFAULT_OUTPUT
    cleaned = posixpath.normpath(path if path.startswith("/mnt") else f"/mnt/{path}")
    return cleaned if cleaned.startswith("/mnt/") else DEFAULT_OUTPUT


def tuning_job(
    workspace: Mapping[str, Any],
    preset: Preset,
    machine: GpuConfig,
    settings: OperatorSettings,
    *,
    revision: int,
    config_map: str,
    results: str,
) -> dict[str, Any]:
    """Job `<workspace>`: download weights and data, tune, push the adapter.

    `results` is the output folder. Kaito's shape, with a podFailurePolicy besides: exit codes that no retry can help
    fail the Job at once. Sidecars end on failure too, so that the pod does.
    """
    tuning = workspace["tuning"]
    source, destination = tuning["input"], tuning["output"]
    results_mount = {"name": RESULTS_VOLUME, "mountPath": results}
    data_mount = {"name": DATA_VOLUME, "mountPath": names.DATA_PATH}
    init_containers = [_weights_downloader(preset, settings)]
    main_mounts = [
        containers.SHARED_MEMORY_MOUNT,
        containers.WEIGHTS_MOUNT,
        containers.CONFIG_MOUNT,
        results_mount,
    ]
    volumes = [
        containers.SHARED_MEMORY,
        containers.empty_dir(containers.WEIGHTS_VOLUME),
        containers.config_volume(config_map),
        {"name": RESULTS_VOLUME, **(destination.get("volumeSource") or {"emptyDir": {}})},
    ]
    data_source: Mapping[str, Any] = {"emptyDir": {}}
    if source.get("urls"):
        init_containers.append(_data_downloader(source["urls"], settings, data_mount))
    elif source.get("image"):
        init_containers.append(_add_input_image(source, settings, volumes, main_mounts, data_mount))
    elif source.get("volumeSource"):
        data_source = source["volumeSource"]
    volumes.append({"name": DATA_VOLUME, **data_source})
    main_mounts.append(data_mount)

    main = containers.runtime_container(
        names.name_of(workspace),
        ["tune"],
        settings,
        env=[
            *_target_modules(preset, settings),
            containers.variable("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
        ],
        mounts=main_mounts,
    ) | {
        "ports": [{"containerPort": names.HTTP_PORT, "protocol": "TCP"}],
        "resources": containers.gpu_resources(machine.gpu_count),
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [main],
        "initContainers": init_containers,
        "tolerations": selection.tuning_tolerations(settings),
        "volumes": volumes,
    }
    if destination.get("image"):
        secret = str(destination["imagePushSecret"])
        pod["containers"] += _push_sidecars(workspace, settings, results_mount)
        pod["shareProcessNamespace"] = True
        pod["imagePullSecrets"] = [{"name": secret}]
        volumes.append(containers.push_secret_volume(secret))
    volumes += containers.mirrors_volumes(settings)
    if affinity := selection.affinity(selection.match_labels(workspace)):
        pod["affinity"] = affinity
    own_labels = {labels.WORKSPACE_NAME: names.name_of(workspace)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.name_of(workspace),
            "namespace": names.namespace_of(workspace),
            "labels": dict(own_labels),
            "annotations": {labels.WORKSPACE_REVISION: str(revision)},
            "ownerReferences": [owner_reference(workspace)],
        },
        "spec": {
            "podFailurePolicy": {"rules": _failing_rules(pushes=bool(destination.get("image")))},
            "template": {"metadata": {"labels": own_labels}, "spec": pod},
        },
    }


def _failing_rules(*, pushes: bool) -> list[dict[str, Any]]:
    """Which exit codes fail the Job for good.

    A pusher that found no registry has been patient already; another attempt would tune all over again first.
    """
    rules: list[dict[str, Any]] = [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": sorted(exitcodes.PERMANENT)}}
    ]
    if pushes:
        unavailable = {"containerName": names.PUSHER, "operator": "In", "values": [exitcodes.UNAVAILABLE]}
        rules.append({"action": "FailJob", "onExitCodes": unavailable})
    return rules


def tuned_stateful_set(
    workspace: Mapping[str, Any],
    job: Mapping[str, Any],
    preset: Preset,
    machine: GpuConfig,
    settings: OperatorSettings,
    *,
    weights_storage_class: str | None,
) -> dict[str, Any]:
    """StatefulSet `<workspace>` that serves what `job`, which has succeeded, made.

    The adapter is named as the workspace. It is pulled again from where it was pushed, with the push secret, or read
    from the output volume. Revision and Job are written down, so that the next tuning run replaces the pods.
    """
    name = names.name_of(workspace)
    output = workspace["tuning"]["output"]
    if output.get("image"):
        secrets = [output["imagePushSecret"]] if output.get("imagePushSecret") else []
        source = {"name": name, "image": output["image"], "imagePullSecrets": secrets}
    else:
        source = {"name": name, "volumeSource": output.get("volumeSource")}
    adapters = adapter_parts([{"source": source}], settings)
    volumes = [containers.SHARED_MEMORY, *adapters.volumes]
    claims = []
    if weights_storage_class and machine.nvme:
        claims.append(serving.weights_claim(workspace, preset, weights_storage_class))
    else:
        volumes.append(containers.empty_dir(containers.WEIGHTS_VOLUME))
    server = serving.serving_container(
        workspace,
        preset,
        machine,
        settings,
        weights=preset.model_id,
        env=adapters.env,
        mounts=[containers.WEIGHTS_MOUNT, containers.SHARED_MEMORY_MOUNT, *adapters.mounts],
    )
    pod: dict[str, Any] = {
        "containers": [server],
        "tolerations": selection.serving_tolerations(settings),
        "volumes": [*volumes, *containers.mirrors_volumes(settings)],
    }
    if adapters.init_containers:
        pod["initContainers"] = adapters.init_containers
    if adapters.image_pull_secrets:
        pod["imagePullSecrets"] = adapters.image_pull_secrets
    if affinity := selection.affinity(selection.node_labels(workspace, settings)):
        pod["affinity"] = affinity
    revision = names.annotation(job, labels.WORKSPACE_REVISION) or ""
    return serving.stateful_set(
        workspace,
        pod,
        replicas=1,
        annotations={labels.WORKSPACE_REVISION: revision},
        pod_annotations={names.SERVED_JOB_ANNOTATION: str(job["metadata"]["uid"])},
        claims=claims,
    )


def _weights_downloader(preset: Preset, settings: OperatorSettings) -> dict[str, Any]:
    return containers.runtime_container(
        names.WEIGHTS_DOWNLOADER,
        ["download", "--model", preset.model_id, "--output", names.WEIGHTS_PATH],
        settings,
        mounts=[containers.WEIGHTS_MOUNT],
        fetches=True,
    )


def _data_downloader(urls: list[str], settings: OperatorSettings, mount: Mapping[str, Any]) -> dict[str, Any]:
    return containers.runtime_container(
        names.DATA_DOWNLOADER,
        ["download", "--output", names.DATA_PATH],
        settings,
        env=[
            containers.variable("DATA_URLS", " ".join(urls)),
            containers.variable("DATA_VOLUME_PATH", names.DATA_PATH),
        ],
        mounts=[mount],
        fetches=True,
    )


def _add_input_image(
    source: Mapping[str, Any],
    settings: OperatorSettings,
    volumes: list[dict[str, Any]],
    main_mounts: list[dict[str, Any]],
    data_mount: dict[str, Any],
) -> dict[str, Any]:
    """The init container that unpacks an input image; its credentials are mounted in the tuner too, as in Kaito."""
    mounts = [data_mount]
    secrets = [str(secret) for secret in source.get("imagePullSecrets") or ()]
    if secrets:
        folder = f"{source.get('name') or ''}-tuning-input"
        volume = names.label_name(f"docker-config-{folder}")
        volumes.append(containers.pull_secrets_volume(volume, secrets))
        mount = containers.pull_secrets_mount(volume, folder)
        mounts.append(mount)
        main_mounts.append(mount)
    return containers.runtime_container(
        names.PULLER,
        ["pull", str(source["image"]), "--output", names.DATA_PATH],
        settings,
        mounts=mounts,
        fetches=True,
    )


def _push_sidecars(
    workspace: Mapping[str, Any], settings: OperatorSettings, results_mount: dict[str, Any]
) -> list[dict[str, Any]]:
    image, results = str(workspace["tuning"]["output"]["image"]), str(results_mount["mountPath"])
    pusher = containers.runtime_container(
        names.PUSHER,
        [
            *("push", image, "--from", results, "--wait", "--attempts", str(PUSH_ATTEMPTS)),
            *("--annotation", f"sh.kaito.model.name={preset_name(workspace)}"),
        ],
        settings,
        mounts=[containers.DOCKER_CONFIG_MOUNT, results_mount],
        fetches=True,
    )
    pause = containers.runtime_container(names.PAUSE, ["pause", "--watch", results], settings, mounts=[results_mount])
    return [pusher, pause]


def _target_modules(preset: Preset, settings: OperatorSettings) -> list[dict[str, Any]]:
    if settings.model_flavor == "tiny":
        return [containers.variable("DEFAULT_TARGET_MODULES", ALL_LINEAR)]
    if preset.name.startswith("phi-3"):
        return [containers.variable("DEFAULT_TARGET_MODULES", PHI_3_TARGET_MODULES)]
    return []
