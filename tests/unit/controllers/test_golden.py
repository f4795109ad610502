"""Our controllers and scheduler on the embedded API server, against what the real 1.34.4 ones left behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from kaito.embedded.apiserver.server import ApiServer
from kaito.embedded.apiserver.store import Store
from kaito.embedded.controllers import CONTROLLERS, add_controllers
from kaito.embedded.pki import Authority, ServiceAccountKey
from kaito.embedded.scheduler import add_scheduler
from kaito.kube.access import Access, trust
from kaito.kube.client import Client
from kaito.kube.manager import Manager
from tests.unit.controllers.golden import RECORDING, Kubelet, set_up, snapshot

SECONDS = 40


async def test_workloads_end_as_under_the_real_controllers(tmp_path: Path) -> None:
    recorded = json.loads(RECORDING.read_text())
    authority = Authority.create()
    server = ApiServer(
        store=Store.open(":memory:"), authority=authority, service_account_key=ServiceAccountKey.create()
    )
    server.tokens.add("admin-token", "admin", ("system:masters",))
    url = await server.start()
    access = Access(server=url, ssl_context=trust(authority.ca_pem), authorization="Bearer admin-token")
    found: dict[str, Any] = {}
    try:
        async with Client(access) as client:
            manager = Manager(client)
            # No kubelet renews leases here, so nodes would be given up half way on a slow machine.
            names = [name for name in CONTROLLERS if name != "node-lifecycle"]
            add_controllers(manager, names=names, service_account_ca=authority.ca_pem, volumes_root=tmp_path)
            add_scheduler(manager)
            Kubelet(manager)
            await manager.start()
            # Pods need the account that the controllers make.
            await asyncio.sleep(1)
            await set_up(client)
            for _ in range(SECONDS * 2):
                found = await snapshot(client)
                if found == recorded:
                    break
                await asyncio.sleep(0.5)
            await manager.stop()
    finally:
        await server.stop()
    assert found == recorded
