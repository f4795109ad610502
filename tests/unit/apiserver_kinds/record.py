"""Plays the cases to a real server: record.py SERVER TOKEN. Writes data/real-1.34.json.gz (not a test; run by hand)."""

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

from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.kinds.model import Kind
from tests.unit.apiserver_kinds import cases

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def call(method: str, path: str, body: Any = None, accept: str = "application/json") -> tuple[int, Any]:
    request = urllib.request.Request(
        sys.argv[1] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {sys.argv[2]}", "Content-Type": "application/json", "Accept": accept},
    )
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def collection(kind: Kind) -> str:
    base = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    return f"{base}/{'namespaces/default/' if kind.namespaced else ''}{kind.plural}"


def kind_of(plural: str) -> Kind:
    return next(kind for kind in builtin_kinds() if kind.plural == plural)


def outcome(status: int, body: Any) -> Any:
    if status < 300:
        return {"status": status, "object": body}
    return {"status": status, "message": body["message"], "causes": body.get("details", {}).get("causes", [])}


def main() -> None:
    creates = []
    for plural, body in cases.CREATES:
        kind = kind_of(plural)
        answer = outcome(*call("POST", f"{collection(kind)}?dryRun=All", body))
        if "object" in answer:
            _, table = call("POST", f"{collection(kind)}?dryRun=All", body, TABLE)
            answer["cells"] = table["rows"][0]["cells"]
        creates.append(answer)
    updates = []
    for plural, old, new in cases.UPDATES:
        kind = kind_of(plural)
        path = f"{collection(kind)}/{old['metadata']['name']}"
        status, stored = call("POST", collection(kind), old)
        assert status == 201, (plural, stored)
        kept = {"resourceVersion": stored["metadata"]["resourceVersion"]}
        answer = outcome(*call("PUT", f"{path}?dryRun=All", {**new, "metadata": {**kept, **new["metadata"]}}))
        updates.append({"old": stored, "answer": answer})
        call("DELETE", f"{path}?gracePeriodSeconds=0", {"propagationPolicy": "Background"})
        while (found := call("GET", path))[0] == 200:
            suffix = "/finalize" if plural == "namespaces" else ""
            part = {"spec": {}} if suffix else {}
            call("PUT", path + suffix, {**found[1], **part, "metadata": {**found[1]["metadata"], "finalizers": []}})
            time.sleep(0.05)
    target = Path(__file__).parent / "data" / "real-1.34.json.gz"
    content = json.dumps({"creates": creates, "updates": updates}, separators=(",", ":"))
    target.write_bytes(gzip.compress(content.encode(), mtime=0))


main()
