"""Reading NodeClaims: whose they are, what node they ask for, how far they are. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kaito.api import conditions, labels
from kaito.api.quantity import GIB, QuantityError, parse_quantity
from kaito.kube.objects import get_condition
from kaito.providers import NodeRequest, Owner, Taint
from kaito.providers.errors import InvalidRequest

ATTEMPTS = "testbed.kaito.sh/provision-attempts"
"""Annotation: how many machines of the claim failed while they were being made."""
UNREGISTERED = Taint(key=labels.UNREGISTERED_TAINT, effect="NoExecute")
_MANAGED_GROUP = "kaito.sh"


def is_managed(claim: Mapping[str, Any]) -> bool:
    """Whether the claim is Kaito's. Other claims belong to a Karpenter of their own.

    As in gpu-provisioner: the node class is Kaito's, or the claim carries a workspace's or RAG engine's label.
    """
    group = ((claim.get("spec") or {}).get("nodeClassRef") or {}).get("group")
    found = claim["metadata"].get("labels") or {}
    return group == _MANAGED_GROUP or labels.WORKSPACE_NAME in found or labels.RAGENGINE_NAME in found


def node_request(claim: Mapping[str, Any]) -> NodeRequest:
    """The node that a claim asks for; raises InvalidRequest naming what is missing.

    The size is the first value of the requirement `node.kubernetes.io/instance-type`, the disk
    `spec.resources.requests.storage` rounded up to GiB (rules of gpu-provisioner).
    """
    metadata, spec = claim["metadata"], claim["spec"]
    annotations = metadata.get("annotations") or {}
    return NodeRequest.checked(
        {
            "name": metadata["name"],
            "owner": Owner(kind="NodeClaim", name=metadata["name"], uid=metadata.get("uid", "")).model_dump(),
            "instance_type": _first_value(spec, labels.INSTANCE_TYPE),
            "disk_gib": _disk_gib(spec),
            "labels": {labels.NODEPOOL: labels.NODEPOOL_KAITO, **(metadata.get("labels") or {})},
            "taints": _taints(spec.get("taints")),
            "startup_taints": [*_taints(spec.get("startupTaints")), UNREGISTERED.model_dump()],
            "image_family": annotations.get(labels.NODE_IMAGE_FAMILY, "ubuntu").strip().lower() or "ubuntu",
            "capacity_type": "spot" if _values(spec, labels.CAPACITY_TYPE)[:1] == ["spot"] else "on-demand",
            "zones": _values(spec, labels.ZONE),
        }
    )


def _values(spec: Mapping[str, Any], key: str) -> list[str]:
    for requirement in spec.get("requirements") or ():
        if requirement["key"] == key and requirement["operator"] == "In":
            return list(requirement.get("values") or ())
    return []


def _first_value(spec: Mapping[str, Any], key: str) -> str:
    values = _values(spec, key)
    if not values:
        raise InvalidRequest(f"spec.requirements: there is no requirement {key} In [...] to choose a size by")
    return values[0]


def _disk_gib(spec: Mapping[str, Any]) -> int:
    text = str(((spec.get("resources") or {}).get("requests") or {}).get("storage", ""))
    if not text:
        raise InvalidRequest("spec.resources.requests.storage: a disk size is required")
    try:
        size = parse_quantity(text)
    except QuantityError as error:
        raise InvalidRequest(f"spec.resources.requests.storage: {text!r} is no quantity") from error
    gib = -(-size // GIB)
    if gib <= 0:
        raise InvalidRequest(f"spec.resources.requests.storage: {text} is not more than nothing")
    return int(gib)


def _taints(taints: Any) -> list[dict[str, str]]:
    return [{"key": one["key"], "effect": one["effect"], "value": one.get("value", "")} for one in taints or ()]


def provider_id(claim: Mapping[str, Any]) -> str:
    """status.providerID, or an empty string."""
    return str((claim.get("status") or {}).get("providerID") or "")


def is_true(claim: Mapping[str, Any], condition: str) -> bool:
    """Whether a condition of the claim is True."""
    found = get_condition(claim, condition)
    return found is not None and found["status"] == "True"


def attempts(claim: Mapping[str, Any]) -> int:
    """How many machines of the claim failed while they were being made."""
    text = (claim["metadata"].get("annotations") or {}).get(ATTEMPTS, "0")
    return int(text) if re.fullmatch("[0-9]+", text) else 0


def duration_seconds(text: str | None) -> float | None:
    """Seconds of a duration such as `1h30m`; None for none and for `Never`."""
    if not text or text == "Never":
        return None
    unit = {"s": 1, "m": 60, "h": 3600}
    return float(sum(int(number) * unit[letter] for number, letter in re.findall(r"([0-9]+)([smh])", text)))


LIFECYCLE = (conditions.LAUNCHED, conditions.REGISTERED, conditions.INITIALIZED)
"""The conditions that make a claim Ready, in their order."""
