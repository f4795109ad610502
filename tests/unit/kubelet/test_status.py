"""Pod phases: the kubelet's table, row by row, and what holds for any statuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.kubelet.pods.status import pod_phase

RUNNING = {"state": {"running": {}}, "started": True}
STARTING = {"state": {"running": {}}, "started": False}
WAITING = {"state": {"waiting": {}}}
BACKOFF = {"state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1}}}
DONE = {"state": {"terminated": {"exitCode": 0}}}
FAILED = {"state": {"terminated": {"exitCode": 1}}}


def phase(policy, init, main, *, terminal=False, initialized=True):
    return pod_phase(policy, init, main, terminal=terminal, initialized=initialized)


@pytest.mark.parametrize(
    ("policy", "main", "expected"),
    [
        ("Always", [RUNNING, RUNNING], "Running"),
        ("Always", [DONE, DONE], "Running"),
        ("Always", [FAILED, FAILED], "Running"),
        ("Always", [RUNNING, BACKOFF], "Running"),
        ("Always", [RUNNING, WAITING], "Pending"),
        ("Never", [DONE, RUNNING], "Running"),
        ("Never", [DONE, DONE], "Succeeded"),
        ("Never", [DONE, FAILED], "Failed"),
        ("Never", [WAITING], "Pending"),
        ("OnFailure", [DONE, DONE], "Succeeded"),
        ("OnFailure", [FAILED, DONE], "Running"),
        ("OnFailure", [BACKOFF, DONE], "Running"),
    ],
)
def test_phase_without_init_containers(policy, main, expected):
    assert phase(policy, [], main) == expected


@pytest.mark.parametrize(
    ("policy", "init", "initialized", "expected"),
    [
        ("Always", [("init", RUNNING)], False, "Pending"),
        ("Always", [("init", WAITING)], False, "Pending"),
        ("Never", [("init", FAILED)], False, "Failed"),
        ("Always", [("init", FAILED)], False, "Pending"),
        ("Always", [("sidecar", STARTING)], False, "Pending"),
        ("Always", [("sidecar", BACKOFF)], True, "Running"),
        ("Always", [("init", DONE), ("sidecar", RUNNING)], True, "Running"),
    ],
)
def test_phase_with_init_containers(policy, init, initialized, expected):
    main = [RUNNING] if initialized else [WAITING]
    assert phase(policy, init, main, initialized=initialized) == expected


def test_a_pod_whose_sidecar_still_runs_is_running_and_over_when_it_is_told_to_be():
    assert phase("Never", [("sidecar", RUNNING)], [DONE]) == "Running"
    assert phase("Always", [], [FAILED], terminal=True) == "Failed"
    assert phase("Always", [], [DONE], terminal=True) == "Succeeded"


states = st.sampled_from([RUNNING, STARTING, WAITING, BACKOFF, DONE, FAILED])


@given(
    st.sampled_from(["Always", "OnFailure", "Never"]),
    st.lists(st.tuples(st.sampled_from(["init", "sidecar"]), states), max_size=3),
    st.lists(states, min_size=1, max_size=3),
    st.booleans(),
)
def test_a_pod_is_succeeded_only_when_every_main_container_ended_well(policy, init, main, terminal):
    found = phase(policy, init, main, terminal=terminal)
    assert found in ("Pending", "Running", "Succeeded", "Failed")
    if found == "Succeeded":
        assert all(status is DONE for status in main)
    if found == "Running":
        assert not any(status is WAITING for status in main)
