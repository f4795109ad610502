"""Every object Kaito's controller made in the recorded runs, against what we make of the same workspace."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.catalog import UnknownPreset, resolve, sku, startup_seconds
from kaito.operator.manifests.choices import runtime_of
from kaito.operator.manifests.go_json import canonical_quantity
from kaito.operator.manifests.inference import preset_stateful_set, template_stateful_set
from kaito.operator.manifests.nodeclaim import DEFAULT_STORAGE, node_claim
from kaito.operator.manifests.services import headless_service, inference_service
from kaito.operator.manifests.serving import probes
from kaito.operator.manifests.tuning import output_dir, tuning_job
from kaito.operator.settings import OperatorSettings
from tests.unit.operator.recordings import case_names, recorded, shape, without_defaults, workspace_of

FULL = OperatorSettings(model_flavor="full", mirrors_config_map=None)
BYO = OperatorSettings(model_flavor="full", mirrors_config_map=None, node_provisioner="byo")


def settings_of(name: str) -> OperatorSettings:
    return BYO if name.startswith("byo-mode") else FULL


@pytest.mark.parametrize("name", case_names(with_kind="NodeClaim"))
def test_node_claims_are_as_kaito_makes_them(name: str) -> None:
    workspace = workspace_of(name)
    inference = workspace.get("inference") or {}
    try:
        storage = resolve(inference["preset"]["name"]).disk if inference.get("preset") else DEFAULT_STORAGE
    except UnknownPreset:
        pytest.skip("the recorded model is not in the catalog")
    ours = node_claim(workspace, 0, FULL, storage=storage)
    theirs = without_defaults(recorded(name, "NodeClaim")[0])
    ours["spec"]["resources"]["requests"]["storage"] = canonical_quantity(storage)
    assert theirs["metadata"].pop("name").startswith("ws")
    ours["metadata"].pop("name")
    theirs["metadata"].pop("finalizers", None)
    if name.startswith("iset"):
        ours["metadata"]["labels"]["kaito.sh/workspace"] = theirs["metadata"]["labels"]["kaito.sh/workspace"]
    assert ours == theirs


@pytest.mark.parametrize("name", case_names(with_kind="Service"))
def test_services_are_as_kaito_makes_them(name: str) -> None:
    workspace = workspace_of(name)
    ours = [
        inference_service(workspace, runtime=runtime_of(workspace, FULL)),
        headless_service(workspace),
    ]
    own = [
        service
        for service in recorded(name, "Service")
        if service["metadata"]["name"].removesuffix("-headless") == workspace["metadata"]["name"]
    ]
    for mine, theirs in zip(ours, own, strict=False):
        assert without_defaults(mine) == without_defaults(theirs)


@pytest.mark.parametrize("name", case_names(with_kind="StatefulSet"))
def test_stateful_sets_have_kaitos_shape(name: str) -> None:
    workspace = workspace_of(name)
    settings = settings_of(name)
    theirs = recorded(name, "StatefulSet")[0]
    if theirs["metadata"]["name"] != workspace["metadata"]["name"]:
        pytest.skip("the recorded StatefulSet is another workspace's")
    replicas = theirs["spec"]["replicas"]
    if (workspace.get("inference") or {}).get("template"):
        ours = template_stateful_set(workspace, settings, replicas=replicas)
        expect_template(shape(theirs), shape(ours))
        return
    gpus = theirs["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
    machine = sku("azure", workspace["resource"].get("instanceType") or "Standard_NC48ads_A100_v4")
    claims = theirs["spec"].get("volumeClaimTemplates")
    ours = preset_stateful_set(
        workspace,
        resolve(workspace["inference"]["preset"]["name"]),
        machine.only(int(gpus)),
        settings,
        revision=1,
        replicas=replicas,
        weights_storage_class="kaito-local-nvme-disk" if claims else None,
    )
    expect_stateful_set(shape(theirs), shape(ours))


def expect_template(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    retention = theirs["spec"].pop("persistentVolumeClaimRetentionPolicy")
    assert retention == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert sorted_parts(ours) == sorted_parts(theirs)


def sorted_parts(stateful_set: dict[str, Any]) -> Any:
    pod = stateful_set["spec"]["template"]["spec"]
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    terms[0]["matchExpressions"].sort(key=lambda one: str(one["key"]))
    return {
        "metadata": stateful_set["metadata"],
        "selector": stateful_set["spec"]["selector"],
        "labels": stateful_set["spec"]["template"]["metadata"]["labels"],
        "affinity": terms,
        "tolerations": pod["tolerations"],
        "nodeSelector": pod.get("nodeSelector"),
        "names": [container["name"] for container in pod["containers"]],
    }


def expect_stateful_set(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Equal but for the form of the probes: Kaito's benchmark and multi-node checks are programs of its own image."""
    for one in (theirs, ours):
        terms = one["spec"]["template"]["spec"].get("affinity", {}).get("nodeAffinity", {})
        for term in terms.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", ()):
            term["matchExpressions"].sort(key=lambda expression: str(expression["key"]))
        for claim in one["spec"].get("volumeClaimTemplates") or ():
            claim.pop("kind", None)
            claim.pop("apiVersion", None)
            storage = claim["spec"]["resources"]["requests"]
            storage["storage"] = canonical_quantity(storage["storage"])
        container = one["spec"]["template"]["spec"]["containers"][0]
        probes = {kind: container.pop(kind) for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
        one["probes"] = {
            "startup": (probes["startupProbe"]["periodSeconds"], probes["startupProbe"]["failureThreshold"]),
            "liveness": probes["livenessProbe"]["periodSeconds"],
            "readiness": probes["readinessProbe"]["periodSeconds"],
        }
    assert ours == theirs


@pytest.mark.parametrize("name", case_names(with_kind="Job"))
def test_tuning_jobs_have_kaitos_shape(name: str) -> None:
    workspace = workspace_of(name)
    theirs = recorded(name, "Job")[0]
    templates = recorded(name, "ConfigMap")
    text = templates[0]["data"]["training_config.yaml"] if templates else ""
    config = next(
        volume["configMap"]["name"]
        for volume in theirs["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "config-volume"
    )
    ours = tuning_job(
        workspace,
        resolve(workspace["tuning"]["preset"]["name"]),
        sku("azure", workspace["resource"]["instanceType"]),
        FULL,
        revision=1,
        config_map=config,
        results=output_dir(text),
    )
    theirs, ours = shape(theirs), shape(ours)
    theirs["spec"].pop("selector")
    labels = theirs["spec"]["template"]["metadata"]["labels"]
    for key in [key for key in labels if key != "kaito.sh/workspace"]:
        del labels[key]
    for container in ours["spec"]["template"]["spec"]["containers"]:
        if container["name"] == "pause":
            assert container.pop("volumeMounts"), "our pause container watches the results"
    assert ours == theirs


def test_a_tuning_run_fails_for_good_on_the_exit_codes_that_no_retry_can_help() -> None:
    from tests.unit.operator.world import tuning_workspace

    workspace = tuning_workspace()
    workspace["metadata"]["uid"] = "u"
    job = tuning_job(
        workspace,
        resolve("phi-3-mini-128k-instruct"),
        sku("azure", "Standard_NC6s_v3"),
        FULL,
        revision=1,
        config_map="c",
        results="/mnt/results",
    )
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 64, 65, 66, 77]}}
    patient = {"containerName": "pusher", "operator": "In", "values": [69]}
    assert job["spec"]["podFailurePolicy"] == {"rules": [rule, {"action": "FailJob", "onExitCodes": patient}]}
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("flavor, delay, period", [("full", 30, 10), ("tiny", None, 1)])
def test_probe_timings_follow_the_flavour_and_start_up_has_the_same_time(flavor: Any, delay: Any, period: int) -> None:
    preset = resolve("phi-3-mini-128k-instruct")
    found = probes(preset, OperatorSettings(model_flavor=flavor))
    assert found["readinessProbe"].get("initialDelaySeconds") == delay
    assert {probe["periodSeconds"] for probe in found.values()} == {period}
    startup = found["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == startup_seconds(preset)
