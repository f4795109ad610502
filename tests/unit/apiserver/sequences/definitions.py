"""Sequences over CustomResourceDefinitions: right and wrong ones, their changes, and their objects."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences import expressions, schemas

Json = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
SETTLED = "SETTLED"
"""A method of ours: waits until the definition at `path` has been accepted or refused."""
ODD = (None, 0, -1, "", True, [], {}, "x", "Bad_Value", ["a", "a"], {"a": None}, 1.5, "array", "map", ".spec.a")
KEYWORDS = (
    *("type", "default", "enum", "pattern", "format", "nullable", "required", "items", "properties", "maxLength"),
    *("additionalProperties", "uniqueItems", "oneOf", "not", "allOf", "x-kubernetes-list-type", "$ref", "definitions"),
    *("x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-int-or-string", "description", "title"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-validations", "bogus"),
    *("served", "storage", "deprecated", "deprecationWarning", "shortNames", "categories", "singular", "conversion"),
    *(
        "minimum",
        "maximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "minProperties",
        "patternProperties",
        "id",
        "example",
    ),
)


def definition(rng: random.Random, group: str, spec: Json) -> Json:
    """A definition of Things whose objects have the spec."""
    versions = [_version(rng, "v1", spec, storage=True)]
    if rng.random() < 0.35:
        other = copy.deepcopy(spec)
        if rng.random() < 0.5:
            other.setdefault("properties", {})["more"] = schemas.schema(rng, 1)
        versions.append(_version(rng, rng.choice(["v1beta1", "v2", "v1alpha1"]), other, storage=False))
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    if rng.random() < 0.2:
        names = {"plural": "things", "kind": "Thing"}
    if rng.random() < 0.2:
        names["shortNames"] = ["th"]  # type: ignore[assignment]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": rng.choice(["Namespaced", "Cluster"]), "names": names, "versions": versions},
    }


def _version(rng: random.Random, name: str, spec: Json, *, storage: bool) -> Json:
    status: Json = {"type": "object", "properties": {"phase": {"type": "string"}, "n": {"type": "integer"}}}
    root = {"type": "object", "properties": {"spec": spec, "status": status}}
    made: Json = {"name": name, "served": storage or rng.random() < 0.85, "storage": storage}
    made["schema"] = {"openAPIV3Schema": root}
    if rng.random() < 0.5:
        made["subresources"] = {"status": {}}
        if rng.random() < 0.5:
            made["subresources"]["scale"] = {"specReplicasPath": ".spec.a", "statusReplicasPath": ".status.n"}
            if rng.random() < 0.4:
                made["subresources"]["scale"]["labelSelectorPath"] = ".status.phase"
    if rng.random() < 0.3:
        made["additionalPrinterColumns"] = [_column(rng) for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.2:
        made["selectableFields"] = [{"jsonPath": rng.choice([".spec.a", ".spec.b", ".status.phase", ".metadata.name"])}]
    if rng.random() < 0.05:
        made |= {"deprecated": True, "deprecationWarning": "gone soon"}
    return made


def _column(rng: random.Random) -> Json:
    paths = (
        ".spec.a",
        ".spec.b",
        ".status.phase",
        ".metadata.creationTimestamp",
        ".spec.list[*]",
        ".spec['a']",
        ".spec",
    )
    made = {"name": rng.choice("XYZ"), "type": rng.choice(["string", "integer", "number", "boolean", "date"])}
    made["jsonPath"] = rng.choice(paths)
    if rng.random() < 0.2:
        made["priority"] = 1  # type: ignore[assignment]
    return made


def places(found: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def broken(rng: random.Random, found: Json, words: tuple[str, ...], times: int = 1) -> Json:
    """A copy with some places removed, replaced or added to."""
    found = copy.deepcopy(found)
    for _ in range(times):
        inside = [
            place
            for place in places(found)
            if place and place != ("metadata",) and place[0] not in ("apiVersion", "kind")
        ]
        if not inside:
            break
        place = rng.choice(inside)
        parent: Any = found
        for key in place[:-1]:
            parent = parent[key]
        what = rng.random()
        if what < 0.25:
            del parent[place[-1]]
        elif what < 0.55:
            parent[place[-1]] = copy.deepcopy(rng.choice(ODD))
        elif isinstance(parent[place[-1]], dict):
            parent[place[-1]][rng.choice(words)] = copy.deepcopy(rng.choice(ODD))
        elif isinstance(parent, dict):
            parent[rng.choice(words)] = copy.deepcopy(rng.choice(ODD))
    return found


class Thing:
    """Requests about one object of a definition."""

    def __init__(self, rng: random.Random, crd: Json, spec: Json) -> None:
        self._rng = rng
        self._spec = spec
        self._group = crd["spec"]["group"]
        self._namespaced = crd["spec"].get("scope") == "Namespaced"
        self._versions = [version["name"] for version in crd["spec"]["versions"]]
        self._plural = crd["spec"]["names"]["plural"]
        self._kind = crd["spec"]["names"]["kind"]

    def path(self, version: str) -> str:
        scope = "namespaces/default/" if self._namespaced else ""
        return f"/apis/{self._group}/{version}/{scope}{self._plural}"

    def object(self, version: str, odd: float = 0.04) -> Json:
        obj = {"apiVersion": f"{self._group}/{version}", "kind": self._kind, "metadata": {"name": "one"}}
        obj["spec"] = schemas.value(self._rng, self._spec, odd)
        if self._rng.random() < 0.2:
            obj["status"] = self._rng.choice([{"phase": "New"}, {"n": 2, "bogus": 1}, {"phase": 1}, "x"])
        return obj

    def create(self, validation: str = "") -> Ask:
        rng, version = self._rng, self._versions[0]
        query = validation or rng.choice(["", "", "?fieldValidation=Strict", "?fieldValidation=Warn", "?dryRun=All"])
        return Ask("POST", self.path(version) + query, self.object(version))

    def ask(self) -> Ask:
        """Some request on the object."""
        rng, version = self._rng, self._rng.choice(self._versions)
        one, strict = f"{self.path(version)}/one", rng.choice(["", "", "", "?fieldValidation=Strict"])
        what = rng.random()
        if what < 0.15:
            return Ask("GET", one)
        if what < 0.22:
            return Ask("GET", rng.choice([one, self.path(version)]), accept=TABLE)
        if what < 0.42:
            obj = self.object(version)
            return Ask("PATCH", one + strict, {"spec": obj["spec"]}, MERGE)
        if what < 0.52:
            return Ask(
                "PATCH", one + strict, broken(rng, {"spec": self.object(version)["spec"]}, ("a", "b", "bogus")), MERGE
            )
        if what < 0.62:
            operation = {
                "op": rng.choice(["add", "replace", "remove", "test"]),
                "path": rng.choice(["/spec/a", "/spec/b", "/spec/q", "/spec"]),
            }
            operation["value"] = schemas.value(rng, self._spec, 0.3)
            return Ask("PATCH", one, [operation], JSON_PATCH)
        if what < 0.76:
            query = f"?fieldManager=m{rng.randint(1, 2)}{rng.choice(['', '&force=true'])}"
            return Ask("PATCH", one + query, self.object(version, odd=0.02), APPLY)
        if what < 0.86:
            status = rng.choice([{"phase": "Ready"}, {"n": 3}, {"n": "x"}, {"bogus": 1}, None, {"phase": None}])
            return Ask("PATCH", f"{one}/status", {"status": status, "spec": {"a": "changed"}}, MERGE)
        if what < 0.92:
            if rng.random() < 0.5:
                return Ask("GET", f"{one}/scale")
            return Ask("PATCH", f"{one}/scale", {"spec": {"replicas": rng.choice([1, 5, -1, "x"])}}, MERGE)
        if what < 0.96:
            field = rng.choice(["spec.a", "spec.b", "status.phase", "metadata.name", "spec.bogus"])
            return Ask("GET", f"{self.path(version)}?fieldSelector={field}%3D{rng.choice(['one', 'a', '1', 'red'])}")
        return Ask("DELETE", one)


def _group(seed: int) -> str:
    return f"g{seed}.test.dev"


def sequence(seed: int) -> list[Ask]:
    """A definition, requests on its objects and on itself, and its removal."""
    rng = random.Random(seed)
    kind = rng.random()
    if kind < 0.3:
        return _flawed(rng, seed)
    if kind < 0.6:
        return _ruled(rng, seed)
    return _changing(rng, seed)


def _spec(rng: random.Random) -> Json:
    names = rng.sample(["a", "b", "c", "d", "list", "x-y"], rng.randint(2, 5))
    spec: Json = {"type": "object", "properties": {name: schemas.schema(rng) for name in names}}
    if rng.random() < 0.3:
        spec["required"] = rng.sample(names, 1)
    return spec


def _end(path: str) -> list[Ask]:
    return [
        Ask("GET", path),
        Ask("DELETE", path),
        Ask(SETTLED, path),
        Ask("GET", path),
    ]


def _flawed(rng: random.Random, seed: int) -> list[Ask]:
    """Definitions of which most are refused."""
    path = f"{DEFINITIONS}/things.{_group(seed)}"
    crd = definition(rng, _group(seed), _spec(rng))
    strict = rng.choice(["", "?fieldValidation=Strict", "?fieldValidation=Ignore"])
    asks = [
        Ask(
            "POST",
            DEFINITIONS + "?dryRun=All" + strict.replace("?", "&"),
            broken(rng, crd, KEYWORDS, rng.choice([1, 1, 2])),
        )
        for _ in range(4)
    ]
    asks += [Ask("POST", DEFINITIONS + strict, broken(rng, crd, KEYWORDS)), Ask(SETTLED, path)]
    asks += [Ask("PATCH", path, {"spec": broken(rng, crd, KEYWORDS).get("spec")}, MERGE), Ask(SETTLED, path)]
    return asks + _end(path)


def _ruled(rng: random.Random, seed: int) -> list[Ask]:
    """A definition with rules, and objects that follow them or not."""
    path = f"{DEFINITIONS}/things.{_group(seed)}"
    spec = copy.deepcopy(expressions.SUBJECT)
    asks = []
    for _ in range(3):
        refused = copy.deepcopy(spec)
        refused["x-kubernetes-validations"] = [expressions.rule(rng) for _ in range(3)]
        asks.append(Ask("POST", DEFINITIONS + "?dryRun=All", definition(rng, _group(seed), refused)))
    spec["x-kubernetes-validations"] = [
        {
            "rule": f"({expressions.expression(rng, 'bool', 2, 0)}) && false",
            "messageExpression": expressions.expression(rng, "string", 2, 0),
        }
        for _ in range(rng.randint(1, 3))
    ]
    crd = definition(rng, _group(seed), spec)
    thing = Thing(rng, crd, spec)
    asks += [Ask("POST", DEFINITIONS, crd), Ask(SETTLED, path)]
    asks += [thing.create() for _ in range(3)]
    plain = copy.deepcopy(spec)
    del plain["x-kubernetes-validations"]
    asks += [
        Ask(
            "PATCH",
            path,
            [
                {
                    "op": "remove",
                    "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations",
                }
            ],
            JSON_PATCH,
        ),
        Ask(SETTLED, path),
    ]
    asks += [thing.create("?fieldValidation=Warn")]
    place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations"
    asks += [
        Ask("PATCH", path, [{"op": "add", "path": place, "value": spec["x-kubernetes-validations"]}], JSON_PATCH),
        Ask(SETTLED, path),
    ]
    asks += [thing.ask() for _ in range(3)]
    return asks + _end(path)


def _changing(rng: random.Random, seed: int) -> list[Ask]:
    """A sound definition, its objects, and changes of the schema under them."""
    path = f"{DEFINITIONS}/things.{_group(seed)}"
    spec = _spec(rng)
    crd = definition(rng, _group(seed), spec)
    thing = Thing(rng, crd, spec)
    asks = [Ask("POST", DEFINITIONS, crd), Ask(SETTLED, path), Ask("GET", path)]
    asks += [thing.create() for _ in range(3)] + [thing.ask() for _ in range(rng.randint(3, 7))]
    if rng.random() < 0.7:
        changed = copy.deepcopy(crd)
        version = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        version["spec"] = broken(rng, spec, KEYWORDS[:20], 1) if rng.random() < 0.5 else _spec(rng)
        if rng.random() < 0.2:
            changed = definition(rng, _group(seed), spec)
        asks += [Ask("PATCH", path, {"spec": changed["spec"]}, MERGE), Ask(SETTLED, path)]
        asks += [thing.ask() for _ in range(rng.randint(2, 6))]
    if rng.random() < 0.2:
        asks.append(Ask("PATCH", f"{path}/status", {"status": {"storedVersions": rng.choice([["v1"], ["v9"]])}}, MERGE))
    return asks + _end(path)
