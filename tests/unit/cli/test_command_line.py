"""The command line answers mistakes with one sentence and the right exit code, and starts quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kaito.cli.main import app
from kaito.cli.presenting import BARS, PlainPresenter, sparkline
from kaito.scenario.evidence import StepRecord

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_help_imports_nothing_heavy() -> None:
    heavy = ("aiohttp", "kubernetes", "torch", "pydantic", "azure", "jsonschema_rs", "cryptography")
    code = f"import kaito.cli.main, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["run", "x.yaml", "--cluster", "moon"], "there is no such tier"),
        (["up", "--cluster", "moon"], "--cluster moon"),
        (["up", "--operator", "other"], "--operator other"),
        (["up", "--images", "nowhere.yaml"], "nowhere.yaml"),
        (["up", "--mirrors", "nowhere.yaml"], "nowhere.yaml"),
        (["status", "-o", "xml"], "choose text or json"),
        (["status", "--name", "../x"], "is not a cluster name"),
        (["down", "--name", "A"], "is not a cluster name"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments: list[str], word: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert word in result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_status_and_down_of_no_cluster_say_so() -> None:
    status = runner.invoke(app, ["status", "-o", "json"])
    assert status.exit_code == 1
    assert json.loads(status.output)["running"] is False
    down = runner.invoke(app, ["down"])
    assert down.exit_code == 0
    assert "was not running" in down.output


def test_snapshot_of_no_cluster_says_so(tmp_path: Path) -> None:
    result = runner.invoke(app, ["snapshot", "save", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "there is no embedded cluster 'default'" in result.output


def test_plain_lines_show_steps_and_thin_out_the_loss() -> None:
    lines: list[str] = []
    presenter = PlainPresenter(lines.append)
    for step in range(1, 101):
        presenter.loss(step, 100, 1 / step)
    presenter.step_ended(StepRecord("a step", "apply", "passed", "done", "t", "t", 1.5))
    assert "step 1/100" in lines[0]
    assert "step 100/100: 0.0100" in lines[-2]
    assert "passed" in lines[-1]
    assert len(lines) < 20


def test_a_sparkline_falls_with_its_values() -> None:
    assert sparkline([8.0, 4.0, 2.0, 0.0]) == f"{BARS[7]}{BARS[4]}{BARS[2]}{BARS[0]}"
    assert len(sparkline([1.0] * 1000)) <= 32
    assert sparkline([]) == ""
    assert sparkline([0.0, 0.0]) == BARS[0] * 2
