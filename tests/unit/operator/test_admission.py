"""Admission of workspaces with what the cluster knows."""

from __future__ import annotations

import copy
import gzip
import json
from typing import Any

import pytest

from kaito.kube.errors import Unreachable
from kaito.kube.fake import FakeClient
from kaito.operator.admission import Reviewer
from kaito.operator.params import METHODS, inference_config_map, params_config_map
from kaito.operator.settings import OperatorSettings
from tests.unit.operator.recordings import FOLDER
from tests.unit.operator.test_inference_sets import inference_set
from tests.unit.operator.world import NAMESPACE, config_map, inference_workspace, tuning_workspace

GVR = ("kaito.sh", "v1beta1", "workspaces")
PREFIX = 'admission webhook "validation.workspace.kaito.sh" denied the request: '


def cluster(*objects: dict[str, Any], namespace: str = "kaito-system") -> FakeClient:
    templates = [params_config_map(method, "tiny", namespace) for method in METHODS]
    return FakeClient(*templates, inference_config_map(namespace), *objects)


def reviewer(*objects: dict[str, Any]) -> Reviewer:
    return Reviewer(cluster(*objects), OperatorSettings())


async def test_good_workspaces_are_admitted() -> None:
    for workspace in (inference_workspace(), tuning_workspace()):
        review = await reviewer().review("CREATE", GVR, None, workspace)
        assert review.allowed, review.message


@pytest.mark.parametrize(
    "workspace, part",
    [
        (inference_workspace(preset={"name": "nope"}), "Unsupported inference preset name nope: inference.presetName"),
        (tuning_workspace(method="magic"), "invalid value: magic: tuning.Method"),
        (tuning_workspace(output={}), "Exactly one of Volume or Image must be specified"),
        (
            tuning_workspace(config="absent"),
            "ConfigMap 'absent' specified in 'config' not found in namespace 'default': config: tuning.Config",
        ),
        ({**inference_workspace(), "tuning": tuning_workspace()["tuning"]}, "but not both: spec"),
    ],
)
async def test_bad_ones_are_refused_with_the_field_path(workspace: dict[str, Any], part: str) -> None:
    review = await reviewer().review("CREATE", GVR, None, workspace)
    assert not review.allowed
    assert review.message.startswith(PREFIX + "validation failed: ")
    assert part in review.message
    assert review.bare_message == review.message.removeprefix(PREFIX)


async def test_the_users_config_is_read_from_the_cluster() -> None:
    bad = config_map("mine", NAMESPACE, "training_config:\n  Nonsense: {}\n")
    review = await reviewer(bad).review("CREATE", GVR, None, tuning_workspace(config="mine"))
    assert "Unrecognized section: Nonsense" in review.message


@pytest.mark.parametrize(
    "workspace",
    [
        inference_workspace(adapters=[{"source": {"name": "a", "volumeSource": {"foo": {}}}}]),
        tuning_workspace(input={"volumeSource": {"emptyDir": {"foo": 1}}}),
        inference_workspace(template={"spec": {"containers": [{"name": "c", "foo": 1}]}}),
    ],
)
async def test_a_field_that_no_pod_has_is_refused_where_the_schema_lets_it_through(workspace: dict[str, Any]) -> None:
    review = await reviewer().review("CREATE", GVR, None, workspace)
    text = 'decoding request failed: cannot decode incoming new object: json: unknown field "foo"'
    assert review.message == PREFIX + text


async def test_updates_are_checked_only_where_a_rule_looks() -> None:
    admitted = inference_workspace(adapters=[{"source": {"image": "x"}}])
    touched = copy.deepcopy(admitted)
    touched["metadata"] |= {
        "finalizers": ["workspace.finalizer.kaito.sh"],
        "annotations": {"workspace.kaito.io/revision": "1"},
    }
    assert (await reviewer().review("UPDATE", GVR, admitted, touched)).allowed
    changed = copy.deepcopy(touched)
    changed["resource"]["count"] = 2
    review = await reviewer().review("UPDATE", GVR, admitted, changed)
    assert "field is immutable: resource.count" in review.message


