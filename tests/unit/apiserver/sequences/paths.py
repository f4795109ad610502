"""Random paths that are no objects: discovery, health, wrong paths, methods and bodies."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.places import ROOTS
from tests.unit.apiserver.sequences.selectors import ACCEPTS

PATHS = [
    *(
        "/api",
        "/apis",
        "/api/",
        "/apis/",
        "/api/v1",
        "/api/v1/",
        "/api/v2",
        "/apis/apps",
        "/apis/apps/",
        "/apis/apps/v1",
    ),
    *(
        "/apis/apps/v2",
        "/apis/bogus.io",
        "/apis/bogus.io/v1",
        "/apis/bogus.io/v1/things",
        "/apis/test.dev",
        "/apis/test.dev/v1",
    ),
    *(
        "/apis/test.dev/v1/bogus",
        "/apis/test.dev/v2",
        "/apis/test.dev/v2/widgets",
        "/api/v1/bogus",
        "/apis/apps/v1/bogus",
    ),
    *("/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/etcd", "/readyz/bogus", "/healthz/"),
    *("/healthz?exclude=etcd", "/livez?exclude=ping", "/openapi", "/openapi/v3/bogus", "/openapi/v3/apis/bogus.io/v1"),
    *(
        "/bogus",
        "/index",
        "//api",
        "/api//v1",
        "/api/v1//pods",
        "/API",
        "/version/",
        "/openapi/v2x",
        "/swagger.json",
        "/logs",
    ),
    *(
        "/api/v1/namespaces/default/bogus",
        "/api/v1/namespaces/default/pods/x/bogus",
        "/api/v1/nodes/x/pods",
        "/metrics/",
    ),
    *("/api/v1/namespaces/default/nodes", "/api/v1/namespaces/default/nodes/x", "/api/v1/pods/x", "/api/v1/namespaces"),
    *(
        "/apis/apps/v1/namespaces/default/deployments/x/y/z",
        "/api/v1/namespaces/default/pods/x/log/y",
        "/ui",
        "/debug",
    ),
    *(
        "/api/v1/namespaces/default/pods/x/exec",
        "/api/v1/namespaces/default/pods/x/binding",
        "/api/v1/endpoints",
    ),
    *(
        "/api/v1/watch",
        "/api/v1/watch/bogus",
        "/api/v1/watch/nodes/x/status",
        "/api/v1/proxy/nodes/x",
        "/api/v1/namespaces/",
    ),
    *(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/apis/authentication.k8s.io/v1/tokenreviews/x",
        "/.well-known",
    ),
    *("/apis/test.dev/v1/namespaces/default/widgets/x/bogus", "/apis/test.dev/v1/namespaces/default/widgets/x/scale"),
    *(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x",
        "/apis/apiextensions.k8s.io/v1/namespaces/d/customresourcedefinitions",
    ),
    *(
        "/api/v1/namespaces/default/events/x",
        "/api/v1/namespaces/none",
        "/api/v1/namespaces/none/pods",
        "/api/v1/namespaces/none/pods/x",
    ),
    *(
        "/apis/test.dev/v1/widgets/x",
        "/apis/batch/v1beta1/jobs",
        "/apis/events.k8s.io/v1/events/x",
        "/api/v1/nodes/x/proxy",
        "/api/v1/bindings",
    ),
]
METHODS = ["GET"] * 8 + ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "TRACE"]


def plain(rng: random.Random, seed: int) -> list[Ask]:
    """Discovery, health, wrong paths, wrong methods, wrong bodies."""
    asks: list[Ask] = []
    discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    accepts = [
        *["application/json"] * 8,
        *ACCEPTS,
        discovery,
        discovery + ",application/json",
        "application/yaml",
        discovery.replace("v2", "v9"),
    ]
    for _ in range(rng.randint(5, 9)):
        path = rng.choice(PATHS)
        method = rng.choice(METHODS)
        if rng.random() < 0.15:
            plural = rng.choice(sorted(ROOTS))
            path = ROOTS[plural][0] + rng.choice(
                [
                    f"/{plural}",
                    f"/namespaces/default/{plural}",
                    f"/namespaces/default/{plural}/none",
                    f"/{plural}/none",
                    f"/namespaces/default/{plural}/none/status",
                ]
            )
            method = rng.choice(["POST", "PUT", "PATCH", "HEAD", "OPTIONS", "GET", "TRACE"])
        body: Any = None
        if method in ("POST", "PUT", "PATCH"):
            body = rng.choice(["", "{}", "{", "null", {"metadata": {"name": "none"}}, '{"a":1,"a":2}', None])
        kind = rng.choice(
            ["application/json"] * 4
            + [
                "text/plain",
                "",
                "application/merge-patch+json",
                "application/yaml",
                "application/vnd.kubernetes.protobuf",
            ]
        )
        headers = rng.choice(
            [{}] * 6 + [{"X-HTTP-Method-Override": "DELETE"}, {"Accept-Encoding": "gzip"}, {"Content-Encoding": "gzip"}]
        )
        if method == "DELETE" and not path.endswith("none"):
            continue
        if path.startswith("/api") and "?" not in path and not path.endswith("/watch"):
            path += "?labelSelector=s%3Dnone"  # what other sequences made at the same time is not looked at
        asks.append(Ask(method, path, body, kind, rng.choice(accepts), headers))
    return asks
