"""The status of an InferenceSet, and which of its workspaces go when there are too many."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kaito.api import conditions, labels
from kaito.kube.objects import condition_is, set_condition
from kaito.operator.manifests import names

INFERENCE_SET_READY = "InferenceSetReady"
INFERENCE_SET_DELETING = "InferenceSetDeleting"


def is_ready(workspace: Mapping[str, Any]) -> bool:
    """Whether a replica serves."""
    return condition_is(workspace, conditions.WORKSPACE_SUCCEEDED)


def surplus(workspaces: Sequence[Mapping[str, Any]], desired: int) -> list[Mapping[str, Any]]:
    """The workspaces to delete: those that are not ready first, then the newest.

    Ready ones go only while more than `desired` are left, so readiness never drops below what is asked for.
    """
    newest_first = sorted(
        workspaces,
        key=lambda one: (str(one["metadata"].get("creationTimestamp") or ""), str(one["metadata"]["name"])),
        reverse=True,
    )
    newest_first.sort(key=is_ready)
    return newest_first[: max(0, len(workspaces) - desired)]


def compute_status(
    inference_set: Mapping[str, Any], workspaces: Sequence[Mapping[str, Any]], desired: int, *, now: datetime
) -> dict[str, Any]:
    """The whole new `status`; the counts of Kaito, in one write."""
    ready = sum(is_ready(one) for one in workspaces)
    status = copy.deepcopy(dict(inference_set.get("status") or {}))
    found = status.setdefault("conditions", [])
    done = ready == desired
    message = "inferenceset is ready"
    if not done:
        message = f"inferenceset is not ready, {ready}/{desired} replicas are ready"
    set_condition(
        found,
        INFERENCE_SET_READY,
        "True" if done else "False",
        "inferencesetReady" if done else "inferencesetNotReady",
        message,
        now=now,
        observed_generation=inference_set["metadata"].get("generation"),
    )
    status["replicas"] = desired
    status["readyReplicas"] = ready
    status["selector"] = f"{labels.INFERENCESET_CREATED_BY}={names.name_of(inference_set)}"
    return status


def deletion_status(inference_set: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """The status while its workspaces are going."""
    status = copy.deepcopy(dict(inference_set.get("status") or {}))
    set_condition(
        status.setdefault("conditions", []),
        INFERENCE_SET_DELETING,
        "True",
        "inferencesetDeleted",
        "inferenceset is being deleted",
        now=now,
        observed_generation=inference_set["metadata"].get("generation"),
    )
    return status
