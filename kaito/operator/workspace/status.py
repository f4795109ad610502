"""The status of a workspace as a pure function of what is observed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kaito.api import conditions as c
from kaito.kube.objects import set_condition
from kaito.operator.workspace.conditions import Condition
from kaito.operator.workspace.failures import Failure, exit_sentence, pod_failure
from kaito.operator.workspace.nodes import NodeView, node_conditions
from kaito.operator.workspace.workloads import JobPhase, is_owned_by, is_serving, job_phase, served_job

MANAGED_TYPES = frozenset(
    {
        c.NODES_READY,
        c.NODE_CLAIM_READY,
        c.RESOURCE_READY,
        c.INFERENCE_READY,
        c.JOB_STARTED,
        c.WORKSPACE_SUCCEEDED,
        c.WORKSPACE_READY,
        c.WORKSPACE_DELETING,
    }
)
"""Condition types that are removed when they no longer apply; others are left alone."""
REASON_READY = "workspaceReady"
_WAITING_FOR_INFERENCE = "workspace is waiting for inference workload readiness"


@dataclass(frozen=True)
class Observation:
    """All that the status of a workspace depends on."""

    workspace: Mapping[str, Any]
    nodes: NodeView
    stateful_set: Mapping[str, Any] | None = None
    job: Mapping[str, Any] | None = None
    pods: Sequence[Mapping[str, Any]] = ()
    """Every pod of the workspace, of the Job and of the StatefulSet."""
    mount_troubles: Mapping[str, str] = field(default_factory=dict)
    """By pod name: why a volume of it cannot be mounted."""
    revision: str = ""
    """The workspace's current revision number."""
    serves: bool = True
    """For tuning: whether the result is to be served."""
    error: str | None = None
    """Why this pass did not get through."""


def compute_status(observed: Observation, *, target: int | None, now: datetime) -> dict[str, Any]:
    """The whole new `status`.

    `target` is the number of nodes, None while it is unknown. Times of conditions that keep their status are kept.
    """
    wanted = node_conditions(observed.nodes)
    resource_ready = wanted[-1].status and target is not None
    if target is None:
        wanted = [Condition(one.type, False, *_unknown_target(one)) for one in wanted]
    if observed.workspace.get("tuning") is not None:
        workload, state = _tuning(observed)
    else:
        workload, state = _inference(observed, resource_ready)
    wanted = [one.with_error(observed.error) for one in (*wanted, *workload)]
    return _merged(observed, wanted, state, target, now)


def deletion_status(workspace: Mapping[str, Any], message: str, *, now: datetime) -> dict[str, Any]:
    """The status of a workspace that is waiting for its nodes and pods to go."""
    status = copy.deepcopy(dict(workspace.get("status") or {}))
    conditions = status.setdefault("conditions", [])
    generation = workspace["metadata"].get("generation")
    set_condition(
        conditions, c.WORKSPACE_DELETING, "True", c.REASON_DELETED, message, now=now, observed_generation=generation
    )
    return status


