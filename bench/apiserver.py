"""The embedded API server beside the real kube-apiserver with etcd, where `KUBEBUILDER_ASSETS` or the PATH has them.

    python -m bench.apiserver [--rounds 3] [--objects 10000] [--quick] [--output FILE]

Every server is a process of its own; the client is this one, over kept TLS connections of a plain HTTP client. In each
round the servers take turns (A B A B), every time on an empty store:

* cold start: from the start of the process until our CRDs are served and a watch on Workspaces gave its first event;
* creates a second, one client and 16: ConfigMaps with one key of 100 bytes, and Workspaces;
* status patches a second (merge patches of a Workspace's status) and gets a second, one client each;
* of each of these also the servers' processor milliseconds a request (`…_cpu_ms`): the number to believe where
  something else keeps the machine busy;
* watch: from sending a patch to its event having arrived, over all watchers, p50 and p99, with 1 and 20 of them;
* list of 10,000 ConfigMaps in one answer: how long it takes, and the slowest of the trivial requests another
  connection keeps sending meanwhile (beside the slowest of as many before, which is what the machine itself does);
* memory when idle and with those objects.

Reported are the medians over the rounds; with a real server also embedded/real, as the median of the paired ratios.
Targets: at least 1,500 creates/s, watch p50 at most 2 ms, a list blocks others for less than 50 ms, cold start < 1 s.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import orjson

from bench.api_servers import Running, serving, sides
from bench.connecting import Connection
from bench.measuring import cpu_seconds, median, percentile, progress, rss_kib, write_report
from kaito.api.crds import crd_manifests
from kaito.kube.access import Access
from kaito.kube.resources import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, WORKSPACES

NAMESPACE = "default"
TARGETS = {
    "cold_start_s": 1.0,
    "creates_x16_per_s": 1500,
    "watch_p50_ms_1": 2.0,
    "list_blocks_others_ms": 50.0,
}
CONFIG_MAP_PATH = CONFIG_MAPS.path(NAMESPACE)
WORKSPACE_PATH = WORKSPACES.path(NAMESPACE)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--objects", type=int, default=10_000, help="ConfigMaps in the big list")
    parser.add_argument("--requests", type=int, default=1500, help="requests in each measurement of a rate")
    parser.add_argument("--side", choices=["embedded", "real"], help="only this server")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.objects, arguments.requests = 1, 2000, 400
    order = (arguments.side,) if arguments.side else sides()
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(arguments.rounds):
        results = {}
        for side in order if number % 2 == 0 else order[::-1]:
            results[side] = await measure(side, arguments.objects, arguments.requests)
            progress(f"round {number + 1}, {side}: {results[side]}")
        rounds.append(results)
    medians = {
        side: {name: round(median([each[side][name] for each in rounds]), 3) for name in rounds[0][side]}
        for side in order
    }
    ratios = {}
    if len(order) == 2:
        for name in rounds[0]["embedded"]:
            pairs = [each["embedded"][name] / each["real"][name] for each in rounds if each["real"][name]]
            ratios[name] = round(median(pairs), 3) if pairs else None
    content = {
        "objects": arguments.objects,
        "medians": medians,
        "embedded_over_real": ratios,
        "rounds": rounds,
        "targets": TARGETS,
    }
    write_report("apiserver", content, arguments.output)


async def measure(side: str, objects: int, requests: int) -> dict[str, float]:
    """All numbers of one server, from its start to its end."""
    begun = time.perf_counter()
    async with serving(side) as running, AsyncExitStack() as closing:
        connections = [await closing.enter_async_context(Connection(running.access)) for _ in range(16)]
        await first_event(running.access, connections[0])
        results = {"cold_start_s": time.perf_counter() - begun, "rss_idle_mib": memory(running)}

        async def rates(name: str, clients: int, work: Work, count: int = requests) -> None:
            before = busy(running)
            results[f"{name}_per_s"] = await rate(connections[:clients], count, work)
            results[f"{name}_cpu_ms"] = (busy(running) - before) / max(1, count) * 1000

        await rates("creates", 1, creating("serial"))
        await rates("creates_x16", 16, creating("many"))
        await rates("workspace_creates", 1, creating_workspaces)
        await rates("status_patches", 1, patching_status)
        await rates("gets", 1, getting)
        for watchers in (1, 20):
            latencies = await watch_latencies(running.access, connections[0], watchers, min(300, requests))
            results[f"watch_p50_ms_{watchers}"] = percentile(latencies, 0.5) * 1000
            results[f"watch_p99_ms_{watchers}"] = percentile(latencies, 0.99) * 1000
        await rates("creates_filling", 16, creating("filling"), objects - 2 * requests)
        results |= await big_list(connections[0], connections[1], objects)
        results["rss_filled_mib"] = memory(running)
        return {name: round(value, 3) for name, value in results.items()}


def memory(running: Running) -> float:
    return sum(rss_kib(pid) for pid in running.pids) / 1024


def busy(running: Running) -> float:
    return sum(cpu_seconds(pid) for pid in running.pids)


async def first_event(access: Access, connection: Connection) -> None:
    """Install our CRDs, as the operator does, and see a Workspace arrive on a watch."""
    for crd in crd_manifests():
        await connection.call("POST", CUSTOM_RESOURCE_DEFINITIONS.path(), crd)
    while True:
        try:
            listed = orjson.loads(await connection.call("GET", WORKSPACE_PATH))
            await connection.call("POST", WORKSPACE_PATH, workspace("first"))
            break
        except RuntimeError:
            await asyncio.sleep(0.01)
    version = listed["metadata"]["resourceVersion"]
    async with Connection(access) as watching:
        events = watching.watch(f"{WORKSPACE_PATH}?watch=true&resourceVersion={version}")
        async with aclosing(events):
            async for _ in events:
                return


def workspace(name: str) -> dict[str, Any]:
    return {
        "apiVersion": WORKSPACES.api_version,
        "kind": WORKSPACES.kind,
        "metadata": {"name": name},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": name}}},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "x" * 100}}


Work = Callable[[Connection, int], Awaitable[Any]]


def creating(prefix: str) -> Work:
    async def create(connection: Connection, number: int) -> None:
        await connection.call("POST", CONFIG_MAP_PATH, config_map(f"{prefix}-{number}"))

    return create


async def creating_workspaces(connection: Connection, number: int) -> None:
    await connection.call("POST", WORKSPACE_PATH, workspace(f"ws-{number}"))


async def patching_status(connection: Connection, number: int) -> None:
    patch = {"status": {"targetNodeCount": 1 + number % 2}}
    path = f"{WORKSPACE_PATH}/ws-{number % 100}/status"
    await connection.call("PATCH", path, patch, "application/merge-patch+json")


async def getting(connection: Connection, number: int) -> None:
    await connection.call("GET", f"{CONFIG_MAP_PATH}/serial-{number % 100}")


async def rate(connections: list[Connection], requests: int, work: Work) -> float:
    """Requests a second when these connections share them out."""
    if requests <= 0:
        return 0.0
    numbers = iter(range(requests))

    async def client(connection: Connection) -> None:
        for number in numbers:
            await work(connection, number)

    begun = time.perf_counter()
    await asyncio.gather(*(client(connection) for connection in connections))
    return requests / (time.perf_counter() - begun)


async def watch_latencies(access: Access, connection: Connection, watchers: int, changes: int) -> list[float]:
    """Seconds from sending a patch until a watcher has its event, for every change and every watcher."""
    name = f"watched-{watchers}"
    created = orjson.loads(await connection.call("POST", CONFIG_MAP_PATH, config_map(name)))
    version = created["metadata"]["resourceVersion"]
    sent: dict[str, float] = {}
    latencies: list[float] = []

    async def watch() -> None:
        query = f"watch=true&resourceVersion={version}&fieldSelector=metadata.name%3D{name}"
        seen = 0
        async with Connection(access) as watching, aclosing(watching.watch(f"{CONFIG_MAP_PATH}?{query}")) as events:
            ready.release()
            async for event in events:
                latencies.append(time.perf_counter() - sent[event["object"]["data"]["number"]])
                seen += 1
                if seen == changes:
                    return

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for _ in range(watchers):
            group.create_task(watch())
        for _ in range(watchers):
            await ready.acquire()
        await asyncio.sleep(0.3)
        for number in range(changes):
            patch = {"data": {"number": str(number)}}
            sent[str(number)] = time.perf_counter()
            await connection.call("PATCH", f"{CONFIG_MAP_PATH}/{name}", patch, "application/merge-patch+json")
            await asyncio.sleep(0.005)
    return latencies


async def big_list(connection: Connection, other: Connection, objects: int) -> dict[str, float]:
    """How long the whole list takes, and how long it keeps another connection waiting."""
    alone = [await trivial(other) for _ in range(300)]
    seconds, during = [], []
    for _ in range(3):
        listing = asyncio.create_task(connection.call("GET", CONFIG_MAP_PATH))
        begun = time.perf_counter()
        while not listing.done():
            during.append(await trivial(other))
        seconds.append(time.perf_counter() - begun)
        count = (await listing).count(b'"metadata":{') - 1
        assert count >= objects, f"the list has {count} objects"
    return {
        "list_s": median(seconds),
        "list_blocks_others_ms": max(during) * 1000,
        "trivial_slowest_alone_ms": max(alone) * 1000,
    }


async def trivial(connection: Connection) -> float:
    begun = time.perf_counter()
    await connection.call("GET", "/version")
    return time.perf_counter() - begun


if __name__ == "__main__":
    asyncio.run(main())
