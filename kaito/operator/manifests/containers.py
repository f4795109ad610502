"""Containers of the one runtime image, and the volumes and variables they share."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from kaito.api import labels
from kaito.operator.manifests import names
from kaito.operator.settings import OperatorSettings

Volume = dict[str, Any]
Mount = dict[str, Any]

SHARED_MEMORY: Volume = {"name": "dshm", "emptyDir": {"medium": "Memory"}}
SHARED_MEMORY_MOUNT: Mount = {"name": "dshm", "mountPath": "/dev/shm"}  # noqa: S108 - a path in the container
WEIGHTS_VOLUME = "model-weights-volume"
WEIGHTS_MOUNT: Mount = {"name": WEIGHTS_VOLUME, "mountPath": names.WEIGHTS_PATH}
CONFIG_MOUNT: Mount = {"name": "config-volume", "mountPath": names.CONFIG_PATH}
MIRRORS_MOUNT: Mount = {"name": "mirrors-volume", "mountPath": names.MIRRORS_PATH}
DOCKER_CONFIG_MOUNT: Mount = {"name": "docker-config", "mountPath": names.DOCKER_CONFIG_PATH}


def runtime_container(
    name: str,
    command: Sequence[str],
    settings: OperatorSettings,
    *,
    env: Sequence[Mapping[str, Any]] = (),
    mounts: Sequence[Mapping[str, Any]] = (),
    fetches: bool = False,
) -> dict[str, Any]:
    """A container that runs `kaito-runtime` with the given arguments.

    `fetches`: it reaches for addresses outside the cluster, so it gets the mirror map. The end of its log becomes its
    termination message when it fails, which is how its reason reaches the workspace's conditions.
    """
    env, mounts = list(env), list(mounts)
    if fetches and settings.mirrors_config_map:
        env.append(variable("KAITO_MIRRORS", posixpath.join(names.MIRRORS_PATH, names.MIRRORS_FILE)))
        mounts.append(MIRRORS_MOUNT)
    container: dict[str, Any] = {
        "name": name,
        "image": settings.image,
        "command": ["kaito-runtime", *command],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if env:
        container["env"] = env
    if mounts:
        container["volumeMounts"] = mounts
    return container


def variable(name: str, value: str) -> dict[str, Any]:
    """One entry of `env`."""
    return {"name": name, "value": value}


def gpu_resources(gpus: int) -> dict[str, Any]:
    """Requests and limits for all GPUs of a node."""
    amount = {labels.GPU_RESOURCE: str(gpus)}
    return {"requests": dict(amount), "limits": dict(amount)}


def empty_dir(name: str) -> Volume:
    """A scratch volume that lives as long as the pod."""
    return {"name": name, "emptyDir": {}}


def config_volume(config_map: str) -> Volume:
    """A ConfigMap of the user's, to be mounted at `/mnt/config`."""
    return {"name": CONFIG_MOUNT["name"], "configMap": {"name": config_map}}


def mirrors_volumes(settings: OperatorSettings) -> list[Volume]:
    """The mirror map's volume, where there are mirrors; optional, because its namespace may have no copy."""
    if not settings.mirrors_config_map:
        return []
    source = {"name": settings.mirrors_config_map, "optional": True}
    return [{"name": MIRRORS_MOUNT["name"], "configMap": source}]


def pull_secrets_volume(name: str, secrets: Sequence[str]) -> Volume:
    """A folder of registry credentials, one file `<secret>.json` for each pull secret."""
    sources = [
        {"secret": {"name": secret, "items": [{"key": ".dockerconfigjson", "path": f"{secret}.json"}]}}
        for secret in secrets
    ]
    return {"name": name, "projected": {"sources": sources}}


def push_secret_volume(secret: str) -> Volume:
    """The registry credentials of one secret as `config.json`."""
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    source = {"secret": {"name": secret, "items": items}}
    return {"name": DOCKER_CONFIG_MOUNT["name"], "projected": {"sources": [source]}}


def pull_secrets_mount(volume: str, folder: str) -> Mount:
    """Where a folder of registry credentials goes: one of several beneath `~/.docker/config.d`."""
    return {"name": volume, "mountPath": posixpath.join(names.DOCKER_CONFIG_PATH, "config.d", folder)}
