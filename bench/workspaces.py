"""From apply to Ready for many workspaces at once, with model work and node delay zero.

    python -m bench.workspaces [--counts 1 50 300 1000] [--tiers embedded split real] [--rounds 2] [--quick]
                               [--output FILE]

Inference workspaces of one preset, one node each. The nodes are fake-gpu's simulated ones and come at once; every
StatefulSet is ready as soon as it exists, without pods. The wall time runs from sending the first POST until the last
`WorkspaceSucceeded=True` has come over a watch, as it was measured for Kaito's own controller (quoted below). Tiers:

* embedded: API server, operator and fake cloud in one process, as in `kaito up`; this process only applies and watches;
* split: the embedded API server in a process of its own; its operator process tells memory per idle workspace;
* real: kube-apiserver and etcd, where they are found, instead.

Every count starts on an empty store and the tiers take turns. A single workspace is measured five times on a cluster
that has served one before; the median counts. Memory per idle workspace is what the operator's process (operator, node
claim controllers and fake cloud with their caches) has grown by, at the largest count. The growth exponent compares the
two largest counts: 1 is linear.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from bench.api_servers import REPOSITORY, TOKEN, serving, sides
from bench.connecting import Connection
from bench.measuring import median, progress, write_report
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.kube.access import Access, from_kubeconfig
from kaito.kube.resources import WORKSPACES

NAMESPACE = "default"
PATH = WORKSPACES.path(NAMESPACE)
APPLIERS = 8
STUCK_SECONDS = 60
"""How long a drain may take beside a second for each workspace."""
KAITO_SECONDS = {1: 1.87, 50: 27.5, 300: 169.3}
"""Kaito 0.12's own controller on the same real server and world, two cores (webhook off)."""
TARGETS = {
    "embedded, 1 workspace, seconds": 0.1,
    "embedded, 1000 workspaces, a second": 150,
    "real, 1 workspace, of Kaito's time": 0.1,
    "real, 50 and 300 workspaces, of Kaito's time": 0.05,
    "operator requests a workspace": 10,
    "memory an idle workspace, kB": 20,
    "growth exponent": 1.05,
}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 50, 300, 1000])
    parser.add_argument("--tiers", nargs="+", choices=["embedded", "split", "real"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.counts = 1, [1, 50]
    tiers = arguments.tiers or ["embedded", "split", *(["real"] if "real" in sides() else [])]
    runs: dict[str, dict[int, list[dict[str, Any]]]] = {
        tier: {count: [] for count in sorted(arguments.counts)} for tier in tiers
    }
    for number in range(arguments.rounds):
        for count in sorted(arguments.counts):
            for tier in tiers if number % 2 == 0 else tiers[::-1]:
                result = await measure(tier, count)
                runs[tier][count].append(result)
                shown = {key: value for key, value in result.items() if key != "requests"}
                progress(f"round {number + 1}, {tier}, {count} workspaces: {shown}")
    summary = {
        tier: {count: summarise(tier, count, results) for count, results in runs[tier].items()} for tier in tiers
    }
    growth = {tier: exponent(summary[tier]) for tier in tiers if len(summary[tier]) > 1}
    content = {"summary": summary, "growth_exponent": growth, "runs": runs, "targets": TARGETS}
    write_report("workspaces", content, arguments.output)


def summarise(tier: str, count: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name, value in results[0].items() if isinstance(value, int | float)]
    summary: dict[str, Any] = {name: round(median([one[name] for one in results]), 4) for name in names}
    summary["requests"] = results[-1]["requests"]
    if tier == "real" and count in KAITO_SECONDS:
        summary["of_kaitos_time"] = round(summary["wall_s"] / KAITO_SECONDS[count], 4)
    return summary


def exponent(by_count: dict[int, dict[str, Any]]) -> float:
    """Of the drain time in the number of workspaces, between the two largest counts."""
    small, large = sorted(by_count)[-2:]
    return round(math.log(by_count[large]["wall_s"] / by_count[small]["wall_s"]) / math.log(large / small), 3)


async def measure(tier: str, count: int) -> dict[str, Any]:
    """One run on a fresh cluster; a few are made ready first, so that all code has been loaded and run once."""
    async with cluster(tier) as (access, ask):
        await drain(access, "warm", 2)
        before = await ask()
        if count == 1:
            walls = [await drain(access, f"single{number}", 1) for number in range(5)]
            wall, made = median(walls), 5
        else:
            wall, made = await drain(access, "many", count), count
        await asyncio.sleep(2 if count > 1 else 0.7)
        after = await ask()
        requests = Counter({key: round(value / made, 3) for key, value in after["requests"].items()})
        by_component: Counter[str] = Counter()
        for key, value in requests.items():
            by_component[key.partition(":")[0]] += value
        return {
            "wall_s": wall,
            "per_s": count / wall,
            "operator_requests": by_component["operator"],
            "node_requests": by_component["nodes"],
            "world_requests": by_component["world"],
            "cpu_ms_per_workspace": (after["cpu_s"] - before["cpu_s"]) / made * 1000,
            "memory_kb_per_workspace": (after["rss_kib"] - before["rss_kib"]) * 1.024 / made,
            "requests": dict(requests.most_common()),
        }


@asynccontextmanager
async def cluster(tier: str) -> AsyncIterator[tuple[Access, Any]]:
    """Start the tier; gives the way in, and a function that asks the operator's process for its numbers."""
    async with AsyncExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="kaito-bench-")))
        extra = []
        if tier != "embedded":
            running = await closing.enter_async_context(serving("real" if tier == "real" else "embedded"))
            write_kubeconfig(folder / "kubeconfig", running.access.server, running.ca_pem, TOKEN)
            extra = [str(folder / "kubeconfig")]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.simulated_cluster", str(folder), *extra),
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        async def ask() -> dict[str, Any]:
            stdin.write(b"\n")
            return dict(json.loads(await stdout.readline()))

        try:
            told = json.loads(await stdout.readline())
            yield await from_kubeconfig(told["kubeconfig"]), ask
        finally:
            stdin.close()
            await process.wait()


