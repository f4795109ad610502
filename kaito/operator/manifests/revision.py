"""The history of a workspace: its hash and its ControllerRevisions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.kube.objects import owner_reference
from kaito.operator.manifests import names
from kaito.operator.manifests.go_json import go_text, go_value

_PARTS = (("resource", "ResourceSpec"), ("inference", "InferenceSpec"), ("tuning", "TuningSpec"))


def workspace_hash(workspace: Mapping[str, Any]) -> str:
    """Kaito's revision hash: sha256 over the Go JSON of resource, inference and tuning, one a line.

    Labels and annotations take no part. Source: `pkg/workspace/controllers` (`computeHash`).
    """
    text = "".join(go_text(type_name, workspace.get(part)) for part, type_name in _PARTS)
    return hashlib.sha256(text.encode()).hexdigest()


def controller_revision(workspace: Mapping[str, Any], digest: str, revision: int) -> dict[str, Any]:
    """The ControllerRevision that records the workspace as it is now."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision_name(workspace, digest),
            "namespace": names.namespace_of(workspace),
            "labels": {labels.WORKSPACE_REVISION_OWNER: names.name_of(workspace)},
            "annotations": {labels.WORKSPACE_HASH: digest},
            "ownerReferences": [owner_reference(workspace)],
        },
        "revision": revision,
        "data": {part: go_value(type_name, workspace.get(part)) for part, type_name in sorted(_PARTS)},
    }


def revision_name(workspace: Mapping[str, Any], digest: str) -> str:
    return f"{names.name_of(workspace)}-{digest[:5]}"
