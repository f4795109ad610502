"""What a claim's Node has to look like, and when it counts as initialized. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.api.quantity import parse_quantity
from kaito.kube.objects import owner_reference

_EPHEMERAL = frozenset(
    {
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"),
        (labels.UNREGISTERED_TAINT, "NoExecute"),
    }
)
_READINESS_PREFIX = "readiness.k8s.io/"
STORAGE = frozenset({"storage", "ephemeral-storage"})
"""Requests that nobody waits for: kubelets report them differently from what was asked for."""

Unmet = tuple[str, str]
"""(reason, message) of a condition that is not reached."""


def is_ready(node: Mapping[str, Any]) -> bool:
    """Whether the Node's condition Ready is True."""
    return any(
        one.get("type") == "Ready" and one.get("status") == "True"
        for one in (node.get("status") or {}).get("conditions") or ()
    )


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["key"], one["effect"]) == (other["key"], other["effect"])


def registration_patch(claim: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any] | None:
    """The merge patch that makes `node` the claim's: finalizer, owner, labels, annotations, taints; None: nothing to
    do.

    The taint `karpenter.sh/unregistered` goes; the claim's taints come, unless the Node is labelled
    `karpenter.sh/do-not-sync-taints=true`. Startup taints come only with the first registration: whoever removes them
    later must not find them again.
    """
    metadata, spec = node["metadata"], node.get("spec") or {}
    found = metadata.get("labels") or {}
    wanted_labels = {**(claim["metadata"].get("labels") or {}), labels.REGISTERED: "true"}
    patch: dict[str, Any] = {}
    changed = {key: value for key, value in wanted_labels.items() if found.get(key) != value}
    if changed:
        patch["labels"] = changed
    notes = metadata.get("annotations") or {}
    new_notes = {
        key: value
        for key, value in (claim["metadata"].get("annotations") or {}).items()
        if key in {labels.DO_NOT_DISRUPT, labels.NODE_IMAGE_FAMILY} and notes.get(key) != value
    }
    if new_notes:
        patch["annotations"] = new_notes
    if labels.KARPENTER_FINALIZER not in (metadata.get("finalizers") or ()):
        patch["finalizers"] = [*(metadata.get("finalizers") or ()), labels.KARPENTER_FINALIZER]
    owners = metadata.get("ownerReferences") or []
    if not any(one["uid"] == claim["metadata"]["uid"] for one in owners):
        patch["ownerReferences"] = [*owners, {**owner_reference(claim, controller=False), "blockOwnerDeletion": True}]
    result: dict[str, Any] = {"metadata": patch} if patch else {}
    taints = spec.get("taints") or []
    wanted = _wanted_taints(claim, taints, found)
    if wanted != taints:
        result["spec"] = {"taints": wanted}
    return result or None


def _wanted_taints(
    claim: Mapping[str, Any], taints: list[dict[str, Any]], found: Mapping[str, str]
) -> list[dict[str, Any]]:
    result = [one for one in taints if one["key"] != labels.UNREGISTERED_TAINT]
    if found.get(labels.DO_NOT_SYNC_TAINTS) == "true":
        return result
    wanted = list(claim["spec"].get("taints") or ())
    if found.get(labels.REGISTERED) != "true":
        wanted += claim["spec"].get("startupTaints") or ()
    return result + [one for one in wanted if not any(_same(one, other) for other in result)]


def why_not_initialized(claim: Mapping[str, Any], node: Mapping[str, Any]) -> Unmet | None:
    """What the Node still lacks, in Karpenter's order and words; None when it is initialized."""
    if not is_ready(node):
        return "NodeNotReady", "Node status is NotReady"
    taints = (node.get("spec") or {}).get("taints") or []
    for startup in claim["spec"].get("startupTaints") or ():
        if any(_same(startup, one) for one in taints):
            return "StartupTaintsExist", f'StartupTaint "{_text(startup)}" still exists'
    for one in taints:
        if (one["key"], one["effect"]) in _EPHEMERAL or one["key"].startswith(_READINESS_PREFIX):
            return "KnownEphemeralTaintsExist", f'KnownEphemeralTaint "{_text(one)}" still exists'
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    requests = ((claim["spec"].get("resources") or {}).get("requests")) or {}
    for name, amount in requests.items():
        if name in STORAGE or parse_quantity(str(amount)) == 0:
            continue
        if parse_quantity(str(allocatable.get(name, "0"))) == 0:
            return "ResourceNotRegistered", f'Resource "{name}" was requested but not registered'
    return None


def _text(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


INITIALIZED_PATCH = {"metadata": {"labels": {labels.INITIALIZED: "true"}}}
"""Merge patch of a Node that is initialized."""


def needs_initialized_label(node: Mapping[str, Any]) -> bool:
    """Whether the Node does not say yet that it is initialized."""
    return (node["metadata"].get("labels") or {}).get(labels.INITIALIZED) != "true"