async def test_a_workspace_that_is_going_may_always_lose_its_finalizer() -> None:
    old = inference_workspace()
    new = {**copy.deepcopy(old), "resource": {}}
    new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert (await reviewer().review("UPDATE", GVR, old, new)).allowed


async def test_other_resources_status_and_deletion_are_none_of_its_business() -> None:
    nonsense = {"metadata": {"name": "x"}}
    assert (await reviewer().review("CREATE", ("", "v1", "pods"), None, nonsense)).allowed
    assert (await reviewer().review("UPDATE", GVR, nonsense, {}, subresource="status")).allowed
    assert (await reviewer().review("DELETE", GVR, nonsense, None)).allowed


async def test_a_cluster_that_cannot_be_asked_refuses() -> None:
    client = cluster()
    client.fail(Unreachable("connection refused"), verb="get", times=9)
    review = await Reviewer(client, OperatorSettings()).review("CREATE", GVR, None, tuning_workspace())
    assert (review.allowed, review.code) == (False, 500)
    assert "connection refused" in review.message


DEVIATING = ("v1beta1: tune bogus method",)
"""Texts that are different on purpose; see `docs/deviations.md`."""


async def test_inference_sets_are_judged_by_a_webhook_of_their_own() -> None:
    gvr = ("kaito.sh", "v1beta1", "inferencesets")
    good = inference_set()
    assert (await reviewer().review("CREATE", gvr, None, good)).allowed
    bad = inference_set()
    bad["spec"]["template"]["inference"]["preset"]["name"] = "nope"
    review = await reviewer().review("CREATE", gvr, None, bad)
    assert review.message.startswith('admission webhook "validation.inferenceset.kaito.sh" denied the request: ')
    assert "spec.template.inference.presetName" in review.message
    assert (await reviewer().review("UPDATE", gvr, good, copy.deepcopy(good))).allowed


def recorded_rows() -> list[Any]:
    path = FOLDER / "admission.json.gz"
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="no recorded admission in ../shared/conformance"))]
    with gzip.open(path, "rt", encoding="utf-8") as text:
        rows = json.load(text)["results"]
    return [
        pytest.param(row, id=row["case"])
        for row in rows
        if row["op"] == "CREATE" and row["manifest"]["kind"] == "Workspace" and decided_by_the_webhook(row)
    ]


def decided_by_the_webhook(row: dict[str, Any]) -> bool:
    """Neither the schema's verdict nor a panic of Kaito's, and nothing the recording does not hold.

    That is the ConfigMaps that some manifests name, and the answer of huggingface.co.
    """
    manifest, message = row["manifest"], row["message"] or ""
    configs = [(manifest.get(part) or {}).get("config") for part in ("inference", "tuning")]
    if manifest["apiVersion"].endswith("v1alpha1") or any(configs) or "huggingface.co/api" in message:
        return False
    return row["code"] == 201 or message.startswith(PREFIX)


def defaulted(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the CRD's defaults make of a manifest."""
    obj = copy.deepcopy(manifest)
    if isinstance(obj.get("resource"), dict):
        obj["resource"].setdefault("count", 1)
    for part in ("inference", "tuning"):
        preset = (obj.get(part) or {}).get("preset")
        if preset:
            preset.setdefault("accessMode", "public")
    return obj


@pytest.mark.parametrize("row", recorded_rows())
async def test_verdicts_are_those_of_the_recorded_webhook(row: dict[str, Any]) -> None:
    settings = OperatorSettings(release_namespace="kaito-workspace")
    recorded_cluster = Reviewer(cluster(namespace="kaito-workspace"), settings)
    review = await recorded_cluster.review("CREATE", GVR, None, defaulted(row["manifest"]))
    assert review.allowed == (row["code"] == 201), review.message or row["message"]
    if not review.allowed and "Supported SKUs" not in row["message"] and row["case"] not in DEVIATING:
        assert review.message == row["message"]
