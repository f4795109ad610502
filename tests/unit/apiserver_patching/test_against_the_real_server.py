"""Sequences of patches: objects, owners and refusals are those that a real kube-apiserver 1.34.4 answered."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.apiserver_patching import cases
from tests.unit.apiserver_patching.replaying import Replay, owners

Json = dict[str, Any]
REAL = json.loads(gzip.decompress((Path(__file__).parent / "data" / "real-1.34.json.gz").read_bytes()))
KINDS = {
    "configmaps": ("v1", "ConfigMap", False),
    "services": ("v1", "Service", True),
    "deployments": ("apps/v1", "Deployment", True),
    "trackeds": ("record.dev/v1", "Tracked", True),
}
SERVICE_ADDRESSES = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}


def content(obj: Json, plural: str) -> Json:
    """An object without what only the server around it can know."""
    kept = {key: value for key, value in obj.items() if key not in ("metadata", "spec")}
    for name in ("labels", "annotations", "finalizers", "generation"):
        if plural != "trackeds" or name != "generation":
            kept[name] = obj["metadata"].get(name)
    skipped = SERVICE_ADDRESSES if plural == "services" else set()
    kept["spec"] = {key: value for key, value in obj.get("spec", {}).items() if key not in skipped}
    return kept


@pytest.mark.parametrize("index", range(len(cases.SEQUENCES)))
def test_a_sequence_of_writes_ends_as_on_the_real_server(index: int) -> None:
    plural, steps = cases.SEQUENCES[index]
    api_version, kind, has_status = KINDS[plural]
    replay = Replay(plural, cases.SCHEMA if plural == "trackeds" else None)
    for number, (step, real) in enumerate(zip(steps, REAL[index], strict=True)):
        ours = replay.play({**step, "apiVersion": api_version, "kind": kind, "has_status": has_status})
        where = f"step {number}: {step['verb']} by {step['manager']}"
        if "object" not in real:
            assert ours == real, where
            continue
        assert "object" in ours, (where, ours)
        assert content(ours["object"], plural) == content(real["object"], plural), where
        assert owners(ours["object"]) == owners(real["object"]), where
