"""The real kube-controller-manager and kube-scheduler drive the cluster while our own are switched off.

Go clients with typed caches, protobuf or JSON bodies, watch-list streams, Leases, events and the informers of every
built-in controller: what they cannot list or parse keeps them from starting, so a Job that completes says a lot.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kaito.cluster.tiers import missing_for
from tests.e2e.conftest import kaito
from tests.e2e.kubectl import Kubectl, eventually, find_kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PROGRAMS = ("kube-controller-manager", "kube-scheduler")
CONTENT_TYPES = {"json": "application/json", "protobuf": "application/vnd.kubernetes.protobuf"}
NAME = "real"


def find_program(name: str) -> str | None:
    """A Kubernetes program from `$KUBEBUILDER_ASSETS` or the PATH."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return (shutil.which(name, path=assets) if assets else None) or shutil.which(name)


def pod_template(app: str, *command: str, restart_policy: str = "Always") -> dict[str, Any]:
    """A pod template of one shell container."""
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "restartPolicy": restart_policy,
            "containers": [{"name": "main", "image": "busybox", "command": list(command)}],
        },
    }


def workloads() -> list[dict[str, Any]]:
    """A Deployment, a StatefulSet with its headless Service, and a Job of two completions."""
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": pod_template("web", "sleep", "1000"),
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "db"},
            "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {
                "replicas": 2,
                "serviceName": "db",
                "selector": {"matchLabels": {"app": "db"}},
                "template": pod_template("db", "sleep", "1000"),
            },
        },
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "once"},
            "spec": {
                "completions": 2,
                "template": pod_template("once", "sh", "-c", "echo carried out", restart_policy="Never"),
            },
        },
    ]


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest, state_home: dict[str, str]) -> Iterator[Kubectl]:
    """A cluster with neither controllers nor scheduler, on the tier asked for."""
    tier = str(request.config.getoption("--cluster"))
    reason = missing_for(tier)
    if reason:
        pytest.skip(reason)
    absent = [name for name in PROGRAMS if find_program(name) is None]
    if absent:
        pytest.skip(f"{' and '.join(absent)} neither in KUBEBUILDER_ASSETS nor on the PATH")
    program = find_kubectl()
    if program is None:
        pytest.skip("kubectl is neither on the PATH nor in KUBEBUILDER_ASSETS")
    kaito("up", "--name", NAME, "--cluster", tier, "--controllers", "none", environment=state_home)
    try:
        status = json.loads(kaito("status", "--name", NAME, "-o", "json", environment=state_home))
        yield Kubectl(program, status["kubeconfig"])
    finally:
        kaito("down", "--name", NAME, "--purge", environment=state_home)


@contextmanager
def running(program: str, *arguments: str, log: Path) -> Iterator[None]:
    """A server process for the time of the block; it must not have ended on its own."""
    path = find_program(program)
    assert path is not None
    with log.open("wb") as output, subprocess.Popen([path, *arguments], stdout=output, stderr=output) as process:
        try:
            yield
            assert process.poll() is None, f"{program} ended by itself: {log.read_text()[-2000:]}"
        finally:
            process.kill()


@pytest.fixture(scope="module", params=CONTENT_TYPES)
def body(request: pytest.FixtureRequest, bare: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The content type's name, while both real programs run and speak it."""
    body: str = request.param
    logs = tmp_path_factory.mktemp(f"real-{body}")
    pki = Path(bare.kubeconfig).parent / "pki"
    shared = (
        f"--kubeconfig={bare.kubeconfig}",
        f"--kube-api-content-type={CONTENT_TYPES[body]}",
        "--secure-port=0",
    )
    manager = (
        f"--leader-elect-resource-name=real-manager-{body}",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--use-service-account-credentials=true",
        "--controllers=*,-nodeipam,-cloud-node-lifecycle",
    )
    with (
        running(PROGRAMS[0], *shared, *manager, log=logs / "manager.log"),
        running(
            PROGRAMS[1], *shared, f"--leader-elect-resource-name=real-scheduler-{body}", log=logs / "scheduler.log"
        ),
    ):
        yield body
    for log in logs.iterdir():
        failed = [line for line in log.read_text().splitlines() if "Failed to watch" in line or line.startswith("F")]
        assert not failed, failed[:5]


@pytest.fixture
def driven(body: str, bare: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own; it is left to the real namespace controller to empty it."""
    name = f"{body}-{uuid.uuid4().hex[:6]}"
    bare("create", "namespace", name)
    inside = bare.in_namespace(name)
    eventually(lambda: inside.names("serviceaccounts"), seconds=30, what="the namespace's service account")
    yield inside
    bare("delete", "namespace", name, "--wait=false")


def test_real_controllers_run_workloads_and_collect_what_is_deleted(driven: Kubectl, body: str) -> None:
    driven.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": workloads()}))
    driven("rollout", "status", "deployment/web", "--timeout=40s")
    driven("rollout", "status", "statefulset/db", "--timeout=40s")
    driven("wait", "--for=condition=Complete", "job/once", "--timeout=40s")

    pods = driven.json("get", "pods")["items"]
    phases = sorted((pod["metadata"]["labels"]["app"], pod["status"]["phase"]) for pod in pods)
    assert phases == [("db", "Running")] * 2 + [("once", "Succeeded")] * 2 + [("web", "Running")] * 2
    assert {pod["spec"]["nodeName"] for pod in pods} == {"local"}
    assert "carried out" in driven("logs", "job/once")
    assert driven("exec", "db-1", "--", "sh", "-c", "echo $HOSTNAME").strip() == "db-1"
    slices = driven.json("get", "endpointslices", "-l", "kubernetes.io/service-name=db")["items"]
    addresses = {address for item in slices for endpoint in item["endpoints"] for address in endpoint["addresses"]}
    assert addresses == {pod["status"]["podIP"] for pod in pods if pod["metadata"]["labels"]["app"] == "db"}
    reasons = {event["reason"] for event in driven.json("get", "events")["items"]}
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Started", "Completed"} <= reasons
    leases = driven.in_namespace("kube-system").names("leases")
    assert {f"real-manager-{body}", f"real-scheduler-{body}"} <= set(leases)

    driven("scale", "deployment/web", "--replicas=1")
    eventually(lambda: len(pods_of(driven, "web")) == 1, seconds=20, what="one pod after scaling down")
    driven("set", "image", "deployment/web", "main=alpine")
    driven("rollout", "status", "deployment/web", "--timeout=40s")
    assert len(driven.names("replicasets")) == 2

    driven("delete", "job/once", "statefulset/db", "--timeout=30s")
    driven("delete", "deployment/web", "--cascade=foreground", "--timeout=30s")
    assert not driven.names("replicasets")
    eventually(lambda: not driven.names("pods"), seconds=30, what="pods collected with their owners")


def test_a_pod_that_fits_nowhere_waits_with_the_schedulers_reason(driven: Kubectl) -> None:
    pod = pod_template("greedy", "true")
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "1"}}
    driven.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {"name": "greedy"}}))
    message = eventually(
        lambda: (
            driven("get", "events", "--field-selector=reason=FailedScheduling", "-o", "jsonpath={.items[0].message}")
            if driven.names("events")
            else ""
        ),
        seconds=20,
        what="a FailedScheduling event",
    )
    assert message.startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")


def pods_of(kubectl: Kubectl, app: str) -> list[str]:
    """The names of an app's pods."""
    return kubectl("get", "pods", "-l", f"app={app}", "-o", "name").split()
