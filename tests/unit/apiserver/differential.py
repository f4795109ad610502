"""Random sequences of API calls, and what two servers' answers must be alike in. Deterministic by seed."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

POD: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTOR: dict[str, Any] = {"matchLabels": {"a": "b"}}
CORE, APPS = "/api/v1/namespaces/default/", "/apis/apps/v1/namespaces/default/"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"
WORKLOAD = {"selector": SELECTOR, "template": TEMPLATE}
Kinds = Mapping[str, tuple[str, dict[str, Any]]]
KINDS: Kinds = {
    "ConfigMap": (CORE + "configmaps", {"data": {"k": "v"}}),
    "Secret": (CORE + "secrets", {"stringData": {"k": "v"}}),
    "Pod": (CORE + "pods", {"spec": POD}),
    "Service": (CORE + "services", {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}),
    "ServiceAccount": (CORE + "serviceaccounts", {}),
    "PersistentVolumeClaim": (
        CORE + "persistentvolumeclaims",
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    ),
    "Node": ("/api/v1/nodes", {}),
    "Namespace": ("/api/v1/namespaces", {}),
    "Event": (
        CORE + "events",
        {
            "involvedObject": {"kind": "Pod", "name": "x", "namespace": "default"},
            "reason": "R",
            "message": "M",
            "type": "Normal",
        },
    ),
    "Deployment": (APPS + "deployments", {"spec": WORKLOAD}),
    "ReplicaSet": (APPS + "replicasets", {"spec": WORKLOAD}),
    "StatefulSet": (APPS + "statefulsets", {"spec": {"serviceName": "s", **WORKLOAD}}),
    "Job": (
        "/apis/batch/v1/namespaces/default/jobs",
        {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
    ),
    "Lease": (
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
        {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}},
    ),
    "Role": (RBAC + "roles", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    "StorageClass": ("/apis/storage.k8s.io/v1/storageclasses", {"provisioner": "x"}),
    "Widget": ("/apis/test.dev/v1/namespaces/default/widgets", {"spec": {"color": "red"}}),
}
STATUSES: list[dict[str, Any]] = [
    {"phase": "Running"},
    {"replicas": 2},
    {"conditions": [{"type": "Ready", "status": "True"}]},
]
NO_STATUSES: Mapping[str, list[dict[str, Any]]] = {}
ODD = [None, 0, -1, "", True, [], {}, "x", "Bad_Value", 99999999999, ["a", "a"], {"a": None}, "1Gi", 1.5, "-1"]
EXTRA = [
    *("labels", "annotations", "finalizers", "ownerReferences", "replicas", "type", "clusterIP", "nodeName", "bogus"),
    *("tolerations", "volumes", "restartPolicy", "env", "resources", "ports", "immutable", "template", "command"),
    *("backoffLimit", "data", "size", "color", "generateName", "namespace", "uid", "resourceVersion", "name"),
]
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Step(NamedTuple):
    """One request; `content_type` "" for none."""

    method: str
    path: str
    body: Any = None
    content_type: str = ""
    accept: str = "application/json"


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*at, key))


def mutate(rng: random.Random, obj: dict[str, Any]) -> dict[str, Any]:
    """The object with up to two places removed, replaced by something odd, or added."""
    obj = copy.deepcopy(obj)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        places = [p for p in paths(obj) if p and p[-1] not in ("apiVersion", "kind") and p != ("metadata",)]
        if not places:
            break
        place = rng.choice(places)
        parent: Any = obj
        for key in place[:-1]:
            parent = parent[key]
        what = rng.random()
        if what < 0.3:
            del parent[place[-1]]
        elif what < 0.65:
            parent[place[-1]] = copy.deepcopy(rng.choice(ODD))
        elif isinstance(parent[place[-1]], dict):
            parent[place[-1]][rng.choice(EXTRA)] = copy.deepcopy(rng.choice(ODD))
        elif isinstance(parent, dict):
            parent[rng.choice(EXTRA)] = copy.deepcopy(rng.choice(ODD))
    return obj


def sequence(seed: int, kinds: Kinds = KINDS, statuses: Mapping[str, list[dict[str, Any]]] = NO_STATUSES) -> list[Step]:
    """A create, two to six further requests on the object, and its removal.

    `kinds` has path and object by kind (what follows a slash in a key only tells variants apart); `statuses` what is
    written as the status of kinds for which the common ones would say nothing.
    """
    rng = random.Random(seed)
    kind = rng.choice(sorted(kinds))
    path, base = kinds[kind]
    one, version = f"{path}/d{seed}", path.removeprefix("/apis/").removeprefix("/api/").split("/namespaces/")[0]
    if "/namespaces/" not in path:
        version = version.rpartition("/")[0]
    kind = kind.partition("/")[0]
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": f"d{seed}", "labels": {"l": "x"}}}
    obj |= copy.deepcopy(base)
    steps = [Step("POST", path, mutate(rng, obj) if rng.random() < 0.6 else obj, "application/json")]
    for _ in range(rng.randint(2, 6)):
        steps.append(_step(rng, kind, path, one, obj, statuses.get(kind, STATUSES)))
    steps.append(Step("PATCH", one, {"metadata": {"finalizers": None}}, MERGE))
    steps.append(Step("DELETE", f"{one}?gracePeriodSeconds=0&propagationPolicy=Background"))
    return steps


def _step(
    rng: random.Random, kind: str, path: str, one: str, obj: dict[str, Any], statuses: list[dict[str, Any]]
) -> Step:
    what = rng.random()
    if what < 0.1:
        return Step("GET", one)
    if what < 0.15:
        return Step("GET", one, accept=TABLE)
    if what < 0.3:
        return Step("PUT", one, mutate(rng, obj), "application/json")
    if what < 0.5:
        changed = mutate(rng, obj)
        return Step("PATCH", one, {key: changed[key] for key in rng.sample(sorted(changed), 2)}, MERGE)
    if what < 0.6 and kind != "Widget":
        return Step("PATCH", one, mutate(rng, obj), STRATEGIC)
    if what < 0.7:
        known = ["/".join(("", *map(str, place))) for place in paths(obj) if place]
        operation = {
            "op": rng.choice(["add", "remove", "replace", "test"]),
            "path": rng.choice([*known, "/metadata/labels/q", "/spec/x"]),
            "value": copy.deepcopy(rng.choice(ODD)),
        }
        return Step("PATCH", one, [operation], JSON_PATCH)
    if what < 0.82:
        query = f"?fieldManager=m{rng.randint(1, 2)}{rng.choice(['', '&force=true'])}"
        return Step("PATCH", one + query, mutate(rng, obj), APPLY)
    if what < 0.88:
        return Step("PATCH", f"{one}/status", {"status": copy.deepcopy(rng.choice(statuses))}, MERGE)
    if what < 0.93:
        return Step("GET", f"{path}?labelSelector=l%3Dx&fieldSelector=metadata.name%3D{one.rpartition('/')[2]}")
    options = [
        None,
        {"propagationPolicy": "Foreground"},
        {"propagationPolicy": "Orphan"},
        {"gracePeriodSeconds": 0},
        {"preconditions": {"uid": "x"}},
    ]
    return Step("DELETE", one, rng.choice(options), "application/json")


UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"\b(10|127)\.\d+\.\d+\.\d+\b")
AGE = re.compile(r"^(\d+(s|ms)|<invalid>)$")
SHOWN_OBJECT = re.compile(r""".*patch: Invalid value: ("(?:[^"\\]|\\.)*"): (.*)""", re.DOTALL)
TYPED_PATCH = re.compile(r"failed to create typed patch object \(\S*; \S*, Kind=\w*\): ")
VERSION = re.compile(r'"resourceVersion":"\d+"')
VARYING = frozenset(("resourceVersion", "time", "remainingItemCount", "continue", "nodePort"))


