"""Putting the operator's own objects into a cluster: CRDs, its namespace, parameter templates, admission."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

from kaito.api.crds import crd_manifests
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import AlreadyExists, Conflict
from kaito.kube.objects import condition_is
from kaito.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    VALIDATING_WEBHOOKS,
    Resource,
)
from kaito.operator.params import METHODS, inference_config_map, params_config_map
from kaito.operator.settings import OperatorSettings
from kaito.operator.webhook import webhook_configuration

ESTABLISHED_SECONDS = 30.0
"""How long the API server may take to serve a new CRD."""
_POLL_SECONDS = 0.02


async def install(
    client: KubeClient,
    settings: OperatorSettings,
    *,
    webhook: tuple[str, bytes] | None = None,
    clock: Clock | None = None,
) -> None:
    """Create or update all of it; doing it again changes nothing.

    `webhook`: URL and CA certificate (PEM) of a WebhookServer, for API servers that cannot call the Reviewer directly.
    Returns once the CRDs are served. Raises TimeoutError when they are not within `ESTABLISHED_SECONDS`.
    """
    crds = crd_manifests()
    await asyncio.gather(*(_apply(client, CUSTOM_RESOURCE_DEFINITIONS, crd) for crd in crds))
    await _apply(client, NAMESPACES, _namespace(settings.release_namespace))
    for method in METHODS:
        template = params_config_map(method, settings.model_flavor, settings.release_namespace)
        await _apply(client, CONFIG_MAPS, template)
    await _apply(client, CONFIG_MAPS, inference_config_map(settings.release_namespace))
    if webhook is not None:
        url, authority = webhook
        await _apply(client, VALIDATING_WEBHOOKS, webhook_configuration(url, authority))
    await _wait_established(client, [crd["metadata"]["name"] for crd in crds], clock or SystemClock())


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def _apply(client: KubeClient, resource: Resource, wanted: Mapping[str, Any]) -> None:
    """Create an object, or bring the parts of it that `wanted` states to what it states."""
    metadata = wanted["metadata"]
    while True:
        try:
            await client.create(resource, wanted)
            return
        except AlreadyExists:
            live = await client.get(resource, metadata["name"], metadata.get("namespace"))
        updated = _overlay(live, wanted)
        if updated == live:
            return
        try:
            await client.update(resource, updated)
            return
        except Conflict:
            continue


def _overlay(live: Any, wanted: Any) -> Any:
    """`live` with every field of `wanted`; lists are replaced unless they only lack what the server fills in."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        merged = copy.deepcopy(dict(live))
        for key, value in wanted.items():
            merged[key] = _overlay(live.get(key), value)
        return merged
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [_overlay(before, after) for before, after in zip(live, wanted, strict=True)]
    return copy.deepcopy(wanted)


async def _wait_established(client: KubeClient, names: list[str], clock: Clock) -> None:
    deadline = clock.monotonic() + ESTABLISHED_SECONDS
    waiting = list(names)
    while waiting:
        live = await client.get(CUSTOM_RESOURCE_DEFINITIONS, waiting[0])
        if condition_is(live, "Established"):
            waiting.pop(0)
        elif clock.monotonic() > deadline:
            raise TimeoutError(f"the API server does not serve {waiting[0]} after {ESTABLISHED_SECONDS:.0f} s")
        else:
            await clock.sleep(_POLL_SECONDS)
