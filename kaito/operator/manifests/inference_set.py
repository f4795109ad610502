"""What an InferenceSet makes: equal inference workspaces, and the history of its spec."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.kube.objects import owner_reference
from kaito.operator.manifests import names
from kaito.operator.manifests.go_json import go_text, go_value

FINALIZER = labels.INFERENCESET_FINALIZER
NAME_LABEL = "inferenceset.kaito.io/name"
HASH_ANNOTATION = "inferenceset.kaito.io/hash"
REVISION_ANNOTATION = "inferenceset.kaito.io/revision"


def inference_set_hash(inference_set: Mapping[str, Any]) -> str:
    """Kaito's revision hash of an InferenceSet: sha256 over the Go JSON of its spec."""
    return hashlib.sha256(go_text("InferenceSetSpec", inference_set.get("spec")).encode()).hexdigest()


def inference_set_revision(inference_set: Mapping[str, Any], digest: str, revision: int) -> dict[str, Any]:
    """The ControllerRevision that records the spec as it is now."""
    name = names.name_of(inference_set)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name}-{digest[:5]}",
            "namespace": names.namespace_of(inference_set),
            "labels": {NAME_LABEL: name},
            "annotations": {HASH_ANNOTATION: digest},
            "ownerReferences": [owner_reference(inference_set)],
        },
        "revision": revision,
        "data": {"Spec": go_value("InferenceSetSpec", inference_set.get("spec"))},
    }


def replica_name(inference_set: Mapping[str, Any], index: int) -> str:
    """The name of the `index`-th workspace.

    It follows from the set's uid, so that a pass that is repeated makes no second one; Kaito's end is random.
    """
    seed = f"{inference_set['metadata']['uid']}/{index}"
    return f"{names.name_of(inference_set)}-{hashlib.sha256(seed.encode()).hexdigest()[:5]}"


def replica_labels(inference_set: Mapping[str, Any]) -> dict[str, str]:
    """The labels of its workspaces: the template's, the parent's name, and what the set itself inherits."""
    own = inference_set["metadata"].get("labels") or {}
    inherited = (labels.INFERENCE_ROLE, names.MULTI_ROLE_CREATED_BY)
    return {
        **((inference_set["spec"]["template"].get("metadata") or {}).get("labels") or {}),
        **{key: own[key] for key in inherited if key in own},
        labels.INFERENCESET_CREATED_BY: names.name_of(inference_set),
    }


def replica_workspace(inference_set: Mapping[str, Any], index: int) -> dict[str, Any]:
    """The `index`-th workspace of the set."""
    spec = inference_set["spec"]
    template = copy.deepcopy(spec["template"])
    metadata: dict[str, Any] = {
        "name": replica_name(inference_set, index),
        "namespace": names.namespace_of(inference_set),
        "labels": replica_labels(inference_set),
        "ownerReferences": [owner_reference(inference_set)],
    }
    annotations = dict((template.get("metadata") or {}).get("annotations") or {})
    opted_out = names.annotation(inference_set, labels.DISABLE_BENCHMARK)
    if opted_out is not None:
        annotations.setdefault(labels.DISABLE_BENCHMARK, opted_out)
    if annotations:
        metadata["annotations"] = annotations
    resource = {**(template.get("resource") or {}), "labelSelector": copy.deepcopy(spec["labelSelector"])}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": metadata,
        "resource": resource,
        "inference": template["inference"],
    }
