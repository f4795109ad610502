"""ConfigMaps that pods of a workspace need in its namespace: parameter templates and the mirror map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.kube.errors import AlreadyExists
from kaito.kube.resources import CONFIG_MAPS
from kaito.operator.manifests import names
from kaito.operator.manifests.choices import tuning_config_map
from kaito.operator.manifests.config_maps import copied_config_map
from kaito.operator.workspace.context import Blocked, Scope


async def copy_mirrors(scope: Scope) -> None:
    """Keep the namespace's copy of the mirror map equal to the release namespace's; nothing where there is no map."""
    name = scope.settings.mirrors_config_map
    source = scope.store.get(CONFIG_MAPS, name, scope.settings.release_namespace) if name else None
    if name is None or source is None or scope.namespace == scope.settings.release_namespace:
        return
    wanted = copied_config_map(source, scope.namespace)
    existing = scope.store.get(CONFIG_MAPS, name, scope.namespace)
    if existing is None:
        await _create(scope, wanted)
    elif existing.get("data") != wanted["data"] and names.annotation(existing, names.COPIED_FROM_ANNOTATION):
        await scope.store.patch(CONFIG_MAPS, existing, {"data": _replacing(existing, wanted)})


async def training_config(scope: Scope) -> dict[str, Any]:
    """The ConfigMap with the training parameters, copied from the release namespace when it is a template.

    Raises Blocked when it does not exist.
    """
    name = tuning_config_map(scope.workspace)
    existing = scope.store.get(CONFIG_MAPS, name, scope.namespace)
    if existing is not None:
        return existing
    if scope.workspace["tuning"].get("config"):
        raise Blocked(f"ConfigMap '{name}' specified in 'config' not found in namespace '{scope.namespace}'")
    source = scope.store.get(CONFIG_MAPS, name, scope.settings.release_namespace)
    if source is None:
        raise Blocked(f"ConfigMap '{name}' not found in namespace '{scope.settings.release_namespace}'")
    return await _create(scope, copied_config_map(source, scope.namespace))


async def _create(scope: Scope, wanted: dict[str, Any]) -> dict[str, Any]:
    try:
        return await scope.store.create(CONFIG_MAPS, wanted)
    except AlreadyExists:
        return wanted


def _replacing(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch of `data` that also drops keys that are gone."""
    gone = {key: None for key in existing.get("data") or {} if key not in wanted["data"]}
    return {**gone, **wanted["data"]}
