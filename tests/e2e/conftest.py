"""A background cluster for the whole session, and kubectl for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaito.cluster.tiers import missing_for
from tests.e2e.kubectl import Kubectl, find_kubectl

UP_SECONDS = 300  # The first start on a machine builds the tiny model.


def kaito(*arguments: str, environment: dict[str, str] | None = None, timeout: float = UP_SECONDS) -> str:
    """Run the command line; the test fails when it does."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "kaito"), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    assert done.returncode == 0, f"kaito {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose clusters are kept apart from the user's own; caches are shared."""
    return {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, state_home: dict[str, str]) -> Iterator[dict[str, str]]:
    """What `kaito status -o json` says about a running cluster."""
    tier = str(request.config.getoption("--cluster"))
    reason = missing_for(tier)
    if reason:
        pytest.skip(reason)
    kaito("up", "--name", "e2e", "--cluster", tier, environment=state_home)
    try:
        yield json.loads(kaito("status", "--name", "e2e", "-o", "json", environment=state_home))
    finally:
        kaito("down", "--name", "e2e", "--purge", environment=state_home)


@pytest.fixture(scope="session")
def kubectl(cluster: dict[str, str]) -> Kubectl:
    """kubectl in the default namespace."""
    program = find_kubectl()
    if program is None:
        pytest.skip("kubectl is neither on the PATH nor in KUBEBUILDER_ASSETS")
    return Kubectl(program, cluster["kubeconfig"])


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own, with the registry's Secret in it; deleted with all it holds."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    secret = kubectl.json("get", "secret", "kaito-registry")
    secret["metadata"] = {"name": "kaito-registry", "namespace": name}
    inside = kubectl.in_namespace(name)
    inside.apply(json.dumps(secret))
    yield inside
    kubectl("delete", "namespace", name, "--timeout=60s", timeout=90)


@pytest.fixture(scope="session")
def run_kaito() -> Callable[..., str]:
    """The command line as a function."""
    return kaito
