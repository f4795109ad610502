"""What is wrong is said where a user looks, within seconds, and nothing is pretended."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.kubectl import Kubectl, eventually, tuning_manifest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SECONDS = 20
"""Within which the reason must be readable."""
DATASET = (
    "https://huggingface.co/datasets/philschmid/dolly-15k-oai-style/resolve/main/data/"
    "train-00000-of-00001-54e3756291ca09c6.parquet?download=true"
)


def described(kubectl: Kubectl, name: str, *words: str) -> str:
    """Wait until `kubectl describe workspace` contains all words; returns what it said."""

    def said() -> str | None:
        text = kubectl("describe", "workspace", name)
        return text if all(word in text for word in words) else None

    return str(eventually(said, seconds=SECONDS * 2, what=f"describe names {words}"))


def failed_for_good(kubectl: Kubectl, name: str, *words: str) -> None:
    """The workspace says why it failed, and its Job does not try again."""
    described(kubectl, name, "workspaceFailed", *words)
    job = kubectl.json("get", "job", name)
    conditions = {entry["type"]: entry for entry in job["status"]["conditions"]}
    assert conditions["Failed"]["status"] == "True"
    assert conditions["Failed"]["reason"] == "PodFailurePolicy"
    assert job["status"]["failed"] == 1


def test_an_unknown_image_is_named_with_the_table_to_extend(namespace: Kubectl) -> None:
    namespace("run", "stranger", "--image=ghcr.io/nobody/nothing:v1", "--restart=Never")

    def waiting() -> str | None:
        pod = namespace.json("get", "pod", "stranger")
        states = (pod.get("status") or {}).get("containerStatuses") or ()
        return next((s["state"]["waiting"]["message"] for s in states if "waiting" in s["state"]), None)

    message = eventually(waiting, seconds=SECONDS, what="the pod waits for its image")
    assert "ghcr.io/nobody/nothing:v1" in message
    assert "images.yaml" in message
    assert namespace("get", "pod", "stranger").splitlines()[1].split()[2] in ("ErrImagePull", "ImagePullBackOff")


def test_an_inference_workspace_with_an_unknown_image_says_so(namespace: Kubectl) -> None:
    namespace.apply(
        """
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: stranger}
resource:
  instanceType: Standard_NC6s_v3
  labelSelector: {matchLabels: {app: stranger}}
inference:
  template:
    spec:
      containers: [{name: stranger, image: "ghcr.io/nobody/nothing:v1"}]
"""
    )
    described(namespace, "stranger", "ImagePullError", "ghcr.io/nobody/nothing:v1", "images.yaml")


def test_wrong_push_credentials_fail_the_job_for_good_with_the_registrys_word(namespace: Kubectl) -> None:
    account = {"auths": {"*.azurecr.io": {"auth": base64.b64encode(b"kaito:wrong").decode()}}}
    namespace.apply(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "bad-secret"},
                "type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": base64.b64encode(json.dumps(account).encode()).decode()},
            }
        )
    )
    namespace.apply(tuning_manifest("bad-push", **{"kaito-registry": "bad-secret"}))
    failed_for_good(namespace, "bad-push", "401", "demo.azurecr.io")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The URL of a server with one file that is empty, one that is no parquet, and one without a usable column."""
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("This is no parquet file.\n" * 20)
    pq.write_table(pa.table({"colour": ["red"], "size": [3]}), tmp_path / "columns.parquet")
    pq.write_table(pa.table({"messages": [[{"role": "user", "content": "alone"}]]}), tmp_path / "rows.parquet")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("absent", ("404", "/absent.parquet")),
        ("empty", ("/empty.parquet",)),
        ("text", ("text.parquet",)),
        ("columns", ("columns.parquet", "colour")),
        ("rows", ("rows.parquet", "row", "messages")),
    ],
)
def test_a_dataset_that_cannot_be_used_is_named(
    namespace: Kubectl, web: str, case: str, words: tuple[str, ...]
) -> None:
    namespace.apply(tuning_manifest("bad-data", **{DATASET: f"{web}/{case}.parquet"}))
    failed_for_good(namespace, "bad-data", *words)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param("registry-comes-back", id="a registry that comes back in time gets the adapter"),
        pytest.param("tuner-killed", id="a killed tuner is tried again and the workspace succeeds"),
        pytest.param("server-killed", id="a killed server is not ready until it answers again"),
    ],
)
def test_the_scenario_passes(run_kaito: Callable[..., str], tmp_path: Path, kaito_tier: str, scenario: str) -> None:
    file = f"tests/e2e/scenarios/{scenario}.yaml"
    run_kaito("run", file, "--cluster", kaito_tier, "--out", str(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("phi-3-mini-128k-instruct", "phi-99", ("presetName", "phi-99")),
        ("method: qlora", "method: magic", ("tuning.Method", "magic")),
        ("Standard_NC6s_v3", "Standard_Toaster", ("instanceType", "Standard_Toaster", "kaito instance-types")),
        ("Standard_NC6s_v3", "Standard_NC6s_v4", ("Warning: ", "did you mean Standard_NC6s_v3 or")),
        ("    imagePushSecret: kaito-registry", "    volumeSource: {emptyDir: {}}", ("utput",)),
        ('    image: "demo.azurecr.io/adapters/refused:v1"', "    imagePullPolicy: Always", ("imagePullPolicy",)),
    ],
)
def test_apply_refuses_what_cannot_be_with_the_field(
    namespace: Kubectl, old: str, new: str, words: tuple[str, ...]
) -> None:
    done = namespace.run("apply", "-f", "-", stdin=tuning_manifest("refused", **{old: new}))
    assert done.returncode != 0, done.stdout
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not namespace.names("workspaces")


def test_an_unknown_field_is_refused_with_its_path_or_warned_about(namespace: Kubectl) -> None:
    manifest = tuning_manifest("refused", **{"  method: qlora": "  method: qlora\n  metod: lora"})
    strict = namespace.run("apply", "-f", "-", stdin=manifest)
    assert strict.returncode != 0
    assert 'unknown field "tuning.metod"' in strict.stderr
    warned = namespace.run("apply", "--validate=warn", "--dry-run=server", "-f", "-", stdin=manifest)
    assert warned.returncode == 0, warned.stderr
    assert 'unknown field "tuning.metod"' in warned.stderr
