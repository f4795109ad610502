"""Requests, errors and faults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.providers import Fault, FaultKind, NodeRequest, Owner, Taint
from kaito.providers.errors import CLASSES, InvalidRequest, ProviderError, Throttled, Transient, wrapped


def request(**changes: object) -> NodeRequest:
    fields: dict[str, object] = {
        "name": "ws1",
        "owner": Owner(kind="NodeClaim", name="ws1"),
        "instance_type": "Standard_NC6s_v3",
        "disk_gib": 1,
    }
    return NodeRequest(**{**fields, **changes})  # type: ignore[arg-type]


@given(
    name=st.from_regex(r"[a-z][a-z0-9]{0,11}", fullmatch=True),
    disk=st.integers(1, 10**6),
    labels=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_a_request_survives_json_and_keeps_its_fingerprint(name: str, disk: int, labels: dict[str, str]) -> None:
    made = request(name=name, disk_gib=disk, labels=labels)
    again = NodeRequest.model_validate_json(made.model_dump_json())
    assert again == made
    assert again.generation_hash == made.generation_hash


@pytest.mark.parametrize(
    ("change", "where"),
    [({"name": "Bad"}, "name"), ({"disk_gib": 0}, "disk_gib"), ({"instance_type": ""}, "instance_type")],
)
def test_a_bad_request_names_its_field(change: dict[str, object], where: str) -> None:
    bad = request().model_copy(update=change)
    with pytest.raises(InvalidRequest, match=f"^{where}: "):
        NodeRequest.checked(bad)


def test_another_disk_is_another_request() -> None:
    assert request().generation_hash != request(disk_gib=2).generation_hash


def test_a_taint_without_a_value_has_none_on_the_wire() -> None:
    assert Taint(key="k", effect="NoSchedule").to_object() == {"key": "k", "effect": "NoSchedule"}


def test_unknown_exceptions_become_transient_and_say_what_they_were(caplog: pytest.LogCaptureFixture) -> None:
    error = wrapped(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError: division by zero" in caplog.text
    assert isinstance(error, Transient)
    assert error.code == "Unclassified"
    assert "ZeroDivisionError: division by zero" in error.raw
    throttled = Throttled("slow down", retry_after=3)
    assert wrapped(throttled) is throttled


def test_a_delay_that_the_provider_named_wins() -> None:
    assert Throttled("x", retry_after=3).delay == 3
    assert Throttled("x").delay == 30
    assert Transient("x").delay is None


def test_bodies_are_shortened() -> None:
    assert all(len(kind("x", raw="y" * 1000).raw) == 256 for kind in CLASSES)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if Fault(kind=kind).error_class])
def test_a_fault_makes_an_error_of_its_class_that_names_the_node(kind: FaultKind) -> None:
    fault = Fault(kind=kind, retry_after=5)
    error = fault.error("ws1", "Standard_NC6s_v3")
    assert isinstance(error, ProviderError)
    assert type(error) is fault.error_class
    assert "ws1" in error.message
    assert error.retry_after == 5


def test_a_fault_can_be_told_what_to_say_and_whom_to_strike() -> None:
    fault = Fault(kind=FaultKind.QUOTA, target="ws*", instance_type="*NC6*", message="no more")
    assert fault.matches("ws1", "Standard_NC6s_v3")
    assert not fault.matches("other", "Standard_NC6s_v3")
    assert not fault.matches("ws1", "Standard_ND40rs_v2")
    assert fault.error("ws1", "x").message == "no more"
