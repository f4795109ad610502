"""`up`, `down`, `status` and Ctrl-C: what keeps, what comes back, and what must not be left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import kaito
from tests.e2e.kubectl import REPOSITORY, Kubectl, eventually, find_kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
KAITO = str(Path(sys.executable).parent / "kaito")


def processes_mentioning(text: str) -> list[str]:
    """Command lines and environments that contain a text, of processes other than this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            content = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in content:
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """State and temporary files of this test alone."""
    (tmp_path / "tmp").mkdir()
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp")}


def test_state_survives_kill_9_and_down_leaves_no_process(
    home: dict[str, str], tmp_path: Path, kaito_tier: str
) -> None:
    program = find_kubectl()
    if program is None:
        pytest.skip("kubectl is neither on the PATH nor in KUBEBUILDER_ASSETS")
    out = kaito("up", "--cluster", kaito_tier, environment=home)
    assert "export KUBECONFIG=" in out
    state = json.loads(kaito("status", "-o", "json", environment=home))
    assert state["running"] is True
    assert state["tier"] == kaito_tier
    assert state["server"].startswith("https://127.0.0.1:")
    assert state["registry"].startswith("http://127.0.0.1:")
    kubectl = Kubectl(program, state["kubeconfig"])
    kubectl("create", "configmap", "kept", "--from-literal=a=b")
    kubectl("run", "sleeper", "--image=busybox", "--", "sleep", "1000")
    kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=30s")

    os.kill(state["pid"], signal.SIGKILL)
    eventually(lambda: not _running(home), seconds=10, what="status notices the crash")
    kaito("up", "--cluster", kaito_tier, environment=home)
    again = json.loads(kaito("status", "-o", "json", environment=home))
    assert again["pid"] != state["pid"]
    assert again["server"] == state["server"]
    assert kubectl.json("get", "configmap", "kept")["data"] == {"a": "b"}
    kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=30s")

    os.kill(again["pid"], signal.SIGKILL)
    kaito("down", "--purge", environment=home)
    assert not processes_mentioning(str(tmp_path))
    assert not list((tmp_path / "state").rglob("default"))
    assert not list((tmp_path / "tmp").iterdir())


def test_down_ends_pods_and_servers_and_keeps_the_state(home: dict[str, str], tmp_path: Path, kaito_tier: str) -> None:
    kaito("up", "--cluster", kaito_tier, environment=home)
    kaito("down", environment=home)
    assert not processes_mentioning(str(tmp_path))
    assert not _running(home)
    database = {"embedded": "cluster.db", "envtest": "etcd/member"}[kaito_tier]
    assert (tmp_path / "state/kaito/clusters/default" / database).exists()


def test_status_tells_starting_from_running_and_names_a_server_that_died(home: dict[str, str], kaito_tier: str) -> None:
    command = [KAITO, "up", "--cluster", kaito_tier]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **home}) as starting:
        eventually(lambda: _status(home)["phase"] == "starting", seconds=30, what="status says starting")
        assert starting.wait(timeout=240) == 0
    state = _status(home)
    assert (state["phase"], state["problem"]) == ("running", None)
    if kaito_tier == "envtest":
        records = json.loads((Path(state["log"]).parent / "processes.json").read_text())
        os.kill(records[0][0], signal.SIGKILL)
        problem = eventually(lambda: _status(home)["problem"], seconds=10, what="status names the dead server")
        assert "etcd ended (killed by signal 9)" in problem
    kaito("down", "--purge", environment=home)
    assert _status(home)["phase"] == "stopped"


def test_ctrl_c_in_a_run_leaves_nothing(home: dict[str, str], tmp_path: Path, kaito_tier: str) -> None:
    scenario = str(REPOSITORY / "scenarios/tune-then-serve.yaml")
    command = [KAITO, "run", scenario, "--cluster", kaito_tier, "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        command, env={**os.environ, **home}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "model-weights-downloader" in line or "data-downloader" in line:
                break
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait(timeout=60) == 130, rest
    assert "Traceback" not in rest
    assert not processes_mentioning(str(tmp_path))
    assert not list((tmp_path / "tmp").iterdir())


def _running(home: dict[str, str]) -> bool:
    return bool(_status(home)["running"])


def _status(home: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [KAITO, "status", "-o", "json"], capture_output=True, text=True, env={**os.environ, **home}, check=False
    )
    return dict(json.loads(done.stdout))
