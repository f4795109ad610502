"""Plays the sequences to a real server: record.py SERVER TOKEN. Writes data/real-1.34.json.gz (not a test; run by
hand)."""

from __future__ import annotations

import gzip
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.unit.apiserver_patching import cases

TYPES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
BASES = {
    "configmaps": "/api/v1/namespaces/default/configmaps",
    "services": "/api/v1/namespaces/default/services",
    "deployments": "/apis/apps/v1/namespaces/default/deployments",
    "trackeds": "/apis/record.dev/v1/trackeds",
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def call(method: str, path: str, body: Any = None, content_type: str = "application/json") -> tuple[int, Any]:
    request = urllib.request.Request(
        sys.argv[1] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {sys.argv[2]}", "Content-Type": content_type},
    )
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text.startswith(b"{") else {"message": text.decode()}


def install() -> None:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": cases.SCHEMA},
        "subresources": {"status": {}},
    }
    names = {"plural": "trackeds", "kind": "Tracked"}
    spec = {"group": "record.dev", "scope": "Cluster", "names": names, "versions": [version]}
    call("DELETE", f"{CRDS}/trackeds.record.dev")
    while call("GET", f"{CRDS}/trackeds.record.dev")[0] == 200:
        time.sleep(0.2)
    status, answer = call("POST", CRDS, {"metadata": {"name": "trackeds.record.dev"}, "spec": spec})
    assert status == 201, answer
    while call("GET", BASES["trackeds"])[0] != 200:
        time.sleep(0.2)


def main() -> None:
    install()
    time.sleep(1)
    sequences = []
    for plural, steps in cases.SEQUENCES:
        base = BASES[plural]
        call("DELETE", f"{base}/s")
        answers = []
        for step in steps:
            query = f"?fieldManager={step['manager']}" + ("&force=true" if step.get("force") else "")
            sub = f"/{step['subresource']}" if step.get("subresource") else ""
            if step["verb"] == "create":
                status, body = call("POST", base + query, step["body"])
            else:
                status, body = call("PATCH", f"{base}/s{sub}{query}", step["body"], TYPES[step["verb"]])
            answers.append({"object": body} if status < 300 else {"status": status, "message": body["message"]})
        call("PATCH", f"{base}/s", {"metadata": {"finalizers": None}}, TYPES["merge"])
        call("DELETE", f"{base}/s")
        sequences.append(answers)
    target = Path(__file__).parent / "data" / "real-1.34.json.gz"
    target.write_bytes(gzip.compress(json.dumps(sequences, separators=(",", ":")).encode(), mtime=0))


main()
