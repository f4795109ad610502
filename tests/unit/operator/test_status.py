"""Status as a function of what is observed: laws that hold for every combination."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kaito.operator.workspace.nodes import NodeView
from kaito.operator.workspace.status import Observation, compute_status, deletion_status, is_urgent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
UID = "job-uid"
STATES = {
    "inference": {"Pending", "Ready", "NotReady"},
    "tuning": {"Pending", "Running", "Succeeded", "Failed"},
}

statuses = st.sampled_from(["True", "False", "Unknown"])


@st.composite
def nodes(draw: st.DrawFn) -> NodeView:
    found = [
        {
            "metadata": {"name": f"n{number}", "labels": {"node.kubernetes.io/instance-type": "T"}},
            "status": {
                "conditions": [{"type": "Ready", "status": draw(statuses)}],
                "capacity": {"nvidia.com/gpu": draw(st.sampled_from(["0", "1"]))},
            },
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    claims = [
        {
            "metadata": {"name": f"c{number}"},
            "status": {"nodeName": f"n{number}", "conditions": [{"type": "Ready", "status": draw(statuses)}]},
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    byo = draw(st.booleans())
    return NodeView(
        target=draw(st.integers(1, 3)),
        instance_type="T",
        nodes=found,
        claims=None if byo else claims,
        checks_plugins=draw(st.booleans()),
    )


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any] | None:
    if not draw(st.booleans()):
        return None
    conditions = draw(st.sampled_from([[], ["Complete"], ["Failed"]]))
    return {
        "metadata": {
            "name": "w",
            "uid": UID,
            "annotations": {"workspace.kaito.io/revision": draw(st.sampled_from("12"))},
        },
        "status": {
            "active": draw(st.integers(0, 1)),
            "failed": draw(st.integers(0, 2)),
            "conditions": [{"type": kind, "status": "True"} for kind in conditions],
        },
    }


@st.composite
def stateful_sets(draw: st.DrawFn) -> dict[str, Any] | None:
    if not draw(st.booleans()):
        return None
    annotations = {"kaito.sh/served-job": draw(st.sampled_from([UID, "old"]))}
    return {
        "metadata": {"name": "w", "uid": "sts", "generation": 2},
        "spec": {"replicas": 1, "template": {"metadata": {"annotations": annotations}}},
        "status": {"observedGeneration": draw(st.integers(1, 2)), "readyReplicas": draw(st.integers(0, 1))},
    }


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    part = draw(st.sampled_from(["inference", "tuning"]))
    workspace: dict[str, Any] = {"metadata": {"name": "w", "namespace": "d", "generation": 3}, part: {}}
    before = draw(st.none() | st.sampled_from(sorted(STATES[part])))
    if before:
        workspace["status"] = {"state": before}
    return Observation(
        workspace=workspace,
        nodes=draw(nodes()),
        stateful_set=draw(stateful_sets()),
        job=draw(jobs()) if part == "tuning" else None,
        revision="1",
        serves=draw(st.booleans()),
        error=draw(st.none() | st.just("it broke")),
    )


targets = st.none() | st.integers(1, 3)


def verdicts(status: dict[str, Any]) -> dict[str, bool]:
    return {one["type"]: one["status"] == "True" for one in status["conditions"]}


@given(observations(), targets)
def test_the_laws_of_conditions_and_state(observed: Observation, target: int | None) -> None:
    status = compute_status(observed, target=target, now=NOW)
    true = verdicts(status)
    part = "tuning" if "tuning" in observed.workspace else "inference"
    assert status["state"] in STATES[part]
    assert true["ResourceReady"] == (true["NodesReady"] and true.get("NodeClaimReady", True))
    assert ("NodeClaimReady" in true) == (observed.nodes.claims is not None)
    assert all(one["observedGeneration"] == 3 for one in status["conditions"])
    assert all(one["reason"] for one in status["conditions"]), "a reason is required"
    if target is None:
        assert not true["ResourceReady"], "what is not known is not ready"
    if observed.error:
        assert all(observed.error in one["message"] for one in status["conditions"])
    if part == "inference":
        assert true["WorkspaceReady"] == true["WorkspaceSucceeded"] == true["InferenceReady"]
        assert (status["state"] == "Ready") == true["InferenceReady"]
        if true["InferenceReady"]:
            assert true["ResourceReady"]
        if (observed.workspace.get("status") or {}).get("state") in ("Ready", "NotReady"):
            assert status["state"] != "Pending", "once ready, never pending again"
    else:
        assert ("InferenceReady" in true) == observed.serves
        assert (status["state"] == "Succeeded") == true["WorkspaceSucceeded"]
        if true["WorkspaceReady"]:
            assert true["WorkspaceSucceeded"]
            assert true.get("InferenceReady", True)


@given(observations(), targets)
def test_computing_again_from_its_own_result_changes_nothing(observed: Observation, target: int | None) -> None:
    first = compute_status(observed, target=target, now=NOW)
    again = Observation(**{**vars(observed), "workspace": {**observed.workspace, "status": copy.deepcopy(first)}})
    assert compute_status(again, target=target, now=LATER) == first
    assert not is_urgent(first, first)


@given(observations(), observations(), targets)
def test_transition_times_move_with_the_status(one: Observation, other: Observation, target: int | None) -> None:
    first = compute_status(one, target=target, now=NOW)
    if ("tuning" in one.workspace) != ("tuning" in other.workspace):
        return
    then = Observation(**{**vars(other), "workspace": {**other.workspace, "status": copy.deepcopy(first)}})
    second = compute_status(then, target=target, now=LATER)
    before = {entry["type"]: entry for entry in first["conditions"]}
    for entry in second["conditions"]:
        old = before.get(entry["type"])
        kept = old is not None and old["status"] == entry["status"]
        assert entry["lastTransitionTime"] == ("2026-01-01T00:00:00Z" if kept else "2026-01-01T00:01:00Z")


def test_conditions_of_others_are_left_alone() -> None:
    foreign = {"type": "BenchmarkCompleted", "status": "True", "reason": "x", "message": ""}
    workspace = {"metadata": {"name": "w", "generation": 1}, "inference": {}, "status": {"conditions": [foreign]}}
    view = NodeView(target=1, instance_type="T", nodes=[], claims=[], checks_plugins=True)
    status = compute_status(Observation(workspace=workspace, nodes=view), target=1, now=NOW)
    assert foreign in status["conditions"]


def test_a_workspace_that_is_going_says_what_it_waits_for() -> None:
    workspace = {"metadata": {"name": "w", "generation": 2}, "status": {"state": "Ready"}}
    status = deletion_status(workspace, "waiting for NodeClaim x", now=NOW)
    assert status["state"] == "Ready"
    assert status["conditions"][0]["message"] == "waiting for NodeClaim x"
