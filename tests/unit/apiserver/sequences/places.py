"""The resource that a sequence plays with: its paths, its objects, its namespaces. Deterministic by the generator."""

from __future__ import annotations

import copy
import random
from typing import Any
from urllib.parse import quote

from tests.unit.apiserver.differential import POD
from tests.unit.apiserver.playing import Ask

MERGE = "application/merge-patch+json"
ROOTS = {
    "pods": ("/api/v1", "Pod"),
    "events": ("/api/v1", "Event"),
    "secrets": ("/api/v1", "Secret"),
    "configmaps": ("/api/v1", "ConfigMap"),
    "services": ("/api/v1", "Service"),
    "nodes": ("/api/v1", "Node"),
    "namespaces": ("/api/v1", "Namespace"),
    "serviceaccounts": ("/api/v1", "ServiceAccount"),
    "jobs": ("/apis/batch/v1", "Job"),
    "replicasets": ("/apis/apps/v1", "ReplicaSet"),
    "leases": ("/apis/coordination.k8s.io/v1", "Lease"),
    "roles": ("/apis/rbac.authorization.k8s.io/v1", "Role"),
    "widgets": ("/apis/test.dev/v1", "Widget"),
    "storageclasses": ("/apis/storage.k8s.io/v1", "StorageClass"),
}
CLUSTER_SCOPED = frozenset(("nodes", "namespaces", "storageclasses"))


class Place:
    """One resource as a sequence uses it: its own namespaces, its own label on everything."""

    def __init__(self, seed: int, plural: str) -> None:
        self.seed = seed
        self.plural = plural
        self.root, self.kind = ROOTS[plural]
        self.namespaced = plural not in CLUSTER_SCOPED
        self.a, self.b = f"s{seed}-a", f"s{seed}-b"
        self.own = f"s={seed}"

    def collection(self, namespace: str | None = None) -> str:
        """The path of all objects in a namespace (None: the first one, "": all)."""
        namespace = self.a if namespace is None else namespace
        return f"{self.root}/namespaces/{namespace}/{self.plural}" if self.namespaced and namespace else self.everywhere

    @property
    def everywhere(self) -> str:
        return f"{self.root}/{self.plural}"

    def name(self, number: int) -> str:
        return f"o{number}" if self.namespaced else f"o{number}-{self.seed}"

    def one(self, number: int, namespace: str | None = None) -> str:
        return f"{self.collection(namespace)}/{self.name(number)}"

    def object(self, rng: random.Random, number: int) -> dict[str, Any]:
        labels = {"s": str(self.seed)}
        for key, values in (("a", ["1", "2", "10", "x", ""]), ("b", ["2", "3"]), ("in", ["in"])):
            if rng.random() < 0.6:
                labels[key] = rng.choice(values)
        version = self.root.removeprefix("/apis/").removeprefix("/api/")
        metadata = {"name": self.name(number), "labels": labels}
        return {"apiVersion": version, "kind": self.kind, "metadata": metadata, **_content(rng, self.plural, number)}

    def namespaces(self) -> list[Ask]:
        return [
            Ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": {"q": str(self.seed)}}})
            for name in (self.a, self.b)
        ]


def _content(rng: random.Random, plural: str, number: int) -> dict[str, Any]:
    job = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
    made: dict[str, Any] = {
        "pods": {"spec": {**POD, **rng.choice([{}, {"nodeName": "n1"}, {"restartPolicy": "Never"}])}},
        "events": {
            "involvedObject": {"kind": "Pod", "name": rng.choice("xy"), "namespace": None},
            "reason": rng.choice(["R", "S"]),
            "message": "M",
            "type": rng.choice(["Normal", "Warning"]),
            **rng.choice(
                [{"source": {"component": "kubelet"}}, {"reportingComponent": "me", "reportingInstance": "i"}]
            ),
        },
        "secrets": {"type": rng.choice(["Opaque", "a/b"]), "stringData": {"k": "v"}},
        "configmaps": {"data": {"k": str(number)}},
        "services": {"spec": {"ports": [{"port": 80}], **rng.choice([{}, {"clusterIP": "None"}])}},
        "nodes": {"spec": rng.choice([{}, {"unschedulable": True}])},
        "jobs": {"spec": job},
        "replicasets": {
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD},
            }
        },
        "leases": {"spec": {"holderIdentity": "me"}},
        "roles": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
        "widgets": {"spec": rng.choice([{"color": "red"}, {"color": "blue"}, {"size": 7}])},
        "storageclasses": {"provisioner": "x"},
    }.get(plural, {})
    made = copy.deepcopy(made)
    if plural == "events":
        made["involvedObject"].pop("namespace")
    return made


def query(**parameters: Any) -> str:
    """Query parameters, references in them left readable."""
    parts = [f"{name}={quote(str(value), safe='<>:.')}" for name, value in parameters.items() if value is not None]
    return "?" + "&".join(parts) if parts else ""


def populated(rng: random.Random, seed: int) -> tuple[Place, list[Ask]]:
    """Two namespaces and a few objects in them, and a list that waits until caches know them."""
    place = Place(seed, rng.choice(sorted(ROOTS)))
    asks = place.namespaces()
    for number in range(1, rng.randint(3, 6)):
        asks.append(Ask("POST", place.collection(), place.object(rng, number)))
    if place.namespaced:
        for number in range(1, rng.randint(2, 4)):
            asks.append(Ask("POST", place.collection(place.b), place.object(rng, number)))
    asks.append(
        Ask("GET", place.collection() if place.namespaced else place.everywhere + query(labelSelector=place.own))
    )
    return place, asks


def change(rng: random.Random, place: Place) -> Ask:
    number = rng.randint(1, 4)
    what = rng.random()
    if what < 0.3:
        return Ask("DELETE", place.one(number) + "?gracePeriodSeconds=0&propagationPolicy=Background")
    if what < 0.5:
        return Ask("POST", place.collection(), place.object(rng, rng.randint(3, 8)))
    labels = {"a": rng.choice([None, "1", "2", "x"]), "b": rng.choice([None, "2", "9"])}
    changes: list[dict[str, Any]] = [{"metadata": {"labels": labels}}]
    if place.plural == "widgets":
        changes.append({"spec": {"color": rng.choice(["red", "blue", None])}})
    if place.plural == "nodes":
        changes.append({"spec": {"unschedulable": rng.choice([True, False])}})
    return Ask("PATCH", place.one(number), rng.choice(changes), MERGE)
