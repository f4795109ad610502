"""The quick start with plain kubectl, command by command."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.kubectl import EXAMPLE, Kubectl, eventually, tuning_manifest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
NAME = "workspace-tuning-phi-3"


@pytest.fixture(scope="module")
def served(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The example applied, and its workspace ready."""
    out = kubectl.apply(tuning_manifest())
    assert "workspace.kaito.sh/workspace-tuning-phi-3 created" in out
    ready = kubectl("wait", "--for=condition=WorkspaceReady", f"workspace/{NAME}", "--timeout=180s", timeout=200)
    assert "condition met" in ready
    yield kubectl
    kubectl("delete", "workspace", NAME, "--ignore-not-found", "--timeout=60s", timeout=90)


def test_the_example_is_kaitos_manifest_with_image_and_secret_left_open() -> None:
    text = EXAMPLE.read_text()
    assert "kaito.sh/v1alpha1" in text
    assert ".azurecr.io/" in text
    assert "?download=true" in text
    assert text.count("<YOUR_") == 3


def test_get_workspace_shows_every_condition_true(served: Kubectl) -> None:
    header, row = served("get", "workspace", NAME).splitlines()
    assert header.split() == ["NAME", "INSTANCE", "RESOURCEREADY", "INFERENCEREADY", "WORKSPACEREADY", "AGE"]
    assert row.split()[:5] == [NAME, "Standard_NC6s_v3", "True", "True", "True"]


def test_get_workspace_wide_adds_job_state_and_nodes(served: Kubectl) -> None:
    header, row = served("get", "workspace", NAME, "-o", "wide").splitlines()
    assert {"JOBSTARTED", "STATE", "NODES"} <= set(header.split())
    assert "Succeeded" in row


def test_get_workspace_as_yaml_shows_what_was_applied_and_its_conditions(served: Kubectl) -> None:
    text = served("get", "workspace", NAME, "-o", "yaml")
    assert "method: qlora" in text
    assert "type: WorkspaceReady" in text


def test_a_watch_shows_a_change_as_it_happens(served: Kubectl) -> None:
    command = [served.program, "--kubeconfig", served.kubeconfig, "get", "workspace", "-w"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("NAME")
        assert watching.stdout.readline().startswith(NAME)
        served("annotate", "workspace", NAME, "test/seen=yes", "--overwrite")
        assert watching.stdout.readline().startswith(NAME)
        watching.terminate()


def test_the_service_has_a_cluster_ip_with_both_ports(served: Kubectl) -> None:
    header, row = served("get", "svc", NAME).splitlines()
    assert header.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    _, kind, address, _, ports, _ = row.split()
    assert (kind, ports) == ("ClusterIP", "80/TCP,29500/TCP")
    assert served("get", "svc", NAME, "-o", "jsonpath={.spec.clusterIPs[0]}") == address


def test_get_nodes_nodeclaims_pods_jobs_and_events_shows_all_of_them(served: Kubectl) -> None:
    out = served("get", "nodes,nodeclaims,pods,jobs,events")
    for kind in ("node/", "nodeclaim.karpenter.sh/", "pod/", "job.batch/", "LAST SEEN"):
        assert kind in out
    assert re.search(rf"job\.batch/{NAME}\s+Complete\s+1/1", out)


def test_describe_workspace_tells_its_conditions_and_events(served: Kubectl) -> None:
    out = served("describe", "workspace", NAME)
    assert "WorkspaceReady" in out
    assert "NodeClaimCreated" in out


def test_logs_of_the_job_show_the_loss(served: Kubectl) -> None:
    out = served("logs", "-f", f"job/{NAME}", "-c", NAME)
    assert "event=step" in out
    assert "loss=" in out


def test_a_curl_pod_gets_an_answer_of_the_tuned_model(served: Kubectl) -> None:
    address = served("get", "svc", NAME, "-o", "jsonpath={.spec.clusterIPs[0]}")
    done = served.run(
        *("run", "-i", "--rm", "--restart=Never", "curl", "--image=curlimages/curl", "--"),
        *("curl", "-s", "-X", "POST", f"http://{address}/chat"),
        *("-H", "accept: application/json", "-H", "Content-Type: application/json"),
        *("-d", '{"prompt":"What is a Workspace?"}'),
    )
    assert done.returncode == 0, done.stderr
    assert "A Workspace asks for GPU nodes and a model." in done.stdout


def test_delete_takes_everything_with_it(served: Kubectl) -> None:
    claims = served.names("nodeclaims")
    assert claims
    done = served.run("delete", "-f", "-", "--timeout=60s", stdin=tuning_manifest(), timeout=90)
    assert done.returncode == 0, done.stderr
    for kind in ("nodeclaims", "jobs", "statefulsets", "pods"):
        eventually(lambda kind=kind: not served.names(kind), seconds=30, what=f"{kind} gone")
    eventually(lambda: NAME not in served.names("services"), seconds=10, what="service gone")
    assert not set(claims) & set(served.names("nodes"))
