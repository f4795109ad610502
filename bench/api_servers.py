"""API servers in processes of their own: the embedded one, and the real one where its programs are found."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kaito.cluster.binaries import find_assets, free_port
from kaito.embedded.pki import Authority, ServiceAccountKey
from kaito.kube.access import Access, trust
from kaito.kube.client import Client
from kaito.kube.errors import ApiError

REPOSITORY = Path(__file__).parent.parent
TOKEN = "bench"


@dataclass(frozen=True)
class Running:
    """A server that answers; `pids` are its processes."""

    access: Access
    ca_pem: bytes
    pids: tuple[int, ...]


def sides() -> tuple[str, ...]:
    """What can be compared here: "embedded", and "real" where etcd and kube-apiserver are found."""
    return ("embedded", "real") if find_assets() else ("embedded",)


@asynccontextmanager
async def serving(side: str) -> AsyncIterator[Running]:
    """Start a server on an empty store and end it afterwards."""
    with tempfile.TemporaryDirectory(prefix="kaito-bench-") as folder:
        async with embedded(Path(folder)) if side == "embedded" else real(Path(folder)) as running:
            yield running


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.embedded_server", str(folder)),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told = json.loads(await process.stdout.readline())
        access = Access(server=told["server"], ssl_context=trust(told["ca"]), authorization=f"Bearer {told['token']}")
        yield Running(access, told["ca"].encode(), (process.pid,))
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Running]:
    """etcd without fsync and kube-apiserver with RBAC, as controller-runtime's test environment starts them."""
    programs = find_assets()
    assert programs is not None, "etcd or kube-apiserver is missing"
    authority = Authority.load_or_create(folder)
    ServiceAccountKey.load_or_create(folder)
    certificate = authority.issue("kube-apiserver", hosts=("127.0.0.1", "localhost"))
    certificate.write(folder / "server.crt", folder / "server.key")
    (folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
    client_url, peer_url = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    port = free_port()
    commands: Mapping[str, tuple[str, ...]] = {
        "etcd": (
            *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", client_url, "--advertise-client-urls", client_url),
            *("--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url),
            *("--initial-cluster", f"default={peer_url}"),
        ),
        "kube-apiserver": (
            f"--etcd-servers={client_url}",
            *(f"--secure-port={port}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"),
            *(f"--cert-dir={folder}", f"--tls-cert-file={folder / 'server.crt'}"),
            *(f"--tls-private-key-file={folder / 'server.key'}", f"--token-auth-file={folder / 'tokens.csv'}"),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'sa.key'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            *("--service-cluster-ip-range=10.0.0.0/16", "--authorization-mode=RBAC", "--allow-privileged=true"),
            *("--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount"),
        ),
    }
    access = Access(
        server=f"https://127.0.0.1:{port}", ssl_context=trust(authority.ca_pem), authorization=f"Bearer {TOKEN}"
    )
    async with AsyncExitStack() as closing:
        pids = []
        for name, arguments in commands.items():
            log = closing.enter_context((folder / f"{name}.log").open("wb"))
            process = await asyncio.create_subprocess_exec(
                str(programs[name]), *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
            closing.push_async_callback(_end, process)
            pids.append(process.pid)
        await _ready(access, process)
        yield Running(access, authority.ca_pem, tuple(pids))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


async def _ready(access: Access, process: asyncio.subprocess.Process) -> None:
    async with Client(access) as client:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"kube-apiserver ended with {process.returncode}")
            try:
                await client.request("GET", "/readyz")
                return
            except ApiError:
                await asyncio.sleep(0.02)
