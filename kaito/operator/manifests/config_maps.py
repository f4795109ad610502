"""ConfigMaps that the operator copies from its own namespace into those of workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.operator.manifests import names


def copied_config_map(source: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """A copy of a ConfigMap for another namespace.

    It has no owner, as in Kaito: several workspaces share it, and it stays when they go.
    """
    metadata = source["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": metadata["name"],
            "namespace": namespace,
            "annotations": {names.COPIED_FROM_ANNOTATION: f"{metadata['namespace']}/{metadata['name']}"},
        },
        "data": dict(source.get("data") or {}),
    }
