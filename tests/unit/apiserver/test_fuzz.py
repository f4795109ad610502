"""Requests that make no sense, in great number: never an internal error, never a hang, nothing left behind.

KAITO_FUZZ=10000 makes the long run; the seed is fixed so that what was found stays found.
"""

import asyncio
import contextlib
import os
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.apiserver.conftest import Api

COUNT = int(os.environ.get("KAITO_FUZZ", "600"))
SEED = int(os.environ.get("KAITO_FUZZ_SEED", "20261124"))
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO"]
PARTS = [
    *("api", "apis", "v1", "apps", "batch", "test.dev", "namespaces", "default", "kube-system", "pods", "widgets"),
    *("deployments", "jobs", "services", "nodes", "configmaps", "events", "leases", "customresourcedefinitions"),
    *(
        "status",
        "scale",
        "log",
        "exec",
        "binding",
        "eviction",
        "token",
        "proxy",
        "finalize",
        "watch",
        "x",
        "p",
        "..",
        "%2f",
    ),
    *("apiextensions.k8s.io", "rbac.authorization.k8s.io", "roles", "authorization.k8s.io", "selfsubjectaccessreviews"),
    *("openapi", "v3", "healthz", "version", "metrics", "\u00e9", "a" * 300, "%00", ":80", "serviceaccounts", "%ff"),
]
PATHS = [
    "/api/v1/namespaces/default/{r}",
    "/api/v1/namespaces/default/{r}/p",
    "/api/v1/namespaces/default/{r}/p/{s}",
    "/apis/apps/v1/namespaces/default/{w}",
    "/apis/apps/v1/namespaces/default/{w}/p/{s}",
    "/apis/batch/v1/namespaces/default/{b}/p",
    "/apis/test.dev/v1/namespaces/default/widgets",
    "/apis/test.dev/v1/namespaces/default/widgets/p",
    "/apis/test.dev/v1/namespaces/default/widgets/p/{s}",
    "/api/v1/{c}",
    "/api/v1/{c}/p/{s}",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.test.dev",
    "/apis/authorization.k8s.io/v1/{a}",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets/p",
    "/apis/events.k8s.io/v1/namespaces/default/events",
    "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    "/openapi/v3/{o}",
]
NAMES = {
    "{r}": [
        "pods",
        "services",
        "configmaps",
        "secrets",
        "serviceaccounts",
        "persistentvolumeclaims",
        "events",
        "endpoints",
    ],
    "{s}": ["status", "scale", "log", "exec", "binding", "eviction", "token", "proxy", "portforward", "attach", "nope"],
    "{w}": ["deployments", "statefulsets", "replicasets", "daemonsets", "controllerrevisions"],
    "{b}": ["jobs", "cronjobs"],
    "{c}": ["nodes", "namespaces", "persistentvolumes", "pods"],
    "{a}": ["selfsubjectaccessreviews", "subjectaccessreviews", "selfsubjectrulesreviews"],
    "{o}": ["api/v1", "apis/apps/v1", "apis/test.dev/v1", "nope"],
}
QUERY = {
    "limit": ["0", "1", "-1", "x", "99999999999999999999"],
    "continue": ["", "x", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0", "e30", "W10", "eyJ2IjoxfQ"],
    "resourceVersion": ["", "0", "1", "x", "-5", "99999999999", "9" * 30],
    "resourceVersionMatch": ["Exact", "NotOlderThan", "x"],
    "labelSelector": ["a=b", "a in (b", "!", "a>1", ",", "\u00e9=1", "a notin (x,y),b"],
    "fieldSelector": ["metadata.name=p", "x=y", "=", "metadata.name", "status.phase!=Running", "\\=,"],
    "watch": ["1", "true", "false"],
    "timeoutSeconds": ["1", "x", "-1"],
    "sendInitialEvents": ["true", "false"],
    "dryRun": ["All", "x"],
    "fieldManager": ["m", "\x00", "x" * 200],
    "fieldValidation": ["Strict", "Warn", "Ignore", "x"],
    "force": ["true", "x"],
    "propagationPolicy": ["Foreground", "Orphan", "x"],
    "gracePeriodSeconds": ["0", "-1", "x", "5"],
    "container": ["c", "x"],
    "tailLines": ["1", "-1", "x"],
    "command": ["x"],
    "pretty": ["true"],
    "includeObject": ["Object", "None", "x"],
}
ACCEPTS = [
    "application/json",
    "*/*",
    "application/yaml",
    "application/xml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    ";;;,,,q=x",
    "application/json;q=0.x",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
]
TYPES = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "text/plain",
    "",
]
KEYS = [
    *("metadata", "spec", "status", "name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"),
    *("containers", "image", "template", "selector", "matchLabels", "replicas", "ports", "port", "type", "clusterIP"),
    *("rules", "subjects", "roleRef", "versions", "schema", "openAPIV3Schema", "names", "group", "scope", "data"),
    *("kind", "apiVersion", "resourceVersion", "uid", "generateName", "managedFields", "deletionTimestamp", "items"),
    *("conditions", "tolerations", "volumes", "env", "resources", "limits", "resourceAttributes", "target", "color"),
    *("size", "involvedObject", "nodeName", "x-kubernetes-validations", "properties", "op", "path", "value", "$patch"),
]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 1e300, "", "a", "p", "default", "v1", "Pod", "Widget", "test.dev/v1"),
    *(
        "red",
        "1Gi",
        "100m",
        "2020-01-01T00:00:00Z",
        "\u0000",
        "\u00e9",
        "x" * 300,
        "10.0.0.1",
        "{}",
        "/spec",
        "replace",
    ),
]


