"""The load test of `bench/serving_load.py`, for a few seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .tiny import make_adapter, tiny_model, tiny_tokenizer

pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[3] / "bench" / "serving_load.py"


@pytest.mark.timeout(240)
def test_many_clients_that_break_off_get_no_wrong_answer_and_leave_nothing_behind(tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    command = [sys.executable, str(SCRIPT), "--model", str(tmp_path / "model"), "--steady"]
    command += ["--clients", "16", "--seconds", "6", "--output", str(tmp_path / "report.json")]
    for seed, name in enumerate(("one", "two")):
        command += ["--adapter", f"{name}={make_adapter(tmp_path / name, model, seed=seed)}"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["failures"] == []
    assert report["answers_checked"] > 20
    assert report["requests"]["broken off"] > 10
