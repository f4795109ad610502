"""`kaito-runtime tune` as its own process: exit codes, sentinels, kills."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kaito_runtime import exitcodes, sentinels

# A stand-in may have to be built first, and the machine may be busy.
pytestmark = pytest.mark.timeout(600)

COMMAND = [sys.executable, "-m", "kaito_runtime", "tune"]


def tune(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=os.environ | environment, timeout=500)


def contract(root: Path, config: str, data: str = "") -> dict[str, str]:
    """Lay out a container's root as the operator's volumes do; return its environment."""
    for folder in ("config", "data", "results"):
        (root / "mnt" / folder).mkdir(parents=True)
    (root / "mnt/config/training_config.yaml").write_text(config)
    if data:
        (root / "mnt/data/train.jsonl").write_text(data)
    return {"KAITO_CONTAINER_ROOT": str(root)}


def failure(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / sentinels.FAILED).read_text()))


def test_a_wrong_key_fails_at_once_and_for_good(tmp_path: Path) -> None:
    environment = contract(tmp_path, "training_config: {LoraConfig: {rank: 8}}", '{"text": "x"}')
    result = tune(**environment)
    assert result.returncode == exitcodes.BAD_CONFIG
    assert "unknown key LoraConfig.rank" in result.stderr
    left = failure(tmp_path / "mnt/results")
    assert (left["reason"], left["permanent"]) == ("BadConfig", True)


def test_bad_data_fails_for_good_before_any_weights_are_read(tmp_path: Path) -> None:
    config = "training_config: {TrainingArguments: {output_dir: results}, ModelConfig: {}}"
    environment = contract(tmp_path, config, '{"messages": [{"role": "user", "content": "x"}]}')
    (tmp_path / "workspace/weights").mkdir(parents=True)
    result = tune(**environment)
    assert result.returncode == exitcodes.BAD_DATA
    assert re.search(r"train\.jsonl: line 1: column 'messages' has no message", result.stderr)
    assert failure(tmp_path / "mnt/results")["permanent"] is True


def test_a_model_is_not_asked_for_where_only_local_files_are_wanted(tmp_path: Path) -> None:
    config = "training_config: {ModelConfig: {pretrained_model_name_or_path: no/such, local_files_only: true}}"
    environment = contract(tmp_path, config, '{"text": "x"}') | {"HF_HOME": str(tmp_path / "hub")}
    result = tune(**environment)
    sentence = "no/such is not in the hub's cache, and the hub is not asked (local_files_only)"
    assert (result.returncode, result.stderr) == (exitcodes.NOT_FOUND, f"error: {sentence}\n")


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    result = tune(**contract(tmp_path, "training_config: {ModelConfig: {}}", '{"text": "x"}'))
    assert result.returncode == exitcodes.NOT_FOUND
    assert "workspace/weights" in result.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--output", "{file}"], "the output folder {file} cannot be written to: File exists"),
        (["--model", "{file}", "--output", "{folder}"], "{file} is a file, but neither GGUF nor a package with one"),
        (["--metrics-port", "70000"], "Invalid value for '--metrics-port'"),
        (["--processes", "0"], "Invalid value for '--processes'"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(tmp_path: Path, words: list[str], sentence: str) -> None:
    names = {"file": tmp_path / "file", "folder": tmp_path / "folder"}
    names["file"].write_text("x")
    result = tune(*(word.format(**names) for word in words))
    assert result.returncode in exitcodes.PERMANENT
    assert sentence.format(**names) in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.torch
def test_a_taken_metrics_port_and_a_setting_that_peft_refuses_fail_for_good(facts_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ["--model", "tiny:phi3", "--data", str(facts_file), "--output", str(output), "--method", "lora"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = tune(*words, "--metrics-port", port)
    assert (result.returncode, result.stderr) == (
        exitcodes.USAGE,
        f"error: cannot serve metrics on 127.0.0.1 port {port}: Address already in use\n",
    )
    result = tune(*words, "--set", "LoraConfig.bias=foo")
    assert (result.returncode, result.stderr) == (
        exitcodes.BAD_CONFIG,
        "error: LoraConfig: Requested bias: foo, is not implemented.\n",
    )
    assert failure(output)["permanent"] is True


def test_what_an_earlier_run_left_is_removed(tmp_path: Path) -> None:
    environment = contract(tmp_path, "training_config: {LoraConfig: {rank: 8}}")
    sentinels.report_completed(tmp_path / "mnt/results")
    tune(**environment)
    assert not (tmp_path / "mnt/results" / sentinels.COMPLETED).exists()


@pytest.mark.torch
def test_weights_that_are_none_are_bad_data(facts_file: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    output = tmp_path / "out"
    result = tune("--model", str(tmp_path / "weights"), "--data", str(facts_file), "--output", str(output))
    assert result.returncode == exitcodes.BAD_DATA
    assert "holds no model that can be loaded" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.torch
def test_a_killed_run_goes_on_to_the_same_curve(facts_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ["--model", "tiny:phi3", "--data", str(facts_file), "--output", str(output), "--method", "qlora"]
    for setting in ("save_strategy=steps", "save_steps=7", "max_steps=60", "logging_steps=1"):
        words += ["--set", f"TrainingArguments.{setting}"]
    losses = {}
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"event=step step=(\d+) .*?loss=([\d.e-]+)", line):
                losses[int(found[1])] = float(found[2])
                if int(found[1]) == 16:
                    process.send_signal(signal.SIGKILL)
    assert not (output / sentinels.COMPLETED).exists()
    result = tune(*words)
    assert result.returncode == 0, result.stderr
    summary = json.loads((output / "tuning_summary.json").read_text())
    assert summary["resumed_from_step"] >= 14
    assert len(summary["loss_by_step"]) == 60
    for step, loss in losses.items():
        assert summary["loss_by_step"][step - 1] == pytest.approx(loss, rel=1e-4)


@pytest.mark.torch
def test_a_terminated_run_says_so_and_its_metrics_were_there(facts_file: Path, tmp_path: Path) -> None:
    import urllib.request

    output = tmp_path / "out"
    words = ["--model", "tiny:phi3", "--data", str(facts_file), "--output", str(output), "--metrics-port", "0"]
    words += ["--set", "TrainingArguments.max_steps=100000"]
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = ""
    for line in process.stdout:
        if found := re.search(r"event=metrics address=\"?(\S+?)\"?$", line.strip()):
            address = found[1]
        if "event=step" in line:
            break
    with urllib.request.urlopen(address) as response:
        text = response.read().decode()
    assert float(re.search(r"^kaito_tuning_step (\S+)", text, re.M)[1]) > 0  # type: ignore[index]
    for name in ("loss", "tokens_per_second", "memory_bytes", "learning_rate"):
        assert f"\nkaito_tuning_{name} " in text
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == exitcodes.TEMPORARY
    assert "stopped by SIGTERM" in errors
    assert failure(output)["permanent"] is False


@pytest.mark.torch
def test_an_interrupted_run_says_so(facts_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ["--model", "tiny:phi3", "--data", str(facts_file), "--output", str(output)]
    words += ["--set", "TrainingArguments.max_steps=100000"]
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and so these tests when they are one, ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "event=step" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "error: interrupted\n")
    assert failure(output)["reason"] == "Interrupted"


@pytest.mark.torch
def test_the_failure_of_one_of_several_processes_is_that_of_the_run(facts_file: Path, tmp_path: Path) -> None:
    from ..runtime_serving.tiny import tiny_model

    tiny_model().save_pretrained(tmp_path / "model")  # without a tokenizer: found out by the processes, not before
    output = tmp_path / "out"
    words = ["--model", str(tmp_path / "model"), "--data", str(facts_file), "--output", str(output)]
    result = tune(*words, "--processes", "2")
    assert result.returncode == exitcodes.BAD_DATA
    (sentence,) = result.stderr.splitlines()
    assert "model holds no model that can be loaded" in sentence
    assert failure(output)["permanent"] is True


@pytest.mark.torch
def test_a_killed_process_ends_the_others(facts_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ["--model", "tiny:phi3", "--data", str(facts_file), "--output", str(output), "--processes", "2"]
    words += ["--set", "TrainingArguments.max_steps=1000000"]
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "event=step" in line:
            break
    psutil.Process(process.pid).children()[1].kill()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == exitcodes.UNEXPECTED
    assert errors.endswith("error: one of 2 tuning processes was killed by SIGKILL; it may have run out of memory\n")
    assert failure(output)["permanent"] is False


@pytest.mark.torch
def test_two_processes_learn_what_one_learns(facts_file: Path, tmp_path: Path) -> None:
    data = tmp_path / "nine.jsonl"
    data.write_text("".join(facts_file.read_text().splitlines(keepends=True)[:9]))
    curves = []
    for count in (1, 2):
        output = tmp_path / str(count)
        words = ["--model", "tiny:phi3", "--data", str(data), "--output", str(output), "--method", "lora"]
        # Nine rows, four a step: the last step of an epoch has a row for one of the two processes only.
        words += ["--processes", str(count), "--set", f"TrainingArguments.per_device_train_batch_size={4 // count}"]
        result = tune(*words, "--set", "TrainingArguments.max_steps=7")
        assert result.returncode == 0, result.stderr
        summary = json.loads((output / "tuning_summary.json").read_text())
        assert summary["processes"] == count
        curves.append(summary["loss_by_step"])
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)