async def drain(access: Access, prefix: str, count: int) -> float:
    """Apply so many workspaces; seconds from the first POST until the last is ready."""
    async with AsyncExitStack() as closing:
        appliers = [await closing.enter_async_context(Connection(access)) for _ in range(min(APPLIERS, count))]
        watching = await closing.enter_async_context(Connection(access))
        listed = orjson.loads(await appliers[0].call("GET", f"{PATH}?limit=1"))
        version = listed["metadata"]["resourceVersion"]
        waiting = asyncio.create_task(all_ready(watching, version, prefix, count))
        await asyncio.sleep(0.1)
        numbers = iter(range(count))

        async def applying(connection: Connection) -> None:
            for number in numbers:
                await connection.call("POST", PATH, workspace(f"{prefix}-{number}"))

        begun = time.perf_counter()
        try:
            async with asyncio.timeout(STUCK_SECONDS + count):
                await asyncio.gather(*(applying(connection) for connection in appliers))
                await waiting
        except TimeoutError:
            raise SystemExit(f"{prefix}: not all of {count} workspaces became ready; the cluster is stuck") from None
        return time.perf_counter() - begun


async def all_ready(connection: Connection, version: str, prefix: str, count: int) -> None:
    ready = set()
    async with aclosing(connection.watch(f"{PATH}?watch=true&resourceVersion={version}")) as events:
        async for event in events:
            name = event["object"]["metadata"]["name"]
            conditions = (event["object"].get("status") or {}).get("conditions") or ()
            if name.startswith(prefix) and any(
                one["type"] == "WorkspaceSucceeded" and one["status"] == "True" for one in conditions
            ):
                ready.add(name)
                if len(ready) == count:
                    return


def workspace(name: str) -> dict[str, Any]:
    return {
        "apiVersion": WORKSPACES.api_version,
        "kind": WORKSPACES.kind,
        "metadata": {"name": name},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": name}}},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }


if __name__ == "__main__":
    asyncio.run(main())
