"""Sequences over the objects that this project's users write: Workspaces, InferenceSets, NodeClaims."""

from __future__ import annotations

import copy
import random
from typing import Any

from kaito.api.crds import crd_manifests
from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences import schemas
from tests.unit.apiserver.sequences.definitions import APPLY, JSON_PATCH, MERGE, TABLE, broken, places

Json = dict[str, Any]
POD: Json = {"spec": {"containers": [{"name": "c", "image": "i"}]}}
INFERENCE: Json = {"preset": {"name": "phi-3-mini-4k-instruct", "presetOptions": {"image": "i"}}}
INSTANCES: Json = {"instanceType": "Standard_NC6s_v3", "labelSelector": {"matchLabels": {"apps": "phi-3"}}, "count": 1}
TUNING: Json = {
    "preset": {"name": "phi-3-mini-4k-instruct"},
    "method": "qlora",
    "input": {"urls": ["https://huggingface.co/a/b"]},
    "output": {"image": "demo.azurecr.io/a:v1", "imagePushSecret": "s"},
}
ADAPTERS: list[Json] = [{"source": {"name": "a", "image": "demo.azurecr.io/a:v1"}, "strength": "1.0"}]
SOUND: dict[str, list[Json]] = {
    "Workspace": [
        {"resource": INSTANCES, "inference": {**INFERENCE, "adapters": ADAPTERS}},
        {"resource": INSTANCES, "inference": {"template": POD}},
        {"resource": {**INSTANCES, "preferredNodes": ["n"]}, "tuning": TUNING},
    ],
    "InferenceSet": [
        {
            "spec": {
                "replicas": 2,
                "labelSelector": {"matchLabels": {"a": "b"}},
                "template": {"resource": {"instanceType": "Standard_NC6s_v3"}, "inference": INFERENCE},
            }
        }
    ],
    "NodeClaim": [
        {
            "spec": {
                "nodeClassRef": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"},
                "requirements": [
                    {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["Standard_NC6s_v3"]},
                    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"], "minValues": 1},
                ],
                "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
                "resources": {"requests": {"storage": "512Gi"}},
                "expireAfter": "720h",
                "terminationGracePeriod": "1h",
            }
        }
    ],
}
READY: Json = {"type": "Ready", "status": "True", "reason": "R", "message": ""}
STATUS: list[Any] = [
    {"conditions": [{**READY, "lastTransitionTime": "2024-01-01T00:00:00Z"}]},
    {"conditions": [{"type": "Ready", "status": "Maybe"}]},
    {"workerNodes": ["a", "b"]},
    {"nodeName": "n", "providerID": "p", "capacity": {"cpu": "1", "nvidia.com/gpu": 1}},
    {"bogus": 1},
    None,
]  # fmt: skip
WORDS = ("labels", "count", "name", "values", "operator", "bogus", "template", "replicas", "image", "key", "method")
ODD_KEYS = (
    "karpenter.sh/x",
    "kubernetes.io/hostname",
    "foo.k8s.io/a",
    "a b",
    "",
    "kops.k8s.io/x",
    "node.kubernetes.io/x",
)


def sequence(rng: random.Random, seed: int) -> list[Ask]:
    """One object, written in several ways."""
    crd = rng.choice(crd_manifests())
    kind, names = crd["spec"]["names"]["kind"], crd["spec"]["names"]
    version = rng.choice([version for version in crd["spec"]["versions"] if version["served"]])
    base = f"/apis/{crd['spec']['group']}/{version['name']}"
    scope = "/namespaces/default" if crd["spec"]["scope"] == "Namespaced" else ""
    path = f"{base}{scope}/{names['plural']}"
    name = f"d{seed}"
    schema = version["schema"]["openAPIV3Schema"]
    head = {"apiVersion": base.removeprefix("/apis/"), "kind": kind, "metadata": {"name": name}}

    def some() -> Json:
        what = rng.random()
        if what < 0.25:
            made = schemas.value(
                rng, {**schema, "properties": {k: v for k, v in schema["properties"].items() if k not in head}}, 0.02
            )
            return {**(made if isinstance(made, dict) else {}), **copy.deepcopy(head)}
        made = {**copy.deepcopy(head), **copy.deepcopy(rng.choice(SOUND[kind]))}
        return made if what < 0.35 else _changed(rng, made)

    query = rng.choice(["", "?fieldValidation=Strict", "?fieldValidation=Warn", "?fieldValidation=Ignore"])
    asks = [Ask("POST", path + query, some()) for _ in range(3)]
    asks.append(Ask("POST", path, {**copy.deepcopy(head), **copy.deepcopy(SOUND[kind][0])}))
    asks += [_ask(rng, path, name, some) for _ in range(rng.randint(4, 9))]
    return [
        *asks,
        Ask("PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}}, MERGE),
        Ask("DELETE", f"{path}/{name}"),
    ]


def _changed(rng: random.Random, obj: Json) -> Json:
    """With a few parts broken, or a text replaced by another that may or may not be allowed."""
    obj = broken(rng, obj, WORDS, rng.choice([0, 1, 1, 2]))
    texts = [place for place in places(obj) if place and place[0] not in ("apiVersion", "kind", "metadata")]
    if texts and rng.random() < 0.5:
        place = rng.choice(texts)
        parent: Any = obj
        for key in place[:-1]:
            parent = parent[key]
        if isinstance(parent[place[-1]], str):
            parent[place[-1]] = rng.choice(
                [*ODD_KEYS, "In", "Gt", "Exists", "Never", "1h30m", "10Gi", "-1", "lora", "x" * 300]
            )
    return obj


def _ask(rng: random.Random, path: str, name: str, some: Any) -> Ask:
    one = f"{path}/{name}"
    what = rng.random()
    if what < 0.12:
        return Ask("GET", one)
    if what < 0.2:
        return Ask("GET", rng.choice([one, f"{path}?fieldSelector=metadata.name%3D{name}"]), accept=TABLE)
    if what < 0.42:
        changed = {key: item for key, item in some().items() if key not in ("apiVersion", "kind", "metadata")}
        return Ask("PATCH", f"{one}{rng.choice(['', '?fieldValidation=Strict'])}", changed, MERGE)
    if what < 0.6:
        return Ask("PATCH", f"{one}?fieldManager=m{rng.randint(1, 2)}{rng.choice(['', '&force=true'])}", some(), APPLY)
    if what < 0.68:
        return Ask("PUT", one, {**some(), "metadata": {"name": name, "resourceVersion": "1"}})
    if what < 0.86:
        return Ask("PATCH", f"{one}/status", {"status": rng.choice(STATUS)}, MERGE)
    if what < 0.92:
        return Ask("PATCH", f"{one}/scale", {"spec": {"replicas": rng.choice([1, 3, -1, "x"])}}, MERGE)
    operation = {
        "op": rng.choice(["add", "replace", "remove", "test"]),
        "path": rng.choice(["/spec", "/resource/count", "/inference", "/spec/replicas"]),
    }
    return Ask("PATCH", one, [{**operation, "value": rng.choice([None, 1, {}, "x", []])}], JSON_PATCH)
