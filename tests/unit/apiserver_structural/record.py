"""Plays the cases to a real server: record.py SERVER TOKEN. Writes data/real-1.34.json (not a test; run by hand)."""

from __future__ import annotations

import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import cases


def call(method: str, path: str, body: Any = None) -> tuple[int, Any, list[str]]:
    request = urllib.request.Request(
        sys.argv[1] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {sys.argv[2]}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
            return answer.status, json.load(answer), answer.headers.get_all("Warning") or []
    except urllib.error.HTTPError as error:
        text = error.read()
        return (
            error.code,
            json.loads(text) if text.startswith(b"{") else {"message": text.decode()},
            error.headers.get_all("Warning") or [],
        )


def install(plural: str, schema: Any) -> str:
    group = "record.dev"
    kind = plural[:-1].capitalize()
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    call("DELETE", f"{crds}/{plural}.{group}")
    while call("GET", f"{crds}/{plural}.{group}")[0] == 200:
        time.sleep(0.2)
    status, answer, _ = call(
        "POST",
        crds,
        {
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Cluster",
                "names": {"plural": plural, "kind": kind},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        },
    )
    assert status == 201, answer
    path = f"/apis/{group}/v1/{plural}"
    while call("GET", path)[0] != 200:
        time.sleep(0.2)
    return path


def outcome(answer: tuple[int, Any, list[str]]) -> Any:
    status, body, warnings = answer
    if status < 300:
        kept = {key: value for key, value in body.items() if key not in ("apiVersion", "kind", "metadata")}
        return {"stored": kept, "warnings": warnings}
    return {"status": status, "message": body["message"], "causes": body.get("details", {}).get("causes", [])}


def main() -> None:
    path = install("plains", cases.PLAIN)
    plain = []
    for spec in cases.PLAIN_SPECS:
        body = {"apiVersion": "record.dev/v1", "kind": "Plain", "metadata": {"name": "t"}, "spec": spec}
        plain.append({"spec": spec, "answer": outcome(call("POST", f"{path}?dryRun=All", body))})
    path = install("ruleds", cases.RULES)
    ruled = []
    for old, new in cases.RULE_SPECS:
        base = {"apiVersion": "record.dev/v1", "kind": "Ruled", "metadata": {"name": "t"}}
        if old is None:
            answer = call("POST", f"{path}?dryRun=All", {**base, "spec": new})
        else:
            status, stored, _ = call("POST", path, {**base, "spec": old})
            assert status == 201, stored
            answer = call("PUT", f"{path}/t?dryRun=All", {**base, "metadata": stored["metadata"], "spec": new})
            call("DELETE", f"{path}/t")
        ruled.append({"old": old, "new": new, "answer": outcome(answer)})
    target = Path(__file__).parent / "data" / "real-1.34.json"
    target.write_text(json.dumps({"plain": plain, "ruled": ruled}, indent=1) + "\n")


main()
