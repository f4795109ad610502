"""A background cluster says truly whether it is starting, running, stopping or gone, and which part has failed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kaito.cli.commands import app
from kaito.cluster.backplane import Backplane, describe
from kaito.cluster.base import ClusterError, ClusterOptions
from kaito.cluster.binaries import ChildProcess
from kaito.cluster.daemon import start_daemon
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import hold
from kaito.cluster.states import DaemonState, Phase, write_state
from kaito.embedded.pki import Authority


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterFolder:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = ClusterFolder.named("mine")
    folder.create()
    return folder


def status(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["status", "--name", "mine", *arguments])
    return result.exit_code, result.output


def test_a_cluster_that_has_only_taken_its_lock_is_starting(folder: ClusterFolder) -> None:
    with hold(folder):
        assert status() == (1, f"cluster mine is starting; what it does is in {folder.log}\n")
        with pytest.raises(ClusterError, match=r"cluster mine is starting already .*kaito down --name mine"):
            start_daemon("mine", "embedded", ClusterOptions(), print)
    assert status() == (1, "cluster mine is not running; start it with: kaito up --name mine\n")


def test_what_a_crashed_one_left_behind_is_not_taken_for_the_one_that_starts(folder: ClusterFolder) -> None:
    write_state(folder, DaemonState(name="mine", phase="running", pid=1, server="https://gone"))
    assert json.loads(status("-o", "json")[1])["phase"] == "stopped"
    with hold(folder):
        said = json.loads(status("-o", "json")[1])
    assert (said["phase"], said["running"], said["pid"], said["server"]) == ("starting", False, os.getpid(), None)


@pytest.mark.parametrize(
    ("phase", "problem", "code", "words"),
    [
        ("running", None, 0, "https://here"),
        ("stopping", None, 1, "cluster mine is stopping"),
        ("running", "the kubelet failed: no", 1, "the kubelet failed: no"),
        ("running", "the kubelet failed: no", 1, "kaito down --name mine && kaito up --name mine"),
    ],
)
def test_status_tells_the_phase_and_the_problem(
    folder: ClusterFolder, phase: Phase, problem: str | None, code: int, words: str
) -> None:
    with hold(folder):
        state = DaemonState(name="mine", phase=phase, problem=problem, pid=os.getpid(), server="https://here", log="l")
        write_state(folder, state)
        exit_code, output = status()
        assert exit_code == code
        assert words in output
        assert "None" not in output
        assert json.loads(status("-o", "json")[1])["problem"] == problem


def test_a_cluster_whose_starter_is_gone_ends_with_its_own_reason(folder: ClusterFolder) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "kaito.cluster.daemon", "--name", "mine", "--tier", "envtest"]
    environment = {**os.environ, "KUBEBUILDER_ASSETS": str(folder.root)}
    with os.fdopen(writing, "w") as output:
        done = subprocess.run(
            command, input="{}", stdout=output, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert done.returncode == 1
    assert "the envtest tier needs etcd" in done.stderr
    assert "BrokenPipeError: [Errno 32] Broken pipe" not in done.stderr.splitlines()
    assert status() == (1, "cluster mine is not running; start it with: kaito up --name mine\n")


async def test_a_server_that_ends_on_its_own_is_a_failure_and_one_that_was_stopped_is_not(tmp_path: Path) -> None:
    for script, how in (("echo bye; exit 3", "exit code 3"), ("echo bye; kill -9 $$", "killed by signal 9")):
        failed: asyncio.Future[ClusterError] = asyncio.get_running_loop().create_future()
        child = ChildProcess("etcd", ("sh", "-c", script), tmp_path, failed)
        await child.start()
        said = str(await failed)
        assert said == f"etcd ended ({how}): bye; see {tmp_path / 'etcd.log'}"
        await child.stop()
    failed = asyncio.get_running_loop().create_future()
    child = ChildProcess("etcd", ("sleep", "100"), tmp_path, failed)
    await child.start()
    await child.stop()
    assert not failed.done()


async def test_a_part_that_raises_is_named_with_its_reason_and_the_log(folder: ClusterFolder) -> None:
    async def breaks() -> None:
        raise KeyError("x")

    failed: asyncio.Future[ClusterError] = asyncio.get_running_loop().create_future()
    backplane = Backplane(folder, Authority.load_or_create(folder.pki), ClusterOptions(), failed)
    backplane._spawn(breaks(), "kubelet")
    assert str(await failed) == f"the kubelet failed: KeyError: 'x'; see {folder.log}"
    await backplane.stop()


def test_an_error_is_described_in_one_line() -> None:
    assert describe(ExceptionGroup("many", [ExceptionGroup("more", [ValueError("a\n b")])])) == "ValueError: a b"
    assert describe(TimeoutError()) == "TimeoutError"
