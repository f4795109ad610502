"""The embedded API server alone in this process, for the benchmarks that talk to it from another.

    python -m bench.embedded_server FOLDER

Prints one JSON line {"server", "token", "ca"} once it listens, and ends at the end of its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, ServiceAccountKey

TOKEN = "bench"


async def main(folder: Path) -> None:
    authority = Authority.load_or_create(folder / "pki")
    store = Store.open(str(folder / "cluster.db"))
    server = ApiServer(
        store=store,
        authority=authority,
        service_account_key=ServiceAccountKey.load_or_create(folder / "pki"),
        settings=ApiServerSettings(service_account_admission=False),
    )
    server.tokens.add(TOKEN, "admin", ("system:masters",))
    url = await server.start()
    print(json.dumps({"server": url, "token": TOKEN, "ca": authority.ca_pem.decode()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()
    store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
