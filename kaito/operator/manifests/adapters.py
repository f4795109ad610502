"""How LoRA adapters reach a serving pod: from an image by an init container, or mounted from a volume."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaito.operator.manifests import containers, names
from kaito.operator.settings import OperatorSettings

_IMAGES_VOLUME = "adapter-volume"


@dataclass(frozen=True)
class AdapterParts:
    """What adapters add to a pod."""

    init_containers: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    """Mounts of the serving container."""
    env: list[dict[str, Any]] = field(default_factory=list)
    """Strengths: a variable named as each adapter, as in Kaito, and all of them in one JSON variable, because a shell
    drops variables whose name is no identifier."""
    image_pull_secrets: list[dict[str, Any]] = field(default_factory=list)


def adapter_parts(adapters: Sequence[Mapping[str, Any]], settings: OperatorSettings) -> AdapterParts:
    """The parts for `inference.adapters`; each ends up in `/mnt/adapter/<name>`.

    `imagePullSecrets` are joined with duplicates, as in Kaito.
    """
    parts = AdapterParts()
    strengths: dict[str, float] = {}
    for adapter in adapters:
        source = adapter.get("source") or {}
        name = str(source.get("name") or "")
        if source.get("image"):
            _add_image(parts, name, source, settings)
        elif source.get("volumeSource"):
            volume = names.label_name(f"adapter-volume-{name}")
            parts.volumes.append({"name": volume, **source["volumeSource"]})
            parts.mounts.append({"name": volume, "mountPath": posixpath.join(names.ADAPTER_PATH, name)})
        strength = adapter.get("strength")
        if strength not in (None, ""):
            parts.env.append(containers.variable(name, str(strength)))
            strengths[name] = _number(strength)
    if strengths:
        parts.env.append(containers.variable("KAITO_ADAPTER_STRENGTHS", json.dumps(strengths)))
    return parts


def _add_image(parts: AdapterParts, name: str, source: Mapping[str, Any], settings: OperatorSettings) -> None:
    if not any(volume["name"] == _IMAGES_VOLUME for volume in parts.volumes):
        parts.volumes.append(containers.empty_dir(_IMAGES_VOLUME))
        parts.mounts.append({"name": _IMAGES_VOLUME, "mountPath": names.ADAPTER_PATH})
    mounts = [{"name": _IMAGES_VOLUME, "mountPath": names.ADAPTER_PATH}]
    secrets = [str(secret) for secret in source.get("imagePullSecrets") or ()]
    if secrets:
        folder = f"{name}-inference-adapter"
        volume = names.label_name(f"docker-config-{folder}")
        parts.volumes.append(containers.pull_secrets_volume(volume, secrets))
        mounts.append(containers.pull_secrets_mount(volume, folder))
        parts.image_pull_secrets.extend({"name": secret} for secret in secrets)
    parts.init_containers.append(
        containers.runtime_container(
            names.label_name(f"{names.PULLER}-{name}"),
            ["pull", str(source["image"]), "--output", posixpath.join(names.ADAPTER_PATH, name)],
            settings,
            mounts=mounts,
            fetches=True,
        )
    )


def _number(strength: Any) -> float:
    try:
        return float(strength)
    except (TypeError, ValueError):
        return 1.0
