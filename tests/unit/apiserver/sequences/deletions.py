"""Random deletions of one and of many objects, and the life of a namespace."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.places import MERGE, ROOTS, Place, query
from tests.unit.apiserver.sequences.selectors import ACCEPTS, label_selector

DELETE_OPTIONS: list[Any] = [
    *(None, None, {}, {"gracePeriodSeconds": 0}, {"gracePeriodSeconds": 5}, {"gracePeriodSeconds": -1}),
    *({"propagationPolicy": "Foreground"}, {"propagationPolicy": "Orphan"}, {"propagationPolicy": "Background"}),
    *({"propagationPolicy": "Bogus"}, {"orphanDependents": True}, {"orphanDependents": False}, {"dryRun": ["All"]}),
    *({"orphanDependents": True, "propagationPolicy": "Orphan"}, {"dryRun": ["Some"]}, {"dryRun": ["All", "All"]}),
    *({"preconditions": {"uid": "x"}}, {"preconditions": {"resourceVersion": "1"}}, {"preconditions": {}}),
    *(
        {"preconditions": {"uid": "<2:metadata.uid>"}},
        {"preconditions": {"resourceVersion": "<2:metadata.resourceVersion>"}},
    ),
    *({"kind": "DeleteOptions", "apiVersion": "v1"}, {"kind": "Pod", "apiVersion": "v1"}, {"bogus": 1}, [], "x", 1),
    *({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}, {"gracePeriodSeconds": "x"}, {"propagationPolicy": 1}),
    *({"kind": "DeleteOptions", "apiVersion": "apps/v1", "gracePeriodSeconds": 0}, {"orphanDependents": "x"}, "{"),
]
FINALIZERS = [None, None, ["x.io/f"], ["foregroundDeletion"], ["orphan"], ["x.io/f", "orphan"]]


def deletions(rng: random.Random, seed: int) -> list[Ask]:
    """Deletions of one and of many, with every option, before and after the namespace goes."""
    place = Place(seed, rng.choice(sorted({*ROOTS} - {"namespaces"})))
    asks = place.namespaces()
    for number in range(1, rng.randint(3, 6)):
        obj = place.object(rng, number)
        if (finalizers := rng.choice(FINALIZERS)) is not None:
            obj["metadata"]["finalizers"] = finalizers
        if place.plural == "pods":
            obj["spec"] = {**obj["spec"], **rng.choice([{}, {"terminationGracePeriodSeconds": rng.choice([0, 3, 60])}])}
        asks.append(Ask("POST", place.collection(), obj))
    if rng.random() < 0.2:
        asks.append(Ask("DELETE", f"/api/v1/namespaces/{place.a}"))
    for _ in range(rng.randint(3, 7)):
        body = rng.choice(DELETE_OPTIONS)
        kind = rng.choice(["application/json"] * 9 + ["application/yaml", "text/plain", ""])
        options: dict[str, Any] = {}
        if rng.random() < 0.25:
            options[rng.choice(["gracePeriodSeconds", "propagationPolicy", "orphanDependents", "dryRun", "bogus"])] = (
                rng.choice(["0", "1", "-1", "x", "Orphan", "Background", "true", "false", "All", ""])
            )
        what = rng.random()
        if what < 0.5:
            asks.append(Ask("DELETE", place.one(rng.randint(1, 4)) + query(**options), body, kind, rng.choice(ACCEPTS)))
        elif what < 0.75:
            own = place.own if rng.random() < 0.5 or not place.namespaced else None
            if rng.random() < 0.3:
                own = label_selector(rng) + (f",{own}" if own else "")
            if rng.random() < 0.2:
                options["fieldSelector"] = rng.choice([f"metadata.name={place.name(1)}", "bogus=1", "metadata.name!=x"])
            if rng.random() < 0.2:
                options["limit"] = rng.choice(["1", "2", "0", "x"])
            if rng.random() < 0.1:
                options["resourceVersion"] = rng.choice(["", "x", "1.5", "-1"])  # an old one may be served from a cache
            asks.append(
                Ask("DELETE", place.collection() + query(labelSelector=own, **options), body, kind, rng.choice(ACCEPTS))
            )
        elif what < 0.85:
            asks.append(
                Ask("PATCH", place.one(rng.randint(1, 3)), {"metadata": {"finalizers": rng.choice(FINALIZERS)}}, MERGE)
            )
        else:
            asks.append(Ask("GET", place.one(rng.randint(1, 3))))
    asks.append(Ask("GET", place.collection() + query(labelSelector=place.own)))
    return asks


def namespaces(rng: random.Random, seed: int) -> list[Ask]:
    """The life of a namespace: finalizers, terminating, what may still be written in it."""
    place = Place(seed, rng.choice(sorted({*ROOTS} - {"namespaces", "nodes", "storageclasses"})))
    asks = place.namespaces()
    asks.append(Ask("POST", place.collection(), place.object(rng, 1)))
    path = f"/api/v1/namespaces/{place.a}"
    for _ in range(rng.randint(4, 8)):
        what = rng.random()
        if what < 0.25:
            asks.append(Ask("DELETE", path, rng.choice(DELETE_OPTIONS), accept=rng.choice(ACCEPTS)))
        elif what < 0.45:
            finalizers = rng.choice([[], ["kubernetes"], ["x.io/f"], ["bad"], None])
            body = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": place.a},
                "spec": {"finalizers": finalizers},
            }
            asks.append(
                Ask(
                    "PUT",
                    f"{path}/{rng.choice(['finalize', 'finalize', 'status'])}" + rng.choice(["", "?dryRun=All"]),
                    body,
                )
            )
        elif what < 0.6:
            asks.append(Ask("POST", place.collection(), place.object(rng, rng.randint(1, 3))))
        elif what < 0.7:
            asks.append(Ask("PATCH", place.one(1), {"metadata": {"labels": {"z": "1"}}}, MERGE))
        elif what < 0.8:
            asks.append(
                Ask(
                    "PATCH",
                    f"{path}{rng.choice(['', '/status'])}",
                    rng.choice(
                        [
                            {"metadata": {"labels": {"z": "1"}}},
                            {"status": {"phase": "Active"}},
                            {"spec": {"finalizers": ["x.io/g"]}},
                            {"metadata": {"finalizers": ["x.io/m"]}},
                            {"metadata": {"finalizers": None}},
                            {"metadata": {"labels": None}},
                        ]
                    ),
                    MERGE,
                )
            )
        elif what < 0.87:
            asks.append(Ask("POST", "/api/v1/namespaces", {"metadata": {"name": place.a}}))
        else:
            asks.append(Ask("GET", path, accept=rng.choice(ACCEPTS)))
    asks.append(Ask("GET", path))
    return asks
