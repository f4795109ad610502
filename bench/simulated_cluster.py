"""Operator, fake cloud and a world in which every StatefulSet is ready at once, for `bench.workspaces`.

    python -m bench.simulated_cluster FOLDER            with the embedded API server in this same process, as `kaito up`
    python -m bench.simulated_cluster FOLDER KUBECONFIG against a running API server

Prints a JSON line once all is ready ({"kubeconfig"}), one for every line of standard input ({"requests", "rss_kib",
"cpu_s"}: requests by component since the last such line, watches not counted), and ends at the end of its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.embedded_server import TOKEN
from bench.measuring import rss_kib
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, ServiceAccountKey
from kaito.kube.access import Access, from_kubeconfig
from kaito.kube.client import Client
from kaito.kube.controller import Controller, Result
from kaito.kube.errors import NotFound
from kaito.kube.manager import Manager
from kaito.kube.objects import Key
from kaito.kube.resources import STATEFUL_SETS
from kaito.operator.install import install
from kaito.operator.nodeclaim import NodeClaimSettings, add_nodeclaim_controllers
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace import add_workspace_controller
from kaito.providers import ProviderSettings
from kaito.providers.registry import create_provider

OPERATOR_EVENTS = ("Workspace", "KAITO-Workspace-controller")
NO_DELAYS = {"substrate": "simulated", "provision_seconds": 0, "plugin_seconds": 0}


class CountingClient(Client):
    """A client that counts its requests by component, method and kind of object.

    Operator and node side share one client and their caches, as in a cluster; what is about nodes and claims is the
    node side's, except for the operator's creation of claims and the events that it signs.
    """

    def __init__(self, access: Access, component: str, counter: Counter[str]) -> None:
        super().__init__(access, user_agent=f"bench-{component}")
        self._component = component
        self._counter = counter

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        parts = path.split("/")
        rest = parts[3:] if parts[1] == "api" else parts[4:]
        if rest and rest[0] == "namespaces" and len(rest) > 2:
            rest = rest[2:]
        what = "/".join([rest[0], *rest[2:]]) if rest else path
        self._counter[f"{self._side(method, what, options.get('body'))}: {method} {what}"] += 1
        return await super()._call(method, path, **options)

    def _side(self, method: str, what: str, body: Any) -> str:
        if self._component != "operator":
            return self._component
        if what == "events" and isinstance(body, dict) and "source" in body:
            return "operator" if body["source"]["component"] in OPERATOR_EVENTS else "nodes"
        if what.startswith("nodeclaims"):
            return "operator" if method == "POST" else "nodes"
        return "nodes" if what.startswith("nodes") else "operator"


async def main(folder: Path, kubeconfig: Path | None) -> None:
    async with AsyncExitStack() as closing:
        if kubeconfig is None:
            kubeconfig = folder / "kubeconfig"
            await start_server(folder, kubeconfig, closing)
        access = await from_kubeconfig(kubeconfig)
        counter: Counter[str] = Counter()
        clients = {name: CountingClient(access, name, counter) for name in ("operator", "nodes", "world")}
        for client in clients.values():
            await closing.enter_async_context(client)
        provider = create_provider("fake-gpu", ProviderSettings(client=clients["nodes"], options=NO_DELAYS))
        await provider.start()
        closing.push_async_callback(provider.aclose)
        settings = OperatorSettings(model_flavor="tiny")
        await install(clients["operator"], settings)
        manager = Manager(clients["operator"])
        add_nodeclaim_controllers(manager, provider, NodeClaimSettings(poll_seconds=1))
        add_workspace_controller(manager, settings)
        add_world(manager, clients["world"])
        await manager.start()
        closing.push_async_callback(manager.stop)
        counter.clear()
        print(json.dumps({"kubeconfig": str(kubeconfig)}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            report = {"requests": dict(counter), "rss_kib": rss_kib(os.getpid()), "cpu_s": time.process_time()}
            counter.clear()
            print(json.dumps(report), flush=True)


async def start_server(folder: Path, kubeconfig: Path, closing: AsyncExitStack) -> None:
    authority = Authority.load_or_create(folder / "pki")
    store = Store.open(str(folder / "cluster.db"))
    closing.callback(store.close)
    server = ApiServer(
        store=store,
        authority=authority,
        service_account_key=ServiceAccountKey.load_or_create(folder / "pki"),
        settings=ApiServerSettings(service_account_admission=False),
    )
    server.tokens.add(TOKEN, "admin", ("system:masters",))
    closing.push_async_callback(server.stop)
    write_kubeconfig(kubeconfig, await server.start(), authority.ca_pem, TOKEN)


def add_world(manager: Manager, client: Client) -> None:
    """StatefulSets whose pods are ready the moment they are asked for, without pods."""
    informer = manager.informer(STATEFUL_SETS)

    async def make_ready(key: Key) -> Result | None:
        found = informer.get(key.name, key.namespace)
        if found is None:
            return None
        replicas, generation = found["spec"].get("replicas", 1), found["metadata"]["generation"]
        status = {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": generation}
        if status.items() <= (found.get("status") or {}).items():
            return None
        try:
            await client.patch(STATEFUL_SETS, key.name, {"status": status}, key.namespace, subresource="status")
        except NotFound:
            return None
        return None

    controller = Controller("world", make_ready, workers=4)
    controller.watches(informer)
    manager.add(controller)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
