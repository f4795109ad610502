"""Random writes: options, names, namespaces, types and versions that fit and that do not."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.places import MERGE, Place, populated, query
from tests.unit.apiserver.sequences.selectors import ACCEPTS

DRY = ["All", "All", "All", "", "all", "Some", "All&dryRun=All", "All&dryRun=x"]


def writes(rng: random.Random, seed: int) -> list[Ask]:
    """Writes with options, names, namespaces, types and versions that fit and that do not."""
    place, asks = populated(rng, seed)
    for _ in range(rng.randint(4, 8)):
        options: dict[str, Any] = {}
        if rng.random() < 0.3:
            options["dryRun"] = rng.choice(DRY)
        if rng.random() < 0.3:
            options["fieldValidation"] = rng.choice(["Ignore", "Warn", "Strict", "Strict", "Warn", "strict", "", "x"])
        if rng.random() < 0.15:
            options["fieldManager"] = rng.choice(["m", "x" * 128, "x" * 129, "a\tb", "é", "", "a b/c"])
        if rng.random() < 0.05:
            options[rng.choice(["force", "pretty", "bogus"])] = rng.choice(["true", "false", "x", ""])
        parameters = query(**options).replace("%26", "&").replace("%3D", "=")
        obj = place.object(rng, rng.randint(1, 8))
        _spoil(rng, obj, place)
        accept = rng.choice(["application/json"] * 8 + ACCEPTS)
        kind = rng.choice(
            ["application/json"] * 14 + ["application/yaml", "text/plain", "", "application/json;charset=utf-8"]
        )
        body: Any = obj
        if rng.random() < 0.06:
            body = rng.choice(
                ["", "{", "[]", "null", '"x"', "1", '{"metadata":[]}', "a: b", "{} {}", '{"kind":1}', "\x00"]
            )
        what = rng.random()
        if what < 0.4:
            namespace = rng.choice([None] * 8 + [place.b, f"s{seed}-none", ""])
            asks.append(Ask("POST", place.collection(namespace) + parameters, body, kind, accept))
        elif what < 0.7:
            if isinstance(body, dict) and rng.random() < 0.5:
                _metadata(body)["resourceVersion"] = rng.choice(
                    [
                        "<2:metadata.resourceVersion>",
                        "<3:metadata.resourceVersion>",
                        "1",
                        "x",
                        "0",
                        "",
                        "-1",
                        "9999999",
                        5,
                    ]
                )
            sub = rng.choice(["", "", "", "/status", "/bogus"])
            asks.append(Ask("PUT", place.one(rng.randint(1, 4)) + sub + parameters, body, kind, accept))
        elif what < 0.9:
            patch: Any = {"metadata": {"labels": {"a": rng.choice(["1", None])}}, **rng.choice([{}, {"bogus": 1}])}
            if rng.random() < 0.2:
                patch["metadata"]["resourceVersion"] = rng.choice(["<2:metadata.resourceVersion>", "1", "x", None])
            kind = rng.choice(
                [MERGE] * 5
                + ["application/json", "", "application/strategic-merge-patch+json", "application/json-patch+json"]
            )
            if rng.random() < 0.1:
                patch = rng.choice(["", "{", "[]", "null", "[1]", '[{"op":"x"}]'])
            sub = rng.choice(["", "", "", "/status", "/scale", "/bogus"])
            asks.append(Ask("PATCH", place.one(rng.randint(1, 4)) + sub + parameters, patch, kind, accept))
        else:
            asks.append(
                Ask(
                    "GET",
                    place.one(rng.randint(1, 8)) + rng.choice(["", "/status", "?pretty=true", "?export=1"]),
                    accept=accept,
                )
            )
    return asks


def _metadata(obj: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(obj.get("metadata"), dict):
        obj["metadata"] = {}
    found: dict[str, Any] = obj["metadata"]
    return found


def _spoil(rng: random.Random, obj: dict[str, Any], place: Place) -> None:
    what = rng.random()
    if what < 0.08:
        obj["apiVersion"] = rng.choice(["", "v2", "apps/v1", "bogus/v1", "a/b/c", None])
    elif what < 0.16:
        obj["kind"] = rng.choice(["", "Pod", "Bogus", "ConfigMapList", "Status", None])
    elif what < 0.24:
        obj["metadata"]["namespace"] = rng.choice([place.a, place.b, "", "Bad_Name"])
    elif what < 0.34:
        obj["metadata"]["generateName"] = rng.choice(["gen-", "Gen_", "", "x" * 70])
        obj["metadata"]["generateName"] = "gen-" if rng.random() < 0.7 else obj["metadata"]["generateName"]
        if rng.random() < 0.8 and obj["metadata"]["generateName"] in ("gen-", ""):
            del obj["metadata"]["name"]
    elif what < 0.4:
        obj["metadata"]["name"] = rng.choice(["", "Bad_Name", "a/b", "x" * 254, ".", "..", "a%b", None])
    elif what < 0.46:
        obj[rng.choice(["bogus", "status", "spec2"])] = {"x": 1}
    elif what < 0.5:
        obj["metadata"]["bogus"] = 1
    elif what < 0.56:
        obj["metadata"]["uid"] = rng.choice(["x", "<2:metadata.uid>", ""])
    elif what < 0.6:
        obj["metadata"] |= {
            "creationTimestamp": "2020-01-01T00:00:00Z",
            "deletionTimestamp": "2020-01-01T00:00:00Z",
            "generation": 7,
        }
    elif what < 0.64:
        obj["status"] = rng.choice([{"phase": "Running"}, {"replicas": 3}, {}, None, 1])
