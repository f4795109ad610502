"""The parts every serving StatefulSet shares: its frame, the server's container and its probes."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig
from kaito.api.preset import Preset
from kaito.catalog import startup_seconds
from kaito.kube.objects import owner_reference
from kaito.operator.manifests import containers, names, selection
from kaito.operator.manifests.choices import preset_name
from kaito.operator.settings import OperatorSettings


def stateful_set(
    workspace: Mapping[str, Any],
    pod: Mapping[str, Any],
    *,
    replicas: int,
    annotations: Mapping[str, str],
    pod_annotations: Mapping[str, str] | None = None,
    claims: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """StatefulSet `<workspace>` around a pod spec, in the form Kaito gives it for presets."""
    own_labels = selection.pod_labels(workspace)
    template_metadata: dict[str, Any] = {"labels": own_labels}
    if pod_annotations:
        template_metadata["annotations"] = dict(pod_annotations)
    spec: dict[str, Any] = {
        "replicas": replicas,
        "podManagementPolicy": "Parallel",
        "serviceName": names.headless_name(workspace),
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        "selector": {"matchLabels": dict(own_labels)},
        "template": {"metadata": template_metadata, "spec": dict(pod)},
    }
    if claims:
        spec["volumeClaimTemplates"] = [dict(claim) for claim in claims]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": names.name_of(workspace),
            "namespace": names.namespace_of(workspace),
            "annotations": dict(annotations),
            "ownerReferences": [owner_reference(workspace)],
        },
        "spec": spec,
    }


def serving_container(
    workspace: Mapping[str, Any],
    preset: Preset,
    machine: GpuConfig,
    settings: OperatorSettings,
    *,
    weights: str,
    env: Sequence[Mapping[str, Any]],
    mounts: Sequence[Mapping[str, Any]],
    arguments: Sequence[str] = (),
    kv_events_port: bool = False,
) -> dict[str, Any]:
    """The container that serves; `weights` is a Hugging Face id or a path in the container."""
    command = [
        *("serve", "--model", weights, "--adapters-dir", names.ADAPTER_PATH),
        *(
            "--host",
            "$(POD_IP)",
            "--port",
            str(names.HTTP_PORT),
            "--served-model-name",
            served_model_name(workspace, preset),
        ),
        *arguments,
    ]
    pod_ip = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    container = containers.runtime_container(
        names.name_of(workspace), command, settings, env=[*env, pod_ip], mounts=mounts, fetches=True
    )
    ports = [{"name": "http", "containerPort": names.HTTP_PORT, "protocol": "TCP"}]
    if kv_events_port:
        ports.append({"name": "kv-events", "containerPort": 5557, "protocol": "TCP"})
    return container | {
        "ports": ports,
        "resources": containers.gpu_resources(machine.gpu_count),
        **probes(preset, settings),
    }


def served_model_name(workspace: Mapping[str, Any], preset: Preset) -> str:
    """What clients call the base model: the preset's name; for a replica of an InferenceSet the set's."""
    own = workspace["metadata"].get("labels") or {}
    if names.MULTI_ROLE_CREATED_BY in own:
        return preset.name
    return str(own.get(labels.INFERENCESET_CREATED_BY) or preset.name)


def probes(preset: Preset, settings: OperatorSettings) -> dict[str, Any]:
    """Start-up, liveness and readiness probe on `/health`; start-up may take the model's readiness time."""
    timings = settings.pod_timings
    health = {"httpGet": {"path": "/health", "port": names.HTTP_PORT}}
    readiness: dict[str, Any] = {**health, "periodSeconds": timings.readiness_period}
    if timings.readiness_initial_delay:
        readiness["initialDelaySeconds"] = timings.readiness_initial_delay
    return {
        "startupProbe": {
            **health,
            "periodSeconds": timings.startup_period,
            "failureThreshold": math.ceil(startup_seconds(preset) / timings.startup_period),
        },
        "livenessProbe": {
            **health,
            "periodSeconds": timings.liveness_period,
            "failureThreshold": timings.liveness_failures,
        },
        "readinessProbe": readiness,
    }


def weights_claim(workspace: Mapping[str, Any], preset: Preset, storage_class: str) -> dict[str, Any]:
    """The claim that gives each replica a local disk for the model's weights."""
    return {
        "metadata": {"name": containers.WEIGHTS_VOLUME, "labels": selection.pod_labels(workspace)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": preset.disk}},
        },
    }


def local_weights_path(workspace: Mapping[str, Any]) -> str:
    """Where a node keeps a preset's weights for the annotation `kaito.sh/use-local-weights`."""
    return posixpath.join(
        names.LOCAL_MODELS_PATH, str(preset_name(workspace)).lower().replace("/", "-").replace("\\", "-")
    )