def comparable(status: int, document: Any) -> Any:
    """An answer without what no two servers share; texts that show whole objects in Go's order are cut short."""
    if isinstance(document, dict) and document.get("kind") == "Status":
        message = document.get("message", "")
        if (shown := SHOWN_OBJECT.fullmatch(message)) is not None:
            text = json.loads(shown[1])
            seen = _masked(json.loads(text) if text[:1] == "{" else text)
            return [status, document.get("reason"), seen, _masked(VERSION.sub("VERSION", shown[2]))]
        if (typed := TYPED_PATCH.match(message)) is not None:
            # Go's maps have no order: of undeclared fields and what comes before them it names some.
            lines = ["undeclared"] if "field not declared" in message else sorted(message[typed.end() :].splitlines())
            return [status, typed[0], lines]
        causes = (document.get("details") or {}).get("causes")
        if causes:
            listed = sorted(json.dumps(_masked(cause), sort_keys=True) for cause in causes)
            return [status, document.get("reason"), listed]
    return [status, _masked(document)]


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items() if key not in VARYING}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        text = ADDRESS.sub("IP", UID.sub("UID", TIME.sub("TIME", value)))
        return AGE.sub("AGE", re.sub(r":3\d{4}/TCP", ":PORT/TCP", text))
    return value
