"""Random requests to subresources: scale, and what pods have."""

from __future__ import annotations

import copy
import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.deletions import DELETE_OPTIONS
from tests.unit.apiserver.sequences.places import MERGE, Place
from tests.unit.apiserver.sequences.selectors import ACCEPTS


def scales(rng: random.Random, seed: int) -> list[Ask]:
    """Scale as a view of several kinds."""
    plural, root, kind = rng.choice(
        [
            ("deployments", "/apis/apps/v1", "Deployment"),
            ("replicasets", "/apis/apps/v1", "ReplicaSet"),
            ("statefulsets", "/apis/apps/v1", "StatefulSet"),
            ("widgets", "/apis/test.dev/v1", "Widget"),
            ("replicationcontrollers", "/api/v1", "ReplicationController"),
        ]
    )
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    selector: Any = {"matchLabels": {"a": "b"}} if plural != "replicationcontrollers" else {"a": "b"}
    if plural not in ("widgets", "replicationcontrollers") and rng.random() < 0.4:
        selector = {
            "matchLabels": {"a": "b"},
            "matchExpressions": [
                rng.choice(
                    [
                        {"key": "z", "operator": "DoesNotExist"},
                        {"key": "a", "operator": "In", "values": ["c", "b"]},
                        {"key": "a", "operator": "Exists"},
                        {"key": "q", "operator": "NotIn", "values": ["d"]},
                    ]
                )
            ],
        }
    spec: dict[str, Any] = {"selector": selector, "template": template}
    if plural == "statefulsets":
        spec["serviceName"] = "s"
    if plural == "widgets":
        spec = {"color": "red", **rng.choice([{}, {"size": 2}])}
    elif rng.random() < 0.5:
        spec["replicas"] = rng.choice([0, 2])
    place = Place(seed, "pods")
    path = f"{root}/namespaces/{place.a}/{plural}"
    asks = place.namespaces()
    asks.append(
        Ask(
            "POST",
            path,
            {
                "apiVersion": root.removeprefix("/apis/").removeprefix("/api/"),
                "kind": kind,
                "metadata": {"name": "o1", "labels": {"l": "1"}},
                "spec": spec,
            },
        )
    )
    for _ in range(rng.randint(4, 7)):
        sub = f"{path}/{rng.choice(['o1'] * 9 + ['none'])}/scale"
        what = rng.random()
        if what < 0.3:
            asks.append(Ask("GET", sub, accept=rng.choice(["application/json"] * 3 + ACCEPTS)))
        elif what < 0.6:
            body: Any = {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": "o1", "namespace": place.a},
                "spec": {"replicas": rng.choice([0, 1, 3, -1, "x", None, 1.5, 3000000000])},
            }
            odd = rng.random()
            if odd < 0.1:
                body["apiVersion"] = rng.choice(["v1", "apps/v1", "extensions/v1beta1", "", "autoscaling/v2"])
            elif odd < 0.2:
                body["kind"] = rng.choice(["", "Deployment", "Scales"])
            elif odd < 0.3:
                body["metadata"] = rng.choice([{}, {"name": "x"}, {"name": "o1", "namespace": "x"}, {"name": "o1"}])
            elif odd < 0.4:
                body["metadata"]["resourceVersion"] = rng.choice(["1", "x", "<2:metadata.resourceVersion>"])
            elif odd < 0.5:
                body["spec"] = rng.choice([{}, None, {"replicas": 2, "bogus": 1}])
            elif odd < 0.55:
                body["metadata"]["uid"] = rng.choice(["x", "<2:metadata.uid>"])
            asks.append(Ask("PUT", sub + rng.choice(["", "", "", "?dryRun=All", "?fieldValidation=Strict"]), body))
        elif what < 0.85:
            change = rng.choice(
                [
                    {"spec": {"replicas": rng.choice([0, 1, 4, -2, "x", None])}},
                    {"metadata": {"labels": {"x": "y"}}},
                    {"spec": None},
                    {"status": {"replicas": 9}},
                    {"metadata": {"resourceVersion": "1"}},
                ]
            )
            asks.append(
                Ask(
                    "PATCH",
                    sub + rng.choice(["", "", "?dryRun=All"]),
                    change,
                    rng.choice([MERGE, MERGE, "application/strategic-merge-patch+json", "application/json"]),
                )
            )
        elif what < 0.9:
            asks.append(
                Ask(
                    "PATCH",
                    sub,
                    [{"op": "replace", "path": "/spec/replicas", "value": rng.choice([1, 5, -1])}],
                    "application/json-patch+json",
                )
            )
        elif what < 0.95:
            asks.append(Ask(rng.choice(["POST", "DELETE"]), sub, {}))
        else:
            asks.append(Ask("PATCH", f"{path}/o1/status", {"status": {"replicas": 2}}, MERGE))
    asks.append(Ask("GET", f"{path}/o1"))
    return [ask._replace(unowned=True) for ask in asks]


