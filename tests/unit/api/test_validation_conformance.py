"""Admission against what Kaito 0.12.0 answered (recordings; skipped where they are absent)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from kaito.api.defaulting import apply_defaults
from kaito.api.preset import Preset, TuningFacts
from kaito.api.validation import (
    AdmissionContext,
    DecodingError,
    FieldErrors,
    check_decoding,
    validate_create,
    validate_update,
)
from kaito.catalog import Tables
from kaito.catalog.skus import all_skus
from tests.unit.catalog.recordings import FOLDER, recording

RELEASE_NAMESPACE = "kaito-workspace"
# Tuning on a size that no table knows is refused here (docs/deviations.md, tests in test_deviations.py).
DEVIATIONS = frozenset(
    {
        "tune-lora/it-padded",
        "tune-lora/it-prefix-only",
        "tune-lora/it-d-lower",
        "tune-lora/cloud-arc-it-unknown",
        "tune-lora/cloud-gcp-it-unknown",
    }
)


@cache
def _shared_objects() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "objects.json").read_text(encoding="utf-8")))


def _fake(entry: dict[str, Any]) -> Preset:
    return Preset(
        name="",
        model_id=entry["name"],
        architecture="",
        family="llama",
        weights=entry["totalSafeTensorFileSize"],
        disk="100Gi",
        bytes_per_token=entry["bytesPerToken"],
        token_limit=entry["modelTokenLimit"],
        supports_distributed=entry["supportDistributedInference"],
        tuning=TuningFacts(disk="100Gi") if entry["supportTuning"] else None,
        transformers={} if entry["transformers"] else None,
        download_at_runtime=entry["downloadAtRuntime"],
        download_auth_required=entry["downloadAuthRequired"],
    )


def context_of(row: dict[str, Any]) -> AdmissionContext:
    """The cluster and the settings that a row was recorded with."""
    env = row["input"]["env"]
    objects = [_shared_objects()[one] if isinstance(one, str) else one for one in row["input"]["objects"]]
    maps = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one.get("data") or {}
        for one in objects
        if one["kind"] == "ConfigMap"
    }
    return AdmissionContext(
        catalog=Tables({one["name"]: _fake(one) for one in env.get("fakeModels", [])}),
        config_map=lambda namespace, name: maps.get((namespace, name)),
        nodes=lambda: [one for one in objects if one["kind"] == "Node"],
        cloud=env.get("cloud", "azure"),
        provisioner=env.get("provisioner", "azure-gpu-provisioner"),
        gates=env.get("gates", {}),
        release_namespace=env.get("releaseNamespace", RELEASE_NAMESPACE),
        node_classes=env.get("nodeClasses", []),
        csi_drivers=frozenset(one["metadata"]["name"] for one in objects if one["kind"] == "CSIDriver"),
    )


SEED_ERA = {gpu.sku for gpu in all_skus("azure") if gpu.seed_era}
NO_TEMPLATE = "Failed to evaluate validateConfigMap: ConfigMap '' specified in 'config' not found in namespace"


def normalised(text: str, *, method_known: bool = True) -> str:
    """The text without what deliberately differs (docs/deviations.md): the SKUs, whose order is random in Kaito,
    sorted and without the seed era's, and without the complaint about a template that an unknown method cannot have."""

    def names(found: re.Match[str]) -> str:
        return " ".join(sorted(set(found.group(1).split()) - SEED_ERA))

    text = re.sub(r"Supported SKUs: \[([^\]]*)\]", names, text)
    if method_known:
        return text
    return "\n".join(line for line in text.split("\n") if not line.startswith(NO_TEMPLATE))


def judged(row: dict[str, Any], judge: Callable[[], FieldErrors]) -> str:
    """What is answered to the row: a decoding error comes before every finding."""
    try:
        check_decoding(row["input"]["object"])
    except DecodingError as error:
        return str(error)
    return str(judge())


def expect_same(errors: str, row: dict[str, Any]) -> None:
    """Our answer is the recorded one, or a deviation that is listed."""
    method = (row["input"]["object"].get("tuning") or {}).get("method") or ""
    known = method.lower() in {"lora", "qlora"}
    assert normalised(errors) == normalised(row.get("error_norm", row["error"]), method_known=known)


def _comparable(row: dict[str, Any]) -> bool:
    """Rows that the webhook judged, less the deviations and Kaito's panics (`test_deviations.py` has both by name)."""
    return (
        row["stage"] != "schema"
        and not row["input"]["env"].get("noClient")
        and row["id"] not in DEVIATIONS
        and not row["error"].startswith("PANIC")
    )


def _rows(name: str) -> list[Any]:
    return recording(name, _comparable)


@pytest.mark.parametrize("row", _rows("validate_create"), ids=lambda row: row["id"])
def test_a_new_workspace_is_judged_as_kaito_judges_it(row: dict[str, Any]) -> None:
    new = apply_defaults(row["input"]["object"])
    expect_same(judged(row, lambda: validate_create(new, context_of(row))), row)


@pytest.mark.parametrize("row", _rows("validate_update"), ids=lambda row: row["id"])
def test_a_changed_workspace_is_judged_as_kaito_judges_it(row: dict[str, Any]) -> None:
    old = apply_defaults(row["input"]["old"])
    new = apply_defaults(row["input"]["object"])
    expect_same(judged(row, lambda: validate_update(old, new, context_of(row))), row)