def value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.random()
    if depth > 5 or kind < 0.35:
        return rng.choice(SCALARS)
    if kind < 0.55:
        return [value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randint(0, 5))}


def body(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.08:
        return rng.randbytes(rng.randint(0, 60))
    if kind < 0.14:
        return b"k8s\x00" + rng.randbytes(rng.randint(0, 80))
    if kind < 0.2:
        return b"[" * rng.choice([10, 5000]) + b"{a: &x [*x]}"
    document = value(rng)
    if isinstance(document, dict) and rng.random() < 0.8:
        shape: dict[str, Any] = {
            "metadata": {"name": rng.choice(["p", "q", "widgets.test.dev"])},
            "spec": value(rng, 1),
        }
        if rng.random() < 0.4:
            shape |= {"apiVersion": "test.dev/v1", "kind": "Widget"}
        if rng.random() < 0.5:
            shape["spec"] = {
                "containers": [{"name": "c", "image": "i", rng.choice(KEYS): value(rng, 2)}],
                rng.choice(KEYS): value(rng, 2),
            }
        if rng.random() < 0.3:
            shape["metadata"][rng.choice(KEYS)] = value(rng, 2)
        document = {**document, **shape}
    with contextlib.suppress(TypeError):
        raw = orjson.dumps(document)
        return raw[: rng.randint(0, len(raw))] if rng.random() < 0.1 else raw
    return b"{}"


def request(rng: random.Random) -> tuple[str, str, bytes | None, dict[str, str]]:
    if rng.random() < 0.3:
        path = "/" + "/".join(rng.choice(PARTS) for _ in range(rng.randint(0, 8)))
    else:
        path = rng.choice(PATHS)
        for hole, names in NAMES.items():
            path = path.replace(hole, rng.choice(names))
    pairs = [f"{key}={rng.choice(QUERY[key])}" for key in rng.sample(sorted(QUERY), rng.choice([0, 0, 1, 2, 3]))]
    if any(pair.startswith("watch=") for pair in pairs):
        pairs.append("timeoutSeconds=1")
    method = rng.choice(METHODS) if rng.random() < 0.3 else rng.choice(["GET", "POST", "PUT", "PATCH", "DELETE"])
    headers = {"Accept": rng.choice(ACCEPTS)}
    sent = body(rng) if method in ("POST", "PUT", "PATCH", "DELETE") and rng.random() < 0.9 else None
    if sent is not None:
        headers["Content-Type"] = rng.choice(TYPES)
    if rng.random() < 0.05:
        headers[rng.choice(["Impersonate-User", "Impersonate-Group", "Upgrade", "Connection"])] = rng.choice(
            ["x", "Upgrade"]
        )
    return method, path + ("?" + "&".join(pairs) if pairs else ""), sent, headers


def broken(status: int, document: Any) -> bool:
    """Whether an answer is an accident of ours; some 5xx are what the real server says too."""
    if status < 500 or status == 504 or document is None:
        return False
    return not isinstance(document, dict) or "while handling the request" in document.get("message", "")


@pytest.mark.timeout(3600 if COUNT > 2000 else 120)
async def test_no_request_breaks_the_server(api: Api) -> None:
    import aiohttp
    import yarl

    await api.define_widgets()
    rng = random.Random(SEED)
    accidents: list[str] = []
    waiting = asyncio.Semaphore(8)

    async def one(method: str, path: str, sent: bytes | None, headers: dict[str, str]) -> None:
        url = yarl.URL(api.url + path.replace("\x00", "%00").replace(" ", "%20"), encoded=True)
        all_headers = {"Authorization": f"Bearer {api.token}", **headers}
        try:
            async with (
                waiting,
                asyncio.timeout(20),
                api.session.request(method, url, data=sent, headers=all_headers) as answer,
            ):
                raw = await answer.read()
                with contextlib.suppress(orjson.JSONDecodeError):
                    if broken(answer.status, orjson.loads(raw) if raw else None):
                        accidents.append(f"{answer.status} {method} {path} {headers} {sent!r} -> {raw[:300]!r}")
        except (aiohttp.ClientError, ValueError):
            pass  # what aiohttp's client refuses to send or the server to read
        except TimeoutError:
            accidents.append(f"hangs: {method} {path} {headers} {sent!r}")

    for start in range(0, COUNT, 50):
        await asyncio.gather(*(one(*request(rng)) for _ in range(min(50, COUNT - start))))
    assert accidents == []
    assert (await api.get("/readyz")).body == "ok"


async def test_truncated_requests_leave_no_task_and_no_descriptor(api: Api) -> None:
    rng = random.Random(SEED)
    port = int(api.url.rpartition(":")[2])
    await api.get("/readyz")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    tasks = len(asyncio.all_tasks())
    whole = (
        b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
        b'Content-Type: application/json\r\nContent-Length: 30\r\n\r\n{"metadata":{"name":"truncated'
    )
    for _ in range(60):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=api.context)
        piece = whole[: rng.randint(0, len(whole))]
        writer.write(piece if rng.random() < 0.7 else rng.randbytes(50))
        await writer.drain()
        writer.close()
    await asyncio.sleep(0.5)
    assert len(asyncio.all_tasks()) <= tasks
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 2
