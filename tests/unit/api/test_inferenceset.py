"""Admission of InferenceSets against what Kaito answered, and cron expressions beyond that."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.api.defaulting import apply_defaults
from kaito.api.validation import DecodingError, check_decoding, validate_inferenceset
from kaito.api.validation.cron import CronError, check_schedule
from kaito.api.validation.inferenceset import duration_seconds, format_duration
from tests.unit.api.test_validation_conformance import context_of, normalised
from tests.unit.catalog.recordings import recording

ROWS = recording("validate_inferenceset", lambda row: row["stage"] != "schema")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_an_inferenceset_is_judged_as_kaito_judges_it(row: dict[str, Any]) -> None:
    new, old = apply_defaults(row["input"]["object"]), row["input"].get("old")
    try:
        check_decoding(new)
        text = str(validate_inferenceset(new, context_of(row), apply_defaults(old) if old else None))
    except DecodingError as error:
        text = str(error)
    if row["error"].startswith("PANIC"):
        assert text == "missing field(s): spec.template.inference.adapters[0].source"
    else:
        assert normalised(text) == normalised(row.get("error_norm", row["error"]))


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "*/5 0-6 1,15 jan-MAR sun", "5/10 * * * ?", "@daily", "@every 1h30m", "TZ=UTC 0 0 * * *"],
)
def test_schedules(text: str) -> None:
    check_schedule(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty spec string"),
        ("* * * *", r"expected exactly 5 fields, found 4: \[\* \* \* \*\]"),
        ("60 * * * *", r"end of range \(60\) above maximum \(59\): 60"),
        ("* * 0 * *", r"beginning of range \(0\) below minimum \(1\): 0"),
        ("5-3 * * * *", r"beginning of range \(5\) beyond end of range \(3\): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number"),
        ("a * * * *", "failed to parse int from a"),
        ("1-2-3 * * * *", "too many hyphens"),
        ("1/2/3 * * * *", "too many slashes"),
        ("@fortnightly", "unrecognized descriptor: @fortnightly"),
        ("@every soon", "failed to parse duration"),
        ("TZ=Mars/Base 0 0 * * *", "provided bad location Mars/Base"),
    ],
)
def test_what_is_no_schedule(text: str, problem: str) -> None:
    with pytest.raises(CronError, match=problem):
        check_schedule(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4h", 14400), ("-1h", -3600), ("1.5s", 1.5), ("0", 0), ("1h1m1s", 3661), ("x", None), ("1", None)],
)
def test_durations_read_as_in_go(text: str, seconds: float | None) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(-3600, "-1h0m0s"), (0, "0s"), (61, "1m1s"), (5, "5s")])
def test_durations_print_as_in_go(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
