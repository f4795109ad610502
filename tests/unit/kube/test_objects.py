"""Labels, conditions, quantities and times follow Kubernetes' rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.kube.objects import format_time, matches_labels, parse_time, set_condition
from kaito.kube.quantities import parse_quantity

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5Gi", "1610612736"),
        ("1e3", "1000"),
        ("100k", "100000"),
        (".5", "0.5"),
        (3, "3"),
    ],
)
def test_quantities_are_numbers(text: Any, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1ki", "--1", True, None, [], "0x10"])
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_refused_with_its_name(text: str) -> None:
    try:
        parse_quantity(text)
    except ValueError as error:
        assert repr(text) in str(error)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
    ],
)
def test_label_selectors_select_as_the_api_server_does(selector: dict[str, Any] | None, expected: bool) -> None:
    assert matches_labels(selector, {"a": "1"}) is expected


def test_a_condition_keeps_its_transition_time_until_its_status_changes() -> None:
    conditions: list[dict[str, Any]] = []
    assert set_condition(conditions, "Ready", "False", "Waiting", now=NOW)
    assert not set_condition(conditions, "Ready", "False", "Waiting", now=NOW + timedelta(hours=1))
    assert set_condition(conditions, "Ready", "False", "Other", now=NOW + timedelta(hours=2))
    assert conditions[0]["lastTransitionTime"] == format_time(NOW)
    assert set_condition(conditions, "Ready", "True", "Other", now=NOW + timedelta(hours=3))
    assert conditions[0]["lastTransitionTime"] == format_time(NOW + timedelta(hours=3))
    assert len(conditions) == 1


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))
def test_times_survive_the_round_trip_to_the_second(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment.replace(microsecond=0)
