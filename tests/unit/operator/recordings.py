"""Runs of Kaito's real controller, where this machine has them."""

from __future__ import annotations

import copy
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("KAITO_CONFORMANCE") or Path(__file__).resolve().parents[4] / "shared" / "conformance")
FOLDER = SHARED / "kaito-live"
_REASON = "no recorded runs: neither $KAITO_CONFORMANCE nor ../shared/conformance has kaito-live"


def case_names(*, with_kind: str = "") -> list[Any]:
    """The names of all recorded cases in which an object of `with_kind` was made, or one that skips."""
    names = [path.name.removesuffix(".json.gz") for path in sorted(FOLDER.glob("*.json.gz"))]
    names = [name for name in names if not name.startswith("admission")]
    if not names:
        return [pytest.param("absent", marks=pytest.mark.skip(reason=_REASON))]
    return [name for name in names if not with_kind or recorded(name, with_kind)]


def case(name: str) -> dict[str, Any]:
    """One case as it was recorded."""
    with gzip.open(FOLDER / f"{name}.json.gz", "rt", encoding="utf-8") as text:
        return dict(json.load(text))


def recorded(name: str, kind: str) -> list[dict[str, Any]]:
    """The objects of a kind that Kaito's controller made in a case, as first seen."""
    found = case(name)["objects_as_first_seen"].get(kind) or ()
    objects = [
        entry["object"] for entry in found if kind == "Workspace" or entry["managers"][0][0] == "kaito-workspace"
    ]
    return [obj for obj in objects if kind == "Workspace" or not _is_of_a_set(obj)]


def _is_of_a_set(obj: dict[str, Any]) -> bool:
    return any(owner["kind"] == "InferenceSet" for owner in obj["metadata"].get("ownerReferences") or ())


def workspace_of(name: str) -> dict[str, Any]:
    """The first workspace of a case, as the server stored it."""
    return copy.deepcopy(recorded(name, "Workspace")[0])


_SERVER_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_DEFAULTS: dict[str, Any] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
    "successThreshold": 1,
    "timeoutSeconds": 1,
    "scheme": "HTTP",
    "resources": {},
    "defaultMode": 420,
    "revisionHistoryLimit": 10,
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
    "ipFamilyPolicy": "SingleStack",
    "volumeMode": "Filesystem",
    "completionMode": "NonIndexed",
    "completions": 1,
    "parallelism": 1,
    "backoffLimit": 6,
    "manualSelector": False,
    "suspend": False,
    "podReplacementPolicy": "TerminatingOrFailed",
    "allocateLoadBalancerNodePorts": True,
    "externalTrafficPolicy": "Cluster",
    "updateStrategy": {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"},
}
_ALLOCATED = ("ipFamilies", "clusterIPs", "nodePort")
_OURS = ("image", "imagePullPolicy", "command", "args", "env", "terminationMessagePolicy", "podFailurePolicy")
"""The named deviation: one image, `kaito-runtime` commands, their variables, how their last words are kept."""


def without_defaults(obj: Any) -> Any:
    """An object without what the API server fills in."""
    if isinstance(obj, list):
        return [without_defaults(item) for item in obj]
    if not isinstance(obj, dict):
        return obj
    kept = {}
    for key, value in obj.items():
        if key in ("status", *_SERVER_FIELDS, *_ALLOCATED) or (key in _DEFAULTS and _DEFAULTS[key] == value):
            continue
        if key == "clusterIP" and value != "None":
            continue
        kept[key] = without_defaults(value)
    return kept


def shape(obj: Any) -> Any:
    """An object without defaults and without what the deviation of the one image changes."""
    plain = without_defaults(obj)

    def strip(value: Any) -> Any:
        if isinstance(value, list):
            return [strip(item) for item in value]
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in _OURS}
        return value

    return strip(plain)
