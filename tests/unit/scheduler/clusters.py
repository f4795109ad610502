"""An API server of ours with one scheduler, the real one or ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, ServiceAccountKey
from kaito.embedded.scheduler import add_scheduler
from kaito.kube.client import Client
from kaito.kube.manager import Manager

REAL_SCHEDULER = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")) / "kube-scheduler"


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[Client, Path]]:
    """A client and the kubeconfig of an API server that nothing else runs against."""
    authority = Authority.create()
    server = ApiServer(
        store=Store.open(),
        authority=authority,
        service_account_key=ServiceAccountKey.create(),
        settings=ApiServerSettings(service_account_admission=False),
    )
    server.tokens.add("admin-token", "admin", ("system:masters",))
    url = await server.start()
    kubeconfig = folder / "kubeconfig"
    write_kubeconfig(kubeconfig, url, authority.ca_pem, "admin-token")
    try:
        async with await Client.from_kubeconfig(kubeconfig) as client:
            yield client, kubeconfig
    finally:
        await server.stop()


@asynccontextmanager
async def with_our_scheduler(folder: Path) -> AsyncIterator[Client]:
    async with cluster(folder) as (client, _):
        manager = Manager(client)
        add_scheduler(manager)
        await manager.start()
        try:
            yield client
        finally:
            await manager.stop()


@asynccontextmanager
async def with_the_real_scheduler(folder: Path) -> AsyncIterator[Client]:
    async with cluster(folder) as (client, kubeconfig):
        process = await asyncio.create_subprocess_exec(
            str(REAL_SCHEDULER),
            *("--kubeconfig", str(kubeconfig), "--leader-elect=false", "--secure-port=0"),
            "--kube-api-content-type=application/json",
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield client
        finally:
            process.terminate()
            await process.wait()
