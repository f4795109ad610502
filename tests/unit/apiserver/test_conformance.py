"""The conformance kit's own programs, played against the embedded server.

The kit lies beside the repository (`../shared/conformance`); without it these tests skip.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.apiserver.conftest import DEFINITIONS, Api

KIT = Path(__file__).parents[4] / "shared" / "conformance"
RECORDED = 94
CHECKS = 105
IMAGES = """
images:
  - match: [i, i1, i2, i9]
    description: sleeps
    entrypoint: [sh, -c, "echo hi; exec sleep 600"]
"""
APPLIED = f"{DEFINITIONS}?fieldManager=kubectl-client-side-apply"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not KIT.is_dir(), reason="no conformance kit at ../shared/conformance beside the repository"),
]


def programs() -> list[str]:
    """Every kubectl at hand: that of KUBEBUILDER_ASSETS and that on PATH."""
    places = [os.environ.get("KUBEBUILDER_ASSETS"), None]
    found = [shutil.which("kubectl", path=place) for place in places if place is None or Path(place).is_dir()]
    return list(dict.fromkeys(program for program in found if program))


async def run(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """A program of the kit to its end: exit status and output. The server answers in this process meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.timeout(180)
async def test_the_recorded_requests_are_answered_as_the_real_server_answered_them(api: Api, tmp_path: Path) -> None:
    definition = (KIT / "widgets-crd.yaml").read_text()
    answer = await api.call("POST", APPLIED, definition, "application/yaml")
    assert answer.status == 201, answer.body
    await asyncio.sleep(0.5)
    fresh = str(tmp_path / "fresh.json")
    _, output = await run(str(KIT / "golden.py"), api.url, fresh, "--core", environment={"TOKEN": api.token})
    assert f"{RECORDED} recorded" in output, output
    status, output = await run(str(KIT / "compare.py"), str(KIT / "golden-kube-1.34.json"), fresh)
    assert status == 0, output


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What `kaito status` says of a background cluster without the operator, in which the probe's images run."""
    images = tmp_path / "images.yaml"
    images.write_text(IMAGES)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}

    def kaito(*arguments: str) -> str:
        program = str(Path(sys.executable).with_name("kaito"))
        command = [program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    kaito("up", "--name", "probe", "--operator", "none", "--images", str(images))
    try:
        yield json.loads(kaito("status", "--name", "probe", "-o", "json"))
    finally:
        kaito("down", "--name", "probe", "--purge")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", programs() or [pytest.param("", marks=pytest.mark.skip(reason="no kubectl"))])
async def test_the_probe_passes_whole(cluster: dict[str, Any], tmp_path: Path, program: str) -> None:
    shim = tmp_path / "modules" / "kubernetes_asyncio"  # the probe's name for what kubernetes.aio is today
    shim.mkdir(parents=True)
    (shim / "__init__.py").write_text("from kubernetes.aio import client, config, watch\n")
    url = yaml.safe_load(Path(cluster["kubeconfig"]).read_text())["clusters"][0]["cluster"]["server"]
    environment = {"KUBECTL": program, "PYTHONPATH": str(shim.parent)}
    _, output = await run(str(KIT / "probe.py"), cluster["kubeconfig"], url, "--core", environment=environment)
    failed = [line for line in output.splitlines() if line.startswith("[FAIL]")]
    assert "SUMMARY" in output, output
    assert not failed, output
    assert output.count("[PASS]") == CHECKS, output
