"""A real kube-apiserver over an etcd of its own, to compare with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def program(name: str) -> str | None:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return shutil.which(name, path=folder) if folder else shutil.which(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def real_server(folder: Path, account_key: rsa.RSAPrivateKey) -> AsyncIterator[str]:
    """The URL of a real kube-apiserver that takes the token `real`; skips the test where there is none."""
    etcd, server = program("etcd"), program("kube-apiserver")
    if etcd is None or server is None:
        pytest.skip("no etcd and kube-apiserver: set KUBEBUILDER_ASSETS to a folder that has them")
    client, peer, secure = free_port(), free_port(), free_port()
    key = account_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "sa.key").write_bytes(key)
    (folder / "tokens.csv").write_text('real,admin,,"system:masters"\n')
    clients, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    running = [
        subprocess.Popen(
            [
                *(etcd, "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
                *("--listen-client-urls", clients, "--advertise-client-urls", clients),
                *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                *("--initial-cluster", f"default={peers}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ),
        subprocess.Popen(
            [
                *(server, "--etcd-servers", clients, "--secure-port", str(secure), "--bind-address", "127.0.0.1"),
                *("--cert-dir", str(folder / "certs"), "--token-auth-file", str(folder / "tokens.csv")),
                *("--service-account-issuer", "https://kubernetes.default.svc"),
                *("--service-account-key-file", str(folder / "sa.key")),
                *("--service-account-signing-key-file", str(folder / "sa.key")),
                *("--service-cluster-ip-range", "10.0.0.0/16", "--authorization-mode", "RBAC"),
                *("--allow-privileged=true", "--disable-admission-plugins=ServiceAccount"),
                "--endpoint-reconciler-type=none",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ),
    ]
    try:
        url = f"https://127.0.0.1:{secure}"
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(60):
                while not await _ready(session, url):
                    await asyncio.sleep(0.2)
        yield url
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


async def _ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz", headers={"Authorization": "Bearer real"}, ssl=False) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