def is_urgent(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the change from `old` to `new` flips something that a user or a script waits for.

    Node names, reasons and messages may wait a moment for the next change of their kind.
    """
    if old.get("state") != new.get("state") or old.get("targetNodeCount") != new.get("targetNodeCount"):
        return True
    return _verdicts(old) != _verdicts(new)


def _verdicts(status: Mapping[str, Any]) -> dict[str, str]:
    quiet = (c.NODES_READY, c.NODE_CLAIM_READY)
    conditions = status.get("conditions") or ()
    return {one["type"]: one["status"] for one in conditions if one["type"] not in quiet}


def _unknown_target(condition: Condition) -> tuple[str, str]:
    """Reason and message of a resource condition while it is not known how many nodes are needed.

    Kaito compares with 0 then and reports True.
    """
    if condition.type == c.NODES_READY:
        return c.REASON_NODE_NOT_READY, "Not enough Nodes are ready"
    if condition.type == c.NODE_CLAIM_READY:
        return c.REASON_NODE_CLAIM_NOT_READY, "Ready NodeClaims are not enough"
    return c.REASON_RESOURCE_NOT_READY, "the number of nodes is not known"


def _inference(observed: Observation, resource_ready: bool) -> tuple[list[Condition], str]:
    inference = _inference_ready(observed, resource_ready)
    before = str((observed.workspace.get("status") or {}).get("state") or "")
    if inference.status:
        succeeded = Condition(c.WORKSPACE_SUCCEEDED, True, c.REASON_SUCCEEDED, "workspace succeeds")
        ready = Condition(c.WORKSPACE_READY, True, REASON_READY, "workspace is ready")
        return [inference, succeeded, ready], c.STATE_READY
    succeeded = Condition(c.WORKSPACE_SUCCEEDED, False, c.REASON_PENDING, _WAITING_FOR_INFERENCE)
    ready = Condition(c.WORKSPACE_READY, False, c.REASON_PENDING, _WAITING_FOR_INFERENCE)
    state = c.STATE_NOT_READY if before in (c.STATE_READY, c.STATE_NOT_READY) else c.STATE_PENDING
    return [inference, succeeded, ready], state


def _inference_ready(observed: Observation, resource_ready: bool) -> Condition:
    if resource_ready and is_serving(observed.stateful_set):
        message = "Inference has been deployed successfully"
        return Condition(c.INFERENCE_READY, True, c.REASON_INFERENCE_SUCCESS, message)
    pods = [pod for pod in observed.pods if is_owned_by(pod, observed.stateful_set)]
    failure = pod_failure(pods, observed.mount_troubles) or Failure(
        c.REASON_INFERENCE_PENDING, "Inference workload is not ready"
    )
    return Condition(c.INFERENCE_READY, False, failure.reason, failure.message)


def _tuning(observed: Observation) -> tuple[list[Condition], str]:
    phase = job_phase(observed.job, observed.revision)
    pods = [pod for pod in observed.pods if is_owned_by(pod, observed.job)]
    started, succeeded, state = _job_conditions(phase, pods, observed)
    found = [started, succeeded]
    if not observed.serves:
        reason, message = (REASON_READY, "workspace is ready") if succeeded.status else _reason_of(succeeded)
        found.append(Condition(c.WORKSPACE_READY, succeeded.status, reason, message))
        return found, state
    inference = _inference_ready(observed, resource_ready=True)
    job_uid = observed.job["metadata"].get("uid") if observed.job else None
    current = phase is JobPhase.SUCCEEDED and served_job(observed.stateful_set) == job_uid
    if current and inference.status:
        ready = Condition(c.WORKSPACE_READY, True, REASON_READY, "workspace is ready, the tuned model is served")
    elif phase is JobPhase.SUCCEEDED:
        message = f"the tuned model is not served yet: {inference.message}"
        ready = Condition(c.WORKSPACE_READY, False, c.REASON_PENDING, message)
    else:
        reason, message = _reason_of(succeeded)
        if inference.status:
            message += "; the adapter of the previous run is served meanwhile"
        ready = Condition(c.WORKSPACE_READY, False, reason, message)
    return [*found, inference, ready], state


def _job_conditions(
    phase: JobPhase, pods: Sequence[Mapping[str, Any]], observed: Observation
) -> tuple[Condition, Condition, str]:
    if phase is JobPhase.SUCCEEDED:
        started = Condition(c.JOB_STARTED, True, c.REASON_JOB_STARTED, "Tuning job has started")
        return (
            started,
            Condition(c.WORKSPACE_SUCCEEDED, True, c.REASON_SUCCEEDED, "workspace succeeds"),
            c.STATE_SUCCEEDED,
        )
    if phase is JobPhase.FAILED:
        message = f"tuning job failed: {exit_sentence(pods) or _job_message(observed.job)}"
        started = Condition(c.JOB_STARTED, False, c.REASON_JOB_FAILED, message)
        return started, Condition(c.WORKSPACE_SUCCEEDED, False, c.REASON_FAILED, message), c.STATE_FAILED
    if phase is JobPhase.PENDING:
        started = Condition(c.JOB_STARTED, False, c.REASON_JOB_PENDING, "Tuning job has not started")
        message = "workspace is initializing, tuning job has not started"
        return started, Condition(c.WORKSPACE_SUCCEEDED, False, c.REASON_PENDING, message), c.STATE_PENDING
    pending = [pod for pod in pods if (pod.get("status") or {}).get("phase") in (None, "Pending")]
    failure = pod_failure(pending, observed.mount_troubles)
    started = Condition(c.JOB_STARTED, True, c.REASON_JOB_STARTED, "Tuning job has started")
    message = "workspace has not completed yet, tuning job is running"
    if failure is not None:
        started = Condition(c.JOB_STARTED, False, failure.reason, failure.message)
        message = f"{message}; {failure.message}"
    elif sentence := exit_sentence(pods):
        message = f"{message}; an attempt failed: {sentence}"
    return started, Condition(c.WORKSPACE_SUCCEEDED, False, c.REASON_PENDING, message), c.STATE_RUNNING


def _job_message(job: Mapping[str, Any] | None) -> str:
    for condition in ((job or {}).get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            return str(condition.get("message") or condition.get("reason") or "no reason given")
    return "no reason given"


def _reason_of(condition: Condition) -> tuple[str, str]:
    return condition.reason, condition.message


def _merged(
    observed: Observation, wanted: Sequence[Condition], state: str, target: int | None, now: datetime
) -> dict[str, Any]:
    status = copy.deepcopy(dict(observed.workspace.get("status") or {}))
    types = {one.type for one in wanted}
    conditions = [
        one for one in status.get("conditions") or () if one["type"] in types or one["type"] not in MANAGED_TYPES
    ]
    for one in wanted:
        set_condition(
            conditions,
            one.type,
            "True" if one.status else "False",
            one.reason,
            one.message,
            now=now,
            observed_generation=observed.workspace["metadata"].get("generation"),
        )
    status["conditions"] = conditions
    status["state"] = state
    if target is not None:
        status["targetNodeCount"] = target
    workers = observed.nodes.worker_names
    if workers:
        status["workerNodes"] = workers
    else:
        status.pop("workerNodes", None)
    return status
