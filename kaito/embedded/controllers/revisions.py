"""A Deployment's ReplicaSets as its history: which is the new one, what revision each is, what each must carry."""

from __future__ import annotations

import copy
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.hashing import object_hash
from kaito.embedded.controllers.replica_counts import DESIRED_REPLICAS, MAX_REPLICAS, fenceposts
from kaito.kube.objects import owner_reference

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
HASH_LABEL = "pod-template-hash"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
}


def revision_of(obj: Object) -> int:
    """The revision an object says it is; 0 when it says none."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION) or "0"
    return int(text) if text.isdigit() else 0


def _without_hash(template: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key != HASH_LABEL}
    metadata.pop("creationTimestamp", None)
    return {"metadata": metadata, "labels": labels, "spec": template["spec"]}


def find_new(deployment: Object, replica_sets: list[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's own template, or None."""
    wanted = _without_hash(deployment["spec"]["template"])
    for replica_set in sorted(replica_sets, key=creation_order):
        if _without_hash(replica_set["spec"]["template"]) == wanted:
            return replica_set
    return None


def creation_order(obj: Object) -> tuple[str, str]:
    """Sort key: oldest first, then by name."""
    return obj["metadata"].get("creationTimestamp") or "", obj["metadata"]["name"]


def annotations_for(deployment: Object, replica_set: Object | None, revision: int) -> dict[str, str]:
    """The annotations the new ReplicaSet must have: the Deployment's, its revision and the numbers for scaling.

    A ReplicaSet that becomes current again (a rollback) keeps its former revisions as its history.
    """
    inherited = {
        key: value for key, value in (deployment["metadata"].get("annotations") or {}).items() if key not in _NOT_COPIED
    }
    current = dict((replica_set["metadata"].get("annotations") or {}) if replica_set else {})
    replicas = deployment["spec"].get("replicas", 1)
    result = {
        **current,
        **inherited,
        DESIRED_REPLICAS: str(replicas),
        MAX_REPLICAS: str(replicas + fenceposts(deployment)[0]),
    }
    before = revision_of(replica_set) if replica_set else 0
    if before < revision:
        result[REVISION] = str(revision)
        if before:
            history = current.get(REVISION_HISTORY)
            result[REVISION_HISTORY] = f"{history},{before}" if history else str(before)
    return result


def new_replica_set(deployment: Object, replicas: int, revision: int, collisions: int | None) -> Object:
    """The ReplicaSet for the Deployment's current template."""
    template = copy.deepcopy(deployment["spec"]["template"])
    digest = object_hash(_without_hash(template), collisions)
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), HASH_LABEL: digest}
    selector = copy.deepcopy(deployment["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    spec: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": template}
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": dict(metadata["labels"]),
            "annotations": annotations_for(deployment, None, revision),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": spec,
    }


def expired(deployment: Object, old: list[Object]) -> list[Object]:
    """The old, empty ReplicaSets beyond the history limit, oldest first."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    dead = [
        each
        for each in old
        if not each["metadata"].get("deletionTimestamp")
        and not each["spec"].get("replicas", 1)
        and not (each.get("status") or {}).get("replicas")
        and each["metadata"].get("generation", 0) <= (each.get("status") or {}).get("observedGeneration", 0)
    ]
    return sorted(dead, key=lambda each: (revision_of(each), creation_order(each)))[: max(0, len(dead) - limit)]
