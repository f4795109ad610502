"""Built-in objects through decode, defaults, admission, preparation and validation, held to a real kube-apiserver
1.34.4."""

from __future__ import annotations

import copy
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kaito.embedded.apiserver.kinds import admitting, defaults, strategy, tables, validation
from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.kinds.model import Cause, Kind
from kaito.embedded.apiserver.schemas.decoding import decode
from tests.unit.apiserver_kinds import cases

Json = dict[str, Any]
REAL = json.loads(gzip.decompress((Path(__file__).parent / "data" / "real-1.34.json.gz").read_bytes()))
KINDS = {kind.plural: kind for kind in reversed(builtin_kinds())}
# What only a server with other objects at hand can know or write.
ALLOCATED = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}
LOOKED_UP = ("no PriorityClass", "RuntimeClass", "Overhead", "PreemptionPolicy", "healthCheckNodePort")


def prepared(kind: Kind, body: Json, *, uid: str, created: str) -> Json:
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(body)}
    if kind.namespaced:
        obj["metadata"] = {**obj.get("metadata", {}), "namespace": "default"}
    obj = defaults.apply(kind, decode(obj, kind.api_version, kind.kind, sent=True, forget=False).object)
    obj["metadata"].update(uid=uid, creationTimestamp=created)
    admitting.admit_create(kind, obj)
    strategy.prepare_create(kind, obj)
    return decode(obj, kind.api_version, kind.kind, forget=False).object


def tally(causes: list[Any]) -> Counter[tuple[str, str, str]]:
    return Counter(
        (c.field, c.message, c.reason) if isinstance(c, Cause) else (c["field"], c["message"], c["reason"])
        for c in causes
    )


def comparable(obj: Json, kind: Kind) -> Json:
    obj = copy.deepcopy(obj)
    for field in ("managedFields", "uid", "resourceVersion", "creationTimestamp", "selfLink", "name"):
        obj["metadata"].pop(field, None)
    if kind.kind == "Service":
        obj["spec"] = {key: value for key, value in obj["spec"].items() if key not in ALLOCATED}
    if kind.kind == "PersistentVolume":
        obj["status"].pop("lastPhaseTransitionTime", None)
    return obj


@pytest.mark.parametrize(
    "index",
    range(len(cases.CREATES)),
    ids=lambda i: f"{i}-{cases.CREATES[i][0]}-{json.dumps(cases.CREATES[i][1])[-40:]}",
)
def test_creating_is_answered_as_by_the_real_server(index: int) -> None:
    plural, body = cases.CREATES[index]
    kind, real = KINDS[plural], REAL["creates"][index]
    stored = real.get("object", {"metadata": {"uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}})
    if "generateName" in body["metadata"] or any(word in real.get("message", "") for word in LOOKED_UP):
        return
    uid = stored["metadata"]["uid"]
    for cause in real.get("causes", []):
        if '"batch.kubernetes.io/controller-uid":"' in cause["message"]:
            uid = cause["message"].split('controller-uid":"')[1].split('"')[0]
    obj = prepared(kind, body, uid=uid, created=stored["metadata"]["creationTimestamp"])
    causes = validation.validate_create(kind, obj)
    assert tally(causes) == tally(real.get("causes", []))
    if "object" in real:
        defaults.apply(kind, obj)
        assert comparable(obj, kind) == comparable(real["object"], kind)
        now = datetime.now(UTC)
        ours, theirs = tables.row(kind, real["object"], now), real["cells"]
        assert len(ours) == len(kind.columns)
        ages = {i for i, c in enumerate(kind.columns) if c.name in ("Age", "Created At", "Last Seen", "First Seen")}
        skipped = ages | {
            i for i, cell in enumerate(ours) if "controller-uid" in str(cell) or str(cell).startswith("127.96")
        }
        assert [c for i, c in enumerate(ours) if i not in skipped] == [
            c for i, c in enumerate(theirs) if i not in skipped
        ]


@pytest.mark.parametrize(
    "index",
    range(len(cases.UPDATES)),
    ids=lambda i: f"{i}-{cases.UPDATES[i][0]}-{json.dumps(cases.UPDATES[i][2])[-40:]}",
)
def test_updating_is_answered_as_by_the_real_server(index: int) -> None:
    plural, _, body = cases.UPDATES[index]
    kind, record = KINDS[plural], REAL["updates"][index]
    old, real = record["old"], record["answer"]
    if real.get("status") == 409:
        return
    new = {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(body)}
    new["metadata"] = {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}
    if kind.namespaced:
        new["metadata"]["namespace"] = "default"
    new = defaults.apply(kind, decode(new, kind.api_version, kind.kind).object)
    admitting.admit_update(kind, new, old)
    strategy.prepare_update(kind, new, old)
    new = decode(new, kind.api_version, kind.kind).object
    assert tally(validation.validate_update(kind, new, old)) == tally(real.get("causes", []))
    if "object" in real:
        assert comparable(new, kind) == comparable(real["object"], kind)
