"""Identity and storage of a StatefulSet's pods. Source: pkg/controller/statefulset/stateful_set_utils.go."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from kaito.embedded.controllers.caching import Object
from kaito.embedded.controllers.controller_revisions import LABEL
from kaito.embedded.controllers.pods import pod_from_template

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
_MEMBER = re.compile(r"^(.*)-([0-9]+)$")


def ordinal_of(pod: Mapping[str, Any], owner: Mapping[str, Any]) -> int | None:
    """The pod's ordinal; None when its name does not belong to the StatefulSet."""
    match = _MEMBER.match(pod["metadata"]["name"])
    return int(match[2]) if match and match[1] == owner["metadata"]["name"] else None


def ordinals(owner: Mapping[str, Any]) -> range:
    """The ordinals that should exist."""
    start = (owner["spec"].get("ordinals") or {}).get("start", 0)
    return range(start, start + owner["spec"].get("replicas", 1))


def claim_name(template: Mapping[str, Any], owner: Mapping[str, Any], ordinal: int) -> str:
    """The name of a pod's claim from one claim template."""
    return f"{template['metadata']['name']}-{owner['metadata']['name']}-{ordinal}"


def claims_of(owner: Object, ordinal: int) -> list[Object]:
    """The claims that the pod with this ordinal mounts, as they are created."""
    claims = []
    labels = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
    for template in owner["spec"].get("volumeClaimTemplates") or ():
        metadata = {
            **{key: value for key, value in template["metadata"].items() if key in ("labels", "annotations")},
            "name": claim_name(template, owner, ordinal),
            "namespace": owner["metadata"]["namespace"],
        }
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        claims.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": copy.deepcopy(template["spec"]),
            }
        )
    return claims


def new_pod(owner: Object, template: Mapping[str, Any], revision: str, ordinal: int) -> Object:
    """The pod with this ordinal from the template of a revision."""
    name = f"{owner['metadata']['name']}-{ordinal}"
    pod = pod_from_template(template, owner)
    pod["metadata"]["name"] = name
    pod["metadata"]["labels"] = {
        **(pod["metadata"].get("labels") or {}),
        POD_NAME: name,
        POD_INDEX: str(ordinal),
        LABEL: revision,
    }
    spec = pod["spec"]
    spec["hostname"] = name
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    claims = [
        {
            "name": each["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": claim_name(each, owner, ordinal), "readOnly": False},
        }
        for each in owner["spec"].get("volumeClaimTemplates") or ()
    ]
    if claims:
        names = {each["name"] for each in claims}
        spec["volumes"] = [*claims, *(v for v in spec.get("volumes") or () if v["name"] not in names)]
    return pod


def identity_labels(pod: Mapping[str, Any], ordinal: int) -> dict[str, str]:
    """The labels that tie a pod to its place, which a pod that lost them gets back."""
    return {POD_NAME: pod["metadata"]["name"], POD_INDEX: str(ordinal)}


def revision_of(pod: Mapping[str, Any]) -> str:
    """The name of the revision a pod was made from."""
    return str((pod["metadata"].get("labels") or {}).get(LABEL, ""))
