"""`python -m kaito.embedded.apiserver --data DIR --port N`: the API server alone, for tests of clients."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import signal
import sys
from pathlib import Path

from kaito.embedded.apiserver.database import MEMORY, StoreError
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, PkiError, ServiceAccountKey


async def serve(arguments: argparse.Namespace) -> None:
    """Serves until SIGINT or SIGTERM; the first line on stdout is the path of the kubeconfig."""
    folder = Path(arguments.data)
    authority = Authority.load_or_create(folder / "pki")
    store = Store.open(MEMORY if arguments.memory else str(folder / "store.db"))
    server = ApiServer(
        store=store,
        authority=authority,
        service_account_key=ServiceAccountKey.load_or_create(folder / "pki"),
        settings=ApiServerSettings(service_account_admission=arguments.service_accounts),
        kubelet_client=authority.issue("kube-apiserver", organizations=["system:masters"], usage="client"),
    )
    token = arguments.token or secrets.token_urlsafe(24)
    server.tokens.add(token, "admin", ("system:masters",))
    try:
        url = await server.start(arguments.host, arguments.port)
        kubeconfig = folder / "kubeconfig"
        write_kubeconfig(kubeconfig, url, authority.ca_pem, token)
        sys.stdout.write(f"{kubeconfig}\n{url}\n")
        sys.stdout.flush()
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()
    finally:
        await server.stop()
        store.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kaito.embedded.apiserver", description=__doc__)
    parser.add_argument("--data", required=True, help="folder for the store, the certificates and the kubeconfig")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--memory", action="store_true", help="keep objects in memory only")
    parser.add_argument("--token", help="the admin's bearer token (default: a random one)")
    parser.add_argument(
        "--service-accounts", action="store_true", help="complete pods with their service account (needs controllers)"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(serve(arguments))
    except (StoreError, PkiError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
