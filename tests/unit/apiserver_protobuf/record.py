"""Stores objects on a real server and reads them as JSON and protobuf: record.py SERVER TOKEN (run by hand)."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from tests.unit.apiserver_kinds import cases
from tests.unit.apiserver_structural.crd_cases import SOUND

PROTOBUF = "application/vnd.kubernetes.protobuf"
OBJECTS: list[tuple[str, Any]] = [
    ("configmaps", cases.CONFIG), ("secrets", cases.SECRET), ("pods", cases.POD), ("services", cases.SERVICE),
    ("deployments", cases.DEPLOYMENT), ("statefulsets", cases.STATEFUL_SET), ("daemonsets", cases.DEPLOYMENT),
    ("jobs", cases.JOB), ("cronjobs", cases.CRON_JOB), ("persistentvolumeclaims", cases.CLAIM),
    ("persistentvolumes", cases.VOLUME), ("leases", cases.LEASE), ("endpointslices", cases.SLICE),
    ("endpoints", cases.ENDPOINTS), ("roles", cases.ROLE), ("rolebindings", cases.BINDING),
    ("storageclasses", cases.CLASS), ("nodes", cases.NODE), ("poddisruptionbudgets", cases.BUDGET),
    ("events", cases.EVENT), ("controllerrevisions", {"metadata": {"name": "t"}, "revision": 1, "data": {"a": 1}}),
    ("customresourcedefinitions", SOUND),
]  # fmt: skip


def call(method: str, path: str, body: Any = None, accept: str = "application/json") -> bytes:
    headers = {"Authorization": f"Bearer {sys.argv[2]}", "Content-Type": "application/json", "Accept": accept}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sys.argv[1] + path, data, headers, method=method)
    with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
        return bytes(answer.read())


def main() -> None:
    found = []
    for plural, body in OBJECTS:
        kind = next(k for k in builtin_kinds() if k.plural == plural)
        base = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        path = f"{base}/{'namespaces/default/' if kind.namespaced else ''}{plural}"
        named = f"{path}/{body['metadata']['name']}"
        call("POST", path, body)
        found.append([json.loads(call("GET", named)), base64.b64encode(call("GET", named, accept=PROTOBUF)).decode()])
        call("DELETE", f"{named}?gracePeriodSeconds=0")
        try:
            left = json.loads(call("GET", named))
            call("PUT", named, {**left, "metadata": {**left["metadata"], "finalizers": []}})
        except urllib.error.HTTPError:
            pass
    (Path(__file__).parent / "data" / "real-1.34.json").write_text(json.dumps(found, indent=1) + "\n")


main()
