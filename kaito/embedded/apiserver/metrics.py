"""/metrics: the few numbers that dashboards and readiness scripts look for, in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from aiohttp import web

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts requests by verb, resource and status code."""

    def __init__(self, objects: Callable[[], dict[str, int]]) -> None:
        """`objects()` gives the number of stored objects by "group/plural"."""
        self._objects = objects
        self._requests: Counter[tuple[str, str, str, int]] = Counter()

    def count(self, verb: str, group: str, resource: str, code: int) -> None:
        self._requests[verb, group, resource, code] += 1

    def answer(self) -> web.Response:
        lines = [
            "# HELP apiserver_request_total Counter of apiserver requests for each verb, group, resource and code.",
            "# TYPE apiserver_request_total counter",
        ]
        for (verb, group, resource, code), number in sorted(self._requests.items()):
            labels = f'code="{code}",group="{group}",resource="{resource}",verb="{verb.upper()}"'
            lines.append(f"apiserver_request_total{{{labels}}} {number}")
        lines += [
            "# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.",
            "# TYPE apiserver_storage_objects gauge",
        ]
        for name, number in sorted(self._objects().items()):
            group, _, plural = name.rpartition("/")
            lines.append(f'apiserver_storage_objects{{resource="{plural}{"." + group if group else ""}"}} {number}')
        return web.Response(body="\n".join([*lines, ""]).encode(), headers={"Content-Type": _TYPE})
