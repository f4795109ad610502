"""What is not a resource: version, health checks, metrics, the index of paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send, text_response
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import page_not_found
from kaito.embedded.apiserver.resources import Registry

VERSION = {
    "major": "1",
    "minor": "34",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "gitVersion": "v1.34.4",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_COMMON = ("ping", "log", "etcd")
CHECKS: Mapping[str, tuple[str, ...]] = {
    "healthz": (*_COMMON, "poststarthook/rbac/bootstrap-roles"),
    "livez": (*_COMMON, "poststarthook/rbac/bootstrap-roles"),
    "readyz": (
        *_COMMON,
        "etcd-readiness",
        "informer-sync",
        "poststarthook/start-apiextensions-controllers",
        "poststarthook/crd-informer-synced",
        "poststarthook/rbac/bootstrap-roles",
        "poststarthook/bootstrap-controller",
        "shutdown",
    ),
}
"""The checks of each endpoint, by their names in the real server; "etcd" is our store."""


class Health:
    """Answers health checks; `healthy()` tells whether the store can still be written."""

    def __init__(self, healthy: Callable[[], bool]) -> None:
        self._healthy = healthy

    def answer(self, call: Call, endpoint: str, check: str) -> web.Response:
        """`/readyz`, `/readyz?verbose`, `/readyz/etcd`. Raises a plain 404 for checks there are none of."""
        names = CHECKS[endpoint]
        if check:
            if check not in names:
                raise page_not_found()
            names = (check,)
        excluded = {name for name in _all(call.query, "exclude") if name}
        ok = self._healthy()
        lines: list[str] = []
        failed: list[str] = []
        for name in names:
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
            elif name == "etcd" and not ok:
                failed.append(name)
                lines.append(f"[-]{name} failed: reason withheld")
            else:
                lines.append(f"[+]{name} ok")
        unknown = sorted(excluded - set(names))
        if unknown:
            listed = ", ".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
        if failed:
            return text_response("\n".join([*lines, f"{endpoint} check failed"]) + "\n", 500)
        if check:
            return web.Response(text="ok", headers=call.answer_headers())
        if "verbose" in call.query:
            return text_response("\n".join([*lines, f"{endpoint} check passed"]) + "\n")
        return text_response("ok")


def _all(query: Mapping[str, str], name: str) -> list[str]:
    getall: Any = getattr(query, "getall", None)
    return list(getall(name, [])) if getall else [query[name]] if name in query else []


async def version(call: Call) -> web.StreamResponse:
    return await send(call, orjson.dumps(VERSION))


async def paths(call: Call, registry: Registry) -> web.StreamResponse:
    """The index at `/`."""
    found = {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics"}
    found |= {"/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"}
    for group, versions in registry.groups().items():
        if group:
            found |= {f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions)}
    for endpoint, checks in CHECKS.items():
        found |= {f"/{endpoint}/{check}" for check in checks}
    return await send(call, orjson.dumps({"paths": sorted(found)}))
