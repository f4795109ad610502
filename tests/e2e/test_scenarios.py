"""Every scenario file of the repository passes on the tier asked for, and its record holds the evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kaito.scenario.evidence import RunRecord
from tests.e2e.kubectl import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
Run = Callable[[Path], RunRecord]


def test_tune_then_serve_proves_that_the_answers_changed(run_scenario_file: Run) -> None:
    record = run_scenario_file(REPOSITORY / "scenarios/tune-then-serve.yaml").as_json()
    evidence = record["evidence"]
    assert evidence["adapter"]["pushed_digest"].startswith("sha256:")
    assert evidence["adapter"]["pushed_digest"] in evidence["adapter"]["pulled_digests"]
    assert evidence["tuning"]["quantized_layers"] > 0
    losses = [loss for _, loss in evidence["tuning"]["loss"]]
    assert losses[-1] < losses[0]
    base = {answer["prompt"]: answer["answer"] for answer in evidence["base_answers"]}
    for answer in evidence["tuned_answers"]:
        assert answer["answer"].strip() == answer["expected"]
        assert base[answer["prompt"]].strip() != answer["expected"]
    assert {phase["name"].split()[0] for phase in record["phases"]} >= {"provision", "tune", "push", "serve"}
    assert all(phase["ended"] for phase in record["phases"])


@pytest.mark.parametrize("name", ["adapter-inference", "base-inference"])
def test_the_second_path_passes(run_scenario_file: Run, name: str) -> None:
    record = run_scenario_file(REPOSITORY / f"scenarios/{name}.yaml")
    assert all(step.outcome == "passed" for step in record.steps)
