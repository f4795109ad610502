"""Reports say what happened, also when nothing did, and are valid whatever a log contained."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from kaito.cluster.loglines import parse_event
from kaito.scenario.evidence import Answer, Interval, RunRecord, StepRecord
from kaito.scenario.html_report import render
from kaito.scenario.reporting import junit, write_reports


def record(*steps: StepRecord, outcome: str = "failed", reason: str = "") -> RunRecord:
    made = RunRecord(scenario="s", file="s.yaml", tier="embedded", environment={"python": "3.11"})
    made.steps = list(steps)
    made.outcome = outcome  # type: ignore[assignment]
    made.reason = reason
    return made


def test_a_failing_step_is_a_failure_and_the_steps_after_it_are_skipped() -> None:
    steps = [
        StepRecord("one", "apply", "passed", "applied", "t", "t", 0.5),
        StepRecord("two", "wait", "failed", "it did not come", "t", "t", 2.0),
        StepRecord("three", "ask"),
    ]
    suite = ElementTree.fromstring(junit(record(*steps))).find("testsuite")
    assert suite is not None
    counts = {name: suite.get(name) for name in ("tests", "failures", "skipped")}
    assert counts == {"tests": "3", "failures": "1", "skipped": "1"}
    failure = suite.find("testcase[@name='two']/failure")
    assert failure is not None
    assert failure.get("message") == "it did not come"


def test_a_run_that_failed_outside_its_steps_still_counts_as_a_failure() -> None:
    suite = ElementTree.fromstring(junit(record(reason="no cluster"))).find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "1"


@given(st.text(), st.text())
def test_any_text_gives_valid_xml(title: str, message: str) -> None:
    printable = "".join(c for c in title if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF and c not in "￾￿")
    step = StepRecord(printable, "wait", "failed", message, "t", "t", 1.0)
    ElementTree.fromstring(junit(record(step)))


def test_run_json_sorts_the_answers_and_both_files_are_written(tmp_path: Path) -> None:
    made = record(outcome="passed")
    made.evidence.answers = [Answer("s", "svc", "base", "p", "e", "no"), Answer("s", "svc", "", "p", "e", "e")]
    write_reports(made, tmp_path / "new" / "folder")
    written = json.loads((tmp_path / "new/folder/run.json").read_text())
    assert written["evidence"]["base_answers"][0]["answer"] == "no"
    assert written["evidence"]["tuned_answers"][0]["answer"] == "e"
    assert sorted(path.name for path in (tmp_path / "new/folder").iterdir()) == ["junit.xml", "report.html", "run.json"]


def test_the_page_shows_answers_phases_and_loss_and_escapes_what_was_said() -> None:
    made = record(StepRecord("one", "ask", "failed", "<b>bold</b>", "t", "t", 1.0), reason="<script>alert(1)</script>")
    made.evidence.answers = [Answer("s", "svc", "base", "p?", "yes", "no"), Answer("s", "svc", "", "p?", "yes", "yes")]
    made.evidence.tuning.loss = [(1, 4.0), (10, 1.0)]
    made.phases = [Interval("tune", "2026-01-01T00:00:00+00:00", 0.0, "2026-01-01T00:00:05+00:00", 5.0)]
    page = render(made)
    assert "<script>alert" not in page
    assert "&lt;b&gt;bold" in page
    assert ">5.0 s<" in page
    assert "from 4.000 to 1.000 in 10 steps" in page
    assert '<td class="passed">yes</td>' in page


def test_a_run_in_which_nothing_happened_still_has_a_page() -> None:
    assert "no reason was recorded" in render(record())


def test_events_are_read_from_both_forms_of_log_lines() -> None:
    assert parse_event('time=t level=info event=step step=10 note="two words"') == {
        "time": "t",
        "level": "info",
        "event": "step",
        "step": "10",
        "note": "two words",
    }
    assert parse_event('{"event": "step", "step": 10}') == {"event": "step", "step": 10}
    for line in ("plain text", "{not json", '{"a": 1}', 'event="unfinished', "[]"):
        assert parse_event(line) is None


@given(st.text())
def test_no_log_line_can_break_the_reader(line: str) -> None:
    event = parse_event(line)
    assert event is None or isinstance(event["event"], str)
