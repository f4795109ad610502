"""The StatefulSets of inference workspaces: a preset's, and one around the user's own pod template."""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.api.gpu import GpuConfig
from kaito.api.preset import Preset
from kaito.kube.objects import owner_reference
from kaito.operator.manifests import containers, names, selection, serving
from kaito.operator.manifests.adapters import adapter_parts
from kaito.operator.manifests.choices import runtime_of
from kaito.operator.settings import OperatorSettings

HF_TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable


def preset_stateful_set(
    workspace: Mapping[str, Any],
    preset: Preset,
    machine: GpuConfig,
    settings: OperatorSettings,
    *,
    revision: int,
    replicas: int,
    weights_storage_class: str | None,
) -> dict[str, Any]:
    """StatefulSet `<workspace>` that serves a preset with its adapters.

    `weights_storage_class`: the class to claim a local disk from; None keeps the weights in an emptyDir.
    """
    inference = workspace["inference"]
    adapters = adapter_parts(inference.get("adapters") or (), settings)
    local = names.annotation(workspace, labels.USE_LOCAL_WEIGHTS) == "true"
    config = inference.get("config")

    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    env: list[dict[str, Any]] = []
    arguments: list[str] = []
    claims: list[dict[str, Any]] = []
    weights = preset.model_id
    if config:
        volumes.append(containers.config_volume(str(config)))
        mounts.append(containers.CONFIG_MOUNT)
        arguments += ["--kaito-config-file", posixpath.join(names.CONFIG_PATH, names.INFERENCE_CONFIG_FILE)]
    if local:
        weights = serving.local_weights_path(workspace)
        host_path = {"path": weights, "type": "Directory"}
        volumes.append({"name": "model-weights-hostpath", "hostPath": host_path})
        mounts.append({"name": "model-weights-hostpath", "mountPath": weights, "readOnly": True})
        env.append(containers.variable("KAITO_PROCESSOR", weights))
    else:
        mounts.append(containers.WEIGHTS_MOUNT)
    volumes += [containers.SHARED_MEMORY, *adapters.volumes]
    mounts += [containers.SHARED_MEMORY_MOUNT, *adapters.mounts]
    if not local and weights_storage_class and machine.nvme:
        claims.append(serving.weights_claim(workspace, preset, weights_storage_class))
    elif not local:
        volumes.append(containers.empty_dir(containers.WEIGHTS_VOLUME))
    volumes += containers.mirrors_volumes(settings)
    env += [*_token(inference), *adapters.env]

    pod: dict[str, Any] = {
        "containers": [
            serving.serving_container(
                workspace,
                preset,
                machine,
                settings,
                weights=weights,
                env=env,
                mounts=mounts,
                arguments=arguments,
                kv_events_port=runtime_of(workspace, settings) == "vllm",
            )
        ],
        "tolerations": selection.serving_tolerations(settings),
        "volumes": volumes,
    }
    if adapters.init_containers:
        pod["initContainers"] = adapters.init_containers
    if adapters.image_pull_secrets:
        pod["imagePullSecrets"] = adapters.image_pull_secrets
    if affinity := selection.affinity(selection.node_labels(workspace, settings)):
        pod["affinity"] = affinity
    return serving.stateful_set(
        workspace,
        pod,
        replicas=replicas,
        annotations={labels.WORKSPACE_REVISION: str(revision)},
        claims=claims,
    )


def template_stateful_set(workspace: Mapping[str, Any], settings: OperatorSettings, *, replicas: int) -> dict[str, Any]:
    """StatefulSet `<workspace>` around `inference.template`.

    The user's affinity is replaced, their tolerations come first, everything else is theirs.
    """
    template = copy.deepcopy(workspace["inference"]["template"])
    own_labels = selection.pod_labels(workspace)
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **own_labels}
    pod = template.setdefault("spec", {})
    pod.pop("affinity", None)
    if affinity := selection.affinity(selection.node_labels(workspace, settings)):
        pod["affinity"] = affinity
    pod["tolerations"] = [*(pod.get("tolerations") or ()), *selection.serving_tolerations(settings)]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": names.name_of(workspace),
            "namespace": names.namespace_of(workspace),
            "ownerReferences": [owner_reference(workspace)],
        },
        "spec": {
            "replicas": replicas,
            "podManagementPolicy": "OrderedReady",
            "serviceName": "",
            "selector": {"matchLabels": own_labels},
            "template": template,
        },
    }


def _token(inference: Mapping[str, Any]) -> list[dict[str, Any]]:
    options = (inference.get("preset") or {}).get("presetOptions") or {}
    secret = options.get("modelAccessSecret")
    if not secret:
        return []
    reference = {"name": str(secret), "key": HF_TOKEN, "optional": True}
    return [{"name": HF_TOKEN, "valueFrom": {"secretKeyRef": reference}}]
