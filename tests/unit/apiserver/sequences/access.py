"""Random roles, bindings, impersonated users, and reviews of what they may do."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.places import Place, query
from tests.unit.apiserver.sequences.selectors import ACCEPTS

RBAC = "/apis/rbac.authorization.k8s.io/v1"
AUTHENTICATION, AUTHORIZATION = "/apis/authentication.k8s.io/v1", "/apis/authorization.k8s.io/v1"
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*", "impersonate"]


def _as(rng: random.Random, seed: int) -> dict[str, str]:
    headers = {
        "Impersonate-User": rng.choice(
            [f"u{seed}", f"u{seed}", "system:anonymous", f"system:serviceaccount:s{seed}-a:sa", "", "a b"]
        )
    }
    if rng.random() < 0.4:
        headers["Impersonate-Group"] = rng.choice(
            [f"g{seed}", "system:masters", "system:authenticated", "system:unauthenticated", ""]
        )
    if rng.random() < 0.15:
        headers["Impersonate-Uid"] = rng.choice(["7", ""])
    if rng.random() < 0.15:
        headers[rng.choice(["Impersonate-Extra-Scopes", "Impersonate-Extra-A%2fb", "Impersonate-Extra-"])] = "v"
    if rng.random() < 0.1:
        del headers["Impersonate-User"]
    return headers


def _rule(rng: random.Random) -> dict[str, Any]:
    rule: dict[str, Any] = {"verbs": rng.sample(VERBS, rng.randint(1, 3))}
    if rng.random() < 0.15:
        return rule | {"nonResourceURLs": rng.choice([["/healthz"], ["/logs/*"], ["*"], ["/metrics", "/api*"]])}
    rule["apiGroups"] = rng.choice([[""], ["apps"], ["*"], ["", "test.dev"]])
    rule["resources"] = rng.choice(
        [
            ["pods"],
            ["pods", "pods/log", "pods/status"],
            ["*"],
            ["*/scale"],
            ["widgets"],
            ["configmaps"],
            ["users", "groups", "serviceaccounts"],
            ["namespaces"],
        ]
    )
    if rng.random() < 0.3:
        rule["resourceNames"] = rng.choice([["o1"], ["o2", "o1"], []])
    return rule


def access(rng: random.Random, seed: int) -> list[Ask]:
    """Roles, bindings, impersonated users, and reviews of what they may do."""
    place = Place(seed, rng.choice(["pods", "configmaps", "widgets"]))
    asks = place.namespaces()
    name = f"r{seed}"
    subjects: list[Any] = [
        {"kind": "User", "name": f"u{seed}", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "Group", "name": f"g{seed}", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "sa", "namespace": place.a},
    ]
    whole = rng.random() < 0.4
    rules = [_rule(rng) for _ in range(rng.randint(1, 2))]
    if not whole:
        for rule in rules:
            if rule.pop("nonResourceURLs", None):
                rule |= {"apiGroups": [""], "resources": ["pods"]}
    role = {"metadata": {"name": name}, "rules": rules}
    below = RBAC if whole else f"{RBAC}/namespaces/{place.a}"
    kind = "ClusterRole" if whole else "Role"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    asks.append(Ask("POST", f"{below}/{kind.lower()}s", role))
    asks.append(
        Ask(
            "POST",
            f"{below}/{kind.lower()}bindings",
            {"metadata": {"name": name}, "subjects": rng.sample(subjects, rng.randint(1, 3)), "roleRef": reference},
        )
    )
    asks.append(Ask("POST", place.collection(), place.object(rng, 1)))
    asks.append(Ask("GET", f"{below}/{kind.lower()}bindings/{name}"))
    asks.append(Ask("PAUSE", "", 0.3))
    for _ in range(rng.randint(3, 7)):
        what = rng.random()
        if what < 0.5:
            method, path = rng.choice(
                [
                    ("GET", place.one(1)),
                    ("GET", place.one(2)),
                    ("GET", place.collection()),
                    ("GET", place.everywhere + query(labelSelector=place.own)),
                    ("GET", place.collection() + query(fieldSelector=f"metadata.name={place.name(1)}")),
                    (
                        "WATCH",
                        place.collection()
                        + query(watch="true", timeoutSeconds="1", resourceVersion=f"<{4}:metadata.resourceVersion>"),
                    ),
                    ("DELETE", place.one(2)),
                    ("DELETE", place.collection() + "?labelSelector=none"),
                    ("PATCH", place.one(2)),
                    ("POST", place.collection()),
                    ("GET", place.one(1) + "/log"),
                    ("GET", place.one(1) + "/scale"),
                    (
                        "GET",
                        rng.choice(
                            [
                                "/healthz",
                                "/metrics/",
                                "/logs/x",
                                "/api",
                                "/bogus",
                                "/index",
                                "/apis/apps/v1",
                                "/readyz",
                            ]
                        ),
                    ),
                    ("POST", f"{AUTHORIZATION}/selfsubjectaccessreviews"),
                    ("GET", f"/api/v1/namespaces/{place.a}"),
                    ("POST", f"/api/v1/namespaces/{place.a}/bogus"),
                    ("POST", f"{AUTHENTICATION}/selfsubjectreviews"),
                ]
            )
            body: Any = {} if method in ("POST", "PATCH") else None
            if method == "POST" and "selfsubjectaccess" in path:
                body = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": place.a}}}
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            asks.append(Ask(method, path, body, kind, headers=_as(rng, seed)))
        elif what < 0.6:
            asks.append(
                Ask(
                    "GET",
                    rng.choice(["/api/v1/nodes", "/healthz", "/version", "/api", "/bogus", place.one(1), "/metrics"]),
                    token=rng.choice(["-", "bad", "a.b.c"]),
                    headers=rng.choice([{}, {"Impersonate-User": "x"}]),
                )
            )
        else:
            asks.append(_review(rng, place))
    return asks


def _review(rng: random.Random, place: Place) -> Ask:
    seed = place.seed
    attributes: dict[str, Any] = {
        "verb": rng.choice(["get", "list", "create", "*", "", "escalate"]),
        "resource": rng.choice(["pods", "configmaps", "widgets", "*", "", "secrets"]),
        "namespace": rng.choice([place.a, place.b, ""]),
        "group": rng.choice(["", "", "test.dev", "*"]),
    }
    if rng.random() < 0.3:
        attributes |= rng.choice(
            [{"name": "o1"}, {"subresource": "log"}, {"subresource": "scale"}, {"version": "v1"}, {"bogus": 1}]
        )
    if rng.random() < 0.15:
        attributes |= rng.choice(
            [
                {"labelSelector": {"rawSelector": "a=b"}},
                {"fieldSelector": {"requirements": [{"key": "x", "operator": "In", "values": ["y"]}]}},
                {"labelSelector": {"requirements": [{"key": "x", "operator": "Bogus"}]}},
            ]
        )
    spec: dict[str, Any] = {"resourceAttributes": attributes}
    if rng.random() < 0.2:
        spec = {"nonResourceAttributes": {"verb": "get", "path": rng.choice(["/healthz", "/x", "", "/logs/a"])}}
    if rng.random() < 0.07:
        spec = rng.choice(
            [
                {},
                {"resourceAttributes": attributes, "nonResourceAttributes": {"path": "/x", "verb": "get"}},
                {"resourceAttributes": {}},
            ]
        )
    headers = _as(rng, seed) if rng.random() < 0.5 else {}
    what = rng.random()
    if what < 0.3:
        return Ask(
            "POST",
            f"{AUTHORIZATION}/selfsubjectaccessreviews",
            {"spec": spec, **rng.choice([{}, {}, {"metadata": {"name": "x"}}, {"kind": "Pod"}])},
            headers=headers,
        )
    if what < 0.7:
        spec |= rng.choice(
            [
                {"user": f"u{seed}"},
                {"groups": [f"g{seed}"]},
                {},
                {"user": f"system:serviceaccount:{place.a}:sa"},
                {"user": "x", "groups": ["system:masters"]},
                {"user": "system:anonymous", "groups": ["system:unauthenticated"]},
            ]
        )
        if rng.random() < 0.3:
            return Ask("POST", f"{AUTHORIZATION}/namespaces/{place.a}/localsubjectaccessreviews", {"spec": spec})
        return Ask("POST", f"{AUTHORIZATION}/subjectaccessreviews", {"spec": spec})
    if what < 0.85:
        return Ask(
            "POST",
            f"{AUTHORIZATION}/selfsubjectrulesreviews",
            {"spec": rng.choice([{"namespace": place.a}, {"namespace": place.b}, {}, {"namespace": "none"}])},
            headers=headers,
        )
    return Ask(
        "POST",
        f"{AUTHENTICATION}/selfsubjectreviews" + rng.choice(["", "?dryRun=All", "?pretty=true"]),
        rng.choice([{}, {}, {"metadata": {"name": "x"}}, {"kind": "Pod", "apiVersion": "v1"}]),
        headers=headers,
        accept=rng.choice(["application/json", *ACCEPTS]),
    )
