"""The command line answers mistakes with one sentence and the right exit code, and starts quickly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kaito.cli.background import welcome
from kaito.cli.commands import app
from kaito.cli.presenting import BARS, PlainPresenter, sparkline
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import hold
from kaito.cluster.states import DaemonState
from kaito.scenario.evidence import StepRecord

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_help_imports_nothing_heavy() -> None:
    heavy = ("aiohttp", "kubernetes", "torch", "pydantic", "azure", "jsonschema_rs", "cryptography")
    code = f"import kaito.cli.commands, kaito.cli.main, sys; print([m for m in {heavy!r} if m in sys.modules])"
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
        (["up", "--images", "/"], "image table / cannot be read: Is a directory"),
        (["up", "--provider", "moon"], "--provider moon: there is no such provider; choose one of: fake-gpu"),
        (["up", "--kubeconfig", "/"], "/ is no regular file; name another one with --kubeconfig"),
        (["up", "--mirrors", "nowhere.yaml"], "nowhere.yaml"),
        (["status", "-o", "xml"], "choose text or json"),
        (["status", "--name", "../x"], "is not a cluster name"),
        (["down", "--name", "A"], "is not a cluster name"),
        (["snapshot", "save", "x", "--name", "A"], "is not a cluster name"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments: list[str], word: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert word in result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """Where nothing can be made, for root neither: below a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "folder"


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(closed: Path) -> None:
    for arguments, hint in (
        (["up"], True),
        (["up", "--kubeconfig", f"{closed}/config"], False),
        (["run", "scenarios/base-inference.yaml", "--out", str(closed)], False),
    ):
        done = subprocess.run(
            [sys.executable, "-c", "from kaito.cli.main import main; main()", *arguments],
            env={**os.environ, "XDG_STATE_HOME": str(closed / "state")},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (1, 2), done
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert str(closed.parent) in done.stderr
        assert ("XDG_STATE_HOME" in done.stderr) == hint


def test_mirrors_that_are_no_map_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    for text, words in (
        ("a: [", "m.yaml:2: this is not YAML"),
        ("urls: {https://x.example/: gone}", "does not exist"),
        ("urlz: {}", "urlz: "),
        ("- a", "write a mapping with urls and registries"),
        ("a: 1\na: 2", "m.yaml:2: the key a"),
    ):
        path.write_text(text)
        result = runner.invoke(app, ["up", "--mirrors", str(path)])
        assert result.exit_code == 2
        assert words in result.output
        assert len(result.output.strip().splitlines()) == 1


def console_script(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The console script in a process of its own, after `code`."""
    command = [sys.executable, "-c", f"{code}; from kaito.cli.main import main; main()", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


@pytest.mark.parametrize("module", ["typer", "kaito.cli.background"])
def test_ctrl_c_while_modules_are_imported_ends_without_a_word(module: str) -> None:
    code = (
        "import os, signal, sys; from types import SimpleNamespace; "
        f"find = lambda name, *rest: os.kill(os.getpid(), signal.SIGINT) if name == {module!r} else None; "
        "sys.meta_path.insert(0, SimpleNamespace(find_spec=find))"
    )
    done = console_script(code, "status")
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_a_reader_that_has_seen_enough_is_no_error_to_report() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = console_script("pass", "instance-types", stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""


def test_the_help_says_every_command_in_full() -> None:
    for arguments in (["-h"], ["snapshot", "--help"]):
        assert "..." not in runner.invoke(app, arguments).output.partition("Commands:")[2]


def test_the_version_is_asked_for_in_either_way() -> None:
    assert runner.invoke(app, ["--version"]).output == runner.invoke(app, ["version"]).output
    assert runner.invoke(app, ["--version"]).output.startswith("kaito 0")


def test_what_a_terminal_cannot_show_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "état"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with hold(ClusterFolder.named("default")):
        done = console_script("pass", "status", env=environment, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "")
    assert "is starting" in done.stdout
    assert "/?tat/" in done.stdout


def test_instance_types_are_listed_with_their_gpus() -> None:
    result = runner.invoke(app, ["instance-types"])
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines()]
    assert ["Standard_NC6s_v3", "1", "16", "GiB", "NVIDIA", "V100"] in rows


def test_the_next_command_can_be_pasted_whatever_the_folder_is_called() -> None:
    state = DaemonState(phase="running", name="a", kubeconfig="/my state/kubeconfig")
    assert "  export KUBECONFIG='/my state/kubeconfig'" in welcome(state)


def test_an_output_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    scenario = str(Path(__file__).parents[3] / "scenarios/base-inference.yaml")
    result = runner.invoke(app, ["run", scenario, "--out", str(tmp_path / "file")])
    assert (result.exit_code, "it is not a folder" in result.output) == (2, True)


def test_where_services_have_no_ports_of_their_own_up_says_how_to_reach_them() -> None:
    state = DaemonState(phase="running", name="a", kubeconfig="/k", http_proxy="http://127.0.0.1:1234")
    assert any("curl -x http://127.0.0.1:1234" in line for line in welcome(state))
    assert not any("curl -x" in line for line in welcome(replace(state, http_proxy=None)))


def test_status_and_down_of_no_cluster_say_so() -> None:
    status = runner.invoke(app, ["status", "-o", "json"])
    assert status.exit_code == 1
    assert json.loads(status.output)["running"] is False
    down = runner.invoke(app, ["down"])
    assert down.exit_code == 0
    assert down.output == "there is no cluster default\n"


def test_a_tier_that_this_machine_lacks_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    result = runner.invoke(app, ["up", "--cluster", "envtest"])
    assert result.exit_code == 1
    assert "set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver" in result.output
    assert not (tmp_path / "state").exists()
    out = tmp_path / "out"
    scenario = str(Path(__file__).parents[3] / "scenarios/base-inference.yaml")
    ran = console_script("pass", "run", scenario, "--cluster", "envtest", "--out", str(out), stdout=subprocess.PIPE)
    assert ran.returncode == 1
    assert "failed: 0 of 3 steps" in ran.stdout
    assert "reason:  the envtest tier needs etcd" in ran.stdout


def test_snapshot_of_no_cluster_says_so(tmp_path: Path) -> None:
    result = runner.invoke(app, ["snapshot", "save", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert result.output == "there is no cluster default to save\n"


def test_a_cluster_of_the_other_tier_is_neither_saved_nor_written_over(tmp_path: Path) -> None:
    cluster = ClusterFolder.named("mine")
    cluster.create()
    cluster.etcd.mkdir()
    saved = runner.invoke(app, ["snapshot", "save", str(tmp_path / "out"), "--name", "mine"])
    assert (saved.exit_code, "only embedded clusters can be saved" in saved.output) == (1, True)
    restored = runner.invoke(app, ["snapshot", "restore", str(tmp_path), "--name", "mine"])
    assert (restored.exit_code, "kaito down --name mine --purge" in restored.output) == (1, True)
    assert sorted(path.name for path in cluster.root.iterdir()) == ["etcd"]


def test_a_folder_that_is_no_snapshot_leaves_no_cluster_behind(tmp_path: Path) -> None:
    (tmp_path / "folder/core/configmaps").mkdir(parents=True)
    (tmp_path / "folder/core/configmaps/a.yaml").write_text("not an object")
    for folder in (tmp_path / "nowhere", tmp_path / "folder"):
        result = runner.invoke(app, ["snapshot", "restore", str(folder)])
        assert result.exit_code == 1
        assert str(folder) in result.output
        assert not (tmp_path / "state").exists()


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