def of_pods(rng: random.Random, seed: int) -> list[Ask]:
    """Binding, eviction, ephemeral containers, resize and status of pods, and graceful deletion."""
    place = Place(seed, "pods")
    asks = place.namespaces()
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}
    if rng.random() < 0.3:
        spec["nodeName"] = "n1"
    if rng.random() < 0.1:
        spec["schedulingGates"] = [{"name": "x.io/g"}]
    asks.append(Ask("POST", place.collection(), {"metadata": {"name": "o1", "labels": {"a": "b"}}, "spec": spec}))
    one = place.one(1)
    if rng.random() < 0.4:
        budget = {"metadata": {"name": "pdb"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
        budgets = f"/apis/policy/v1/namespaces/{place.a}/poddisruptionbudgets"
        asks.append(Ask("POST", budgets, budget))
        if rng.random() < 0.6:
            status = {
                "status": {
                    "disruptionsAllowed": rng.choice([0, 1]),
                    "observedGeneration": rng.choice([0, 1]),
                    "currentHealthy": 1,
                    "desiredHealthy": 1,
                    "expectedPods": 1,
                }
            }
            asks.append(Ask("PATCH", f"{budgets}/pdb/status", status, MERGE))
        if rng.random() < 0.2:
            asks.append(Ask("POST", budgets, {**copy.deepcopy(budget), "metadata": {"name": "pdb2"}}))
    for _ in range(rng.randint(3, 6)):
        what = rng.random()
        dry = rng.choice(["", "", "", "?dryRun=All"])
        if what < 0.25:
            body: Any = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": "o1"},
                "target": {"kind": "Node", "name": "n1"},
            }
            body |= rng.choice(
                [
                    {},
                    {},
                    {},
                    {"target": {"name": ""}},
                    {"target": {"kind": "Pod", "name": "n"}},
                    {"metadata": {"name": "x"}},
                    {"target": {"name": "n2"}},
                    {"metadata": {}},
                    {"metadata": {"name": "o1", "annotations": {"k": "v"}, "labels": {"m": "n"}}},
                    {"metadata": {"name": "o1", "uid": "x"}},
                    {"kind": "Pod"},
                    {"metadata": {"name": "o1", "namespace": "x"}},
                ]
            )
            asks.append(
                Ask(
                    "POST",
                    rng.choice([f"{one}/binding", f"{one}/binding", f"/api/v1/namespaces/{place.a}/bindings"]) + dry,
                    body,
                )
            )
        elif what < 0.5:
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "o1", "namespace": place.a}}
            body |= rng.choice(
                [
                    {},
                    {},
                    {},
                    {"metadata": {"name": "x"}},
                    {"metadata": {}},
                    {"apiVersion": "policy/v1beta1"},
                    {"kind": "Pod"},
                    {"deleteOptions": {"dryRun": ["All"]}},
                    {"deleteOptions": {"gracePeriodSeconds": 3}},
                    {"deleteOptions": {"preconditions": {"uid": "x"}}},
                    {"deleteOptions": {"preconditions": {"resourceVersion": "1"}}},
                    {"deleteOptions": {"propagationPolicy": "Bogus"}},
                ]
            )
            asks.append(Ask("POST", f"{place.one(rng.choice([1, 1, 1, 1, 2]))}/eviction" + dry, body))
        elif what < 0.6:
            asks.append(
                Ask(
                    "PATCH",
                    f"{one}/status",
                    {
                        "status": {
                            "phase": rng.choice(["Running", "Succeeded", "Failed", "Pending"]),
                            "conditions": [{"type": "Ready", "status": rng.choice(["True", "False"])}],
                        }
                    },
                    MERGE,
                )
            )
        elif what < 0.7:
            more = {
                "spec": {
                    "ephemeralContainers": [
                        {
                            "name": rng.choice(["e", "f", "c", "Bad_"]),
                            "image": "i",
                            **rng.choice(
                                [
                                    {},
                                    {"targetContainerName": "c"},
                                    {"ports": [{"containerPort": 1}]},
                                    {"resources": {"limits": {"cpu": "1"}}},
                                ]
                            ),
                        }
                    ]
                }
            }
            asks.append(
                Ask(
                    rng.choice(["PATCH", "PATCH", "PATCH", "GET"]),
                    f"{one}/ephemeralcontainers" + dry,
                    more,
                    rng.choice([MERGE, "application/strategic-merge-patch+json"]),
                )
            )
        elif what < 0.8:
            size = {
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "resources": {
                                "requests": rng.choice(
                                    [{"cpu": "2"}, {"cpu": "500m", "memory": "1Gi"}, {"x.io/y": 1}, {"cpu": "x"}, {}]
                                )
                            },
                        }
                    ]
                }
            }
            asks.append(Ask("PATCH", f"{one}/resize" + dry, size, "application/strategic-merge-patch+json"))
        elif what < 0.9:
            asks.append(
                Ask(
                    "DELETE",
                    one
                    + rng.choice(
                        [
                            "",
                            "",
                            "?gracePeriodSeconds=0",
                            "?gracePeriodSeconds=7",
                            "?gracePeriodSeconds=-3",
                            "?dryRun=All",
                        ]
                    ),
                    rng.choice(DELETE_OPTIONS),
                )
            )
        else:
            asks.append(Ask("GET", one))
    asks.append(Ask("GET", place.collection()))
    return asks
