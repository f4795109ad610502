"""The scheduler's pure rules: requests, ports, taints, node selectors, messages."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.embedded.scheduler.filtering import Refusal
from kaito.embedded.scheduler.messages import unschedulable, without_looking
from kaito.embedded.scheduler.node_affinity import matches_node_selector, matches_requirement
from kaito.embedded.scheduler.preemption import NEVER, NO_VICTIMS, NOT_HELPFUL
from kaito.embedded.scheduler.requests import pod_requests, ports_clash
from kaito.embedded.scheduler.taints import tolerates, untolerated


def container(**requests: str) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests}}


def test_a_pod_asks_for_the_sum_of_its_containers_or_for_its_hungriest_start() -> None:
    spec = {
        "initContainers": [
            {**container(cpu="100m"), "restartPolicy": "Always"},
            container(cpu="2", memory="1Gi"),
        ],
        "containers": [container(cpu="500m"), container(cpu="0.25", memory="64Mi")],
        "overhead": {"cpu": "10m"},
    }
    # 2 cores of the init container beside its sidecar are more than the 850m that run later.
    assert pod_requests({"spec": spec}) == {"cpu": 2110, "memory": 1024**3}


def test_limits_stand_in_for_missing_requests() -> None:
    resources = {"limits": {"nvidia.com/gpu": "2", "cpu": "4"}, "requests": {"cpu": "1"}}
    assert pod_requests({"spec": {"containers": [{"resources": resources}]}}) == {"nvidia.com/gpu": 2, "cpu": 1000}


@pytest.mark.parametrize(
    ("wanted", "taken", "clash"),
    [
        (("0.0.0.0", "TCP", 80), ("127.0.0.1", "TCP", 80), True),
        (("10.0.0.1", "TCP", 80), ("10.0.0.2", "TCP", 80), False),
        (("0.0.0.0", "TCP", 80), ("0.0.0.0", "UDP", 80), False),
    ],
)
def test_host_ports_clash_by_address_protocol_and_number(wanted: Any, taken: Any, clash: bool) -> None:
    assert ports_clash([wanted], [taken]) is clash


@pytest.mark.parametrize(
    ("toleration", "covered"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "sku", "operator": "Exists"}, True),
        ({"key": "sku", "value": "gpu"}, True),
        ({"key": "sku", "value": "cpu"}, False),
        ({"key": "sku", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"value": "gpu"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], covered: bool) -> None:
    taint = {"key": "sku", "value": "gpu", "effect": "NoSchedule"}
    assert tolerates(toleration, taint) is covered
    assert (untolerated([toleration], [taint]) is None) is covered


def test_soft_taints_keep_nobody_away() -> None:
    assert untolerated([], [{"key": "a", "effect": "PreferNoSchedule"}]) is None


@pytest.mark.parametrize(
    ("operator", "values", "labels", "matches"),
    [
        ("In", ["a", "b"], {"k": "b"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("Exists", [], {"k": ""}, True),
        ("DoesNotExist", [], {"k": ""}, False),
        ("Gt", ["5"], {"k": "6"}, True),
        ("Gt", ["5"], {"k": "5"}, False),
        ("Lt", ["5"], {"k": "many"}, False),
        ("Lt", ["5"], {"k": "-1"}, True),
    ],
)
def test_node_selector_operators(operator: str, values: list[str], labels: dict[str, str], matches: bool) -> None:
    assert matches_requirement({"key": "k", "operator": operator, "values": values}, labels) is matches


def test_terms_are_alternatives_and_an_empty_one_matches_nothing() -> None:
    node = {"metadata": {"name": "n0", "labels": {"a": "1"}}}
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n0"]}]}
    assert not matches_node_selector({"nodeSelectorTerms": [{}]}, node)
    assert matches_node_selector({"nodeSelectorTerms": [{}, by_name]}, node)


def test_messages_are_those_of_kube_scheduler_1_34() -> None:
    refusals = {
        "a": Refusal(("Insufficient cpu", "Too many pods"), False),
        "b": Refusal(("node(s) were unschedulable",), True),
    }
    assert unschedulable(2, refusals, None) == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) were unschedulable."
    )
    assert unschedulable(2, refusals, [NO_VICTIMS, NOT_HELPFUL]) == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) were unschedulable. "
        "no new claims to deallocate, preemption: 0/2 nodes are available: "
        "1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."
    )
    assert unschedulable(2, refusals, NEVER).endswith(
        "no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."
    )
    assert without_looking(2, "pod has unbound immediate PersistentVolumeClaims") == (
        "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    )
    assert unschedulable(0, {}, []) == "no nodes available to schedule pods"
