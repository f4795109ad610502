"""Random tokens of service accounts, right and wrong, and what they open."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.places import Place

AUTHENTICATION = "/apis/authentication.k8s.io/v1"


def tokens(rng: random.Random, seed: int) -> list[Ask]:
    """Tokens of service accounts, right and wrong, and what they open."""
    place = Place(seed, "pods")
    asks = place.namespaces()
    accounts = f"/api/v1/namespaces/{place.a}/serviceaccounts"
    asks.append(Ask("POST", accounts, {"metadata": {"name": "sa"}}))
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": rng.choice(["sa", "other"])},
    }
    asks.append(Ask("POST", f"/api/v1/namespaces/{place.a}/pods", pod))
    asks.append(Ask("POST", f"{accounts}/sa/token", {"spec": {}}))
    issued = len(asks) - 1
    for _ in range(rng.randint(3, 6)):
        what = rng.random()
        if what < 0.55:
            spec: dict[str, Any] = {}
            if rng.random() < 0.4:
                spec["audiences"] = rng.choice([["x"], [], ["https://kubernetes.default.svc"], ["x", "y"], "x", [1]])
            if rng.random() < 0.5:
                spec["expirationSeconds"] = rng.choice([600, 599, 3600, 0, -1, 2**32, 2**32 + 1, "x", 86400, None])
            if rng.random() < 0.4:
                spec["boundObjectRef"] = rng.choice(
                    [
                        {"kind": "Pod", "apiVersion": "v1", "name": "p"},
                        {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "<3:metadata.uid>"},
                        {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "x"},
                        {"kind": "Pod", "apiVersion": "v1", "name": "none"},
                        {"kind": "Secret", "apiVersion": "v1", "name": "none"},
                        {"kind": "Node", "apiVersion": "v1", "name": "none"},
                        {"kind": "Pod", "apiVersion": "v2", "name": "p"},
                        {"kind": "Bogus", "apiVersion": "v1", "name": "p"},
                        {"kind": "ConfigMap", "apiVersion": "v1", "name": "p"},
                        {},
                    ]
                )
            if rng.random() < 0.1:
                spec["bogus"] = 1
            body: dict[str, Any] = {"spec": spec}
            if rng.random() < 0.3:
                body |= rng.choice(
                    [
                        {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"},
                        {"kind": "Pod", "apiVersion": "v1"},
                        {"metadata": {"name": "x"}},
                        {"metadata": {"namespace": "x"}},
                        {"spec": None},
                        {"apiVersion": "v1"},
                        {"metadata": {"name": "sa"}},
                    ]
                )
            name = rng.choice(["sa"] * 8 + ["none"])
            sub = rng.choice(["", "", "", "", "?dryRun=All", "?fieldValidation=Strict"])
            asks.append(Ask(rng.choice(["POST"] * 12 + ["GET", "PUT"]), f"{accounts}/{name}/token{sub}", body))
        elif what < 0.75:
            token = rng.choice([f"<{issued}:status.token>", "x", "", "a.b.c", f"<{issued}:status.token>x"])
            spec = {
                "token": token,
                **rng.choice([{}, {}, {"audiences": ["x"]}, {"audiences": ["https://kubernetes.default.svc", "x"]}]),
            }
            asks.append(Ask("POST", f"{AUTHENTICATION}/tokenreviews", {"spec": spec}))
        else:
            path = rng.choice(
                [
                    "/api/v1/nodes",
                    f"/api/v1/namespaces/{place.a}/pods",
                    "/version",
                    "/apis",
                    "/metrics",
                    "/healthz",
                    "/openapi/v3",
                ]
            )
            asks.append(Ask("GET", path, token=f"<{issued}:status.token>"))
            if rng.random() < 0.3:
                asks.append(Ask("POST", f"{AUTHENTICATION}/selfsubjectreviews", {}, token=f"<{issued}:status.token>"))
            if rng.random() < 0.2:
                asks.append(Ask("DELETE", f"{accounts}/sa"))
                break  # the real server knows a token for ten seconds more
    return asks
