"""What a claim asks for, and what its Node has to look like, as values."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.kube.clock import VirtualClock
from kaito.kube.merge_patch import merge_patch
from kaito.operator.nodeclaim import nodes
from kaito.operator.nodeclaim.backoff import Backoff
from kaito.operator.nodeclaim.claims import duration_seconds, is_managed, node_request
from kaito.providers.errors import InvalidRequest, OperationInProgress, QuotaExceeded, Throttled, Transient
from tests.unit.nodeclaim.clusters import claim


def stored(**spec: Any) -> dict[str, Any]:
    """A claim as the API server keeps it."""
    made = claim(**spec)
    made["metadata"] |= {"uid": "u1", "resourceVersion": "1"}
    return made


def node(*taints: dict[str, str], ready: bool = True, **allocatable: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "n", "labels": {}},
        "spec": {"taints": list(taints)},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "allocatable": allocatable,
        },
    }


@pytest.mark.parametrize(("storage", "gib"), [("87Gi", 87), ("1Ti", 1024), ("100G", 94), ("1", 1), ("1.5Gi", 2)])
def test_the_disk_is_whole_gibibytes_rounded_up(storage: str, gib: int) -> None:
    assert node_request(stored(resources={"requests": {"storage": storage}})).disk_gib == gib


def test_the_first_value_of_the_size_requirement_wins() -> None:
    requirements = [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["a", "b"]}]
    assert node_request(stored(requirements=requirements)).instance_type == "a"


def test_spot_and_zones_come_from_the_requirements() -> None:
    requirements = [
        *claim()["spec"]["requirements"],
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["z1", "z2"]},
    ]
    request = node_request(stored(requirements=requirements))
    assert (request.capacity_type, request.zones) == ("spot", ("z1", "z2"))


def test_a_request_starts_unregistered_and_belongs_to_its_claim() -> None:
    request = node_request(stored(startupTaints=[{"key": "s", "effect": "NoSchedule"}]))
    assert [taint.key for taint in request.startup_taints] == ["s", "karpenter.sh/unregistered"]
    assert (request.owner.kind, request.owner.uid) == ("NodeClaim", "u1")
    assert request.labels["kaito.sh/workspace"] == "ws"


def test_the_image_family_is_read_from_the_annotation() -> None:
    made = stored()
    made["metadata"]["annotations"]["kaito.sh/node-image-family"] = " AzureLinux "
    assert node_request(made).image_family == "azurelinux"


def test_a_claim_without_a_size_says_what_is_missing() -> None:
    with pytest.raises(InvalidRequest, match=r"spec\.requirements"):
        node_request(stored(requirements=[]))


@pytest.mark.parametrize(
    ("group", "found", "managed"),
    [
        ("kaito.sh", {}, True),
        ("karpenter.azure.com", {"kaito.sh/workspace": "x"}, True),
        ("karpenter.azure.com", {"kaito.sh/ragengine": "x"}, True),
        ("karpenter.azure.com", {}, False),
    ],
)
def test_whose_claim_it_is(group: str, found: dict[str, str], managed: bool) -> None:
    made = stored(nodeClassRef={"group": group, "kind": "K", "name": "n"})
    made["metadata"]["labels"] = found
    assert is_managed(made) is managed


def apply_patch(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    return dict(merge_patch(target, patch))


def test_registering_twice_changes_nothing() -> None:
    made, found = stored(), node({"key": "karpenter.sh/unregistered", "effect": "NoExecute"})
    patch = nodes.registration_patch(made, found)
    assert patch is not None
    assert patch["spec"]["taints"] == [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
    assert nodes.registration_patch(made, apply_patch(found, patch)) is None


def test_startup_taints_are_not_put_back_once_somebody_took_them_away() -> None:
    made = stored(startupTaints=[{"key": "s", "effect": "NoSchedule"}])
    found = apply_patch(node(), nodes.registration_patch(made, node()) or {})
    found["spec"]["taints"] = [one for one in found["spec"]["taints"] if one["key"] != "s"]
    assert nodes.registration_patch(made, found) is None


def test_a_node_may_refuse_to_have_its_taints_synchronised() -> None:
    found = node({"key": "karpenter.sh/unregistered", "effect": "NoExecute"})
    found["metadata"]["labels"]["karpenter.sh/do-not-sync-taints"] = "true"
    patch = nodes.registration_patch(stored(), found)
    assert patch is not None
    assert patch["spec"]["taints"] == []


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (node(ready=False), "NodeNotReady"),
        (node({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}), "KnownEphemeralTaintsExist"),
        (node({"key": "readiness.k8s.io/x", "effect": "NoSchedule"}), "KnownEphemeralTaintsExist"),
        (node({"key": "s", "effect": "NoSchedule"}), "StartupTaintsExist"),
        (node(), "ResourceNotRegistered"),
        (node(**{"nvidia.com/gpu": "0"}), "ResourceNotRegistered"),
        (node(**{"nvidia.com/gpu": "1"}), None),
    ],
)
def test_why_a_node_is_not_initialized(found: dict[str, Any], reason: str | None) -> None:
    made = stored(
        startupTaints=[{"key": "s", "effect": "NoSchedule"}],
        resources={"requests": {"storage": "1Gi", "nvidia.com/gpu": "1", "cpu": "0"}},
    )
    unmet = nodes.why_not_initialized(made, found)
    assert (unmet[0] if unmet else None) == reason


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("10s", 10), ("Never", None), (None, None), ("", None)])
def test_durations(text: str | None, seconds: float | None) -> None:
    assert duration_seconds(text) == seconds


async def test_back_off_doubles_for_failures_and_not_for_busy_clouds() -> None:
    clock = VirtualClock()
    backoff = Backoff(clock, uniform=lambda low, high: low)
    assert [backoff.after("x", Transient("t")) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.remaining("x") == 60
    await clock.advance(59.9995)
    assert backoff.remaining("x") == 0
    backoff.forget("x")
    assert backoff.after("x", OperationInProgress("o")) == 10
    assert backoff.after("x", Throttled("t", retry_after=7)) == 7
    assert backoff.after("x", QuotaExceeded("q")) == 600
    assert backoff.after("x", Transient("t")) == 2
