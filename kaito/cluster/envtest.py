"""The envtest tier: the real kube-apiserver and etcd, our controllers, process kubelet and operator."""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import IPv4Network
from pathlib import Path

from kaito.cluster.base import ClusterError, Progress, Tier
from kaito.cluster.binaries import ChildProcess, assets, free_port
from kaito.cluster.local import LocalCluster
from kaito.cluster.networks import claim_service_network
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.pki import Authority, PkiError, ServiceAccountKey, write_private
from kaito.kube.access import Access, trust
from kaito.kube.client import Client
from kaito.kube.errors import ApiError
from kaito.kube.resources import VALIDATING_WEBHOOKS
from kaito.operator.admission import Reviewer
from kaito.operator.webhook import WebhookServer, webhook_configuration

START_SECONDS = 60.0


class EnvtestCluster(LocalCluster):
    """The real API server, found by `KUBEBUILDER_ASSETS` or on the PATH."""

    tier: Tier = "envtest"

    async def _start_api_server(self, authority: Authority, progress: Progress) -> Access:
        programs = assets()
        try:
            ServiceAccountKey.load_or_create(self._folder.pki)
        except (PkiError, OSError) as error:
            raise ClusterError(str(error)) from error
        progress("etcd")
        etcd_port = await self._start_etcd(programs["etcd"])
        progress("kube-apiserver")
        return await self._start_kube_apiserver(programs["kube-apiserver"], authority, etcd_port)

    async def _guard(self, reviewer: Reviewer, authority: Authority) -> None:
        webhook = WebhookServer(reviewer, authority.issue("kaito-webhook", hosts=("127.0.0.1", "localhost")))
        self._closing.push_async_callback(webhook.stop)
        configuration = webhook_configuration(await webhook.start(), authority.ca_pem)
        name = configuration["metadata"]["name"]
        async with self.client("kaito-testbed") as client:
            await client.patch(
                VALIDATING_WEBHOOKS, name, configuration, kind="apply", field_manager="kaito-testbed", force=True
            )

    async def _start_etcd(self, program: Path) -> int:
        client_port, peer_port = free_port(), free_port()
        client_url, peer_url = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
        etcd = ChildProcess(
            "etcd",
            (
                str(program),
                *("--data-dir", str(self._folder.etcd)),
                *("--listen-client-urls", client_url, "--advertise-client-urls", client_url),
                *("--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url),
                *("--initial-cluster", f"default={peer_url}"),
            ),
            self._folder.root,
            self.failed,
        )
        self._closing.push_async_callback(etcd.stop)
        await etcd.start()
        return client_port

    async def _start_kube_apiserver(self, program: Path, authority: Authority, etcd_port: int) -> Access:
        network = claim_service_network(self._folder)
        pki, token = self._folder.pki, self._folder.secrets()["admin_token"]
        serving = authority.issue(
            "kube-apiserver", hosts=("127.0.0.1", "localhost", "kubernetes.default.svc", str(IPv4Network(network)[1]))
        )
        serving.write(pki / "apiserver.crt", pki / "apiserver.key")
        kubelet_client = authority.issue(
            "kube-apiserver-kubelet-client", organizations=("system:masters",), usage="client"
        )
        kubelet_client.write(pki / "kubelet-client.crt", pki / "kubelet-client.key")
        (pki / "ca-bundle.crt").write_bytes(authority.ca_pem)
        write_private(pki / "tokens.csv", f'{token},admin,admin,"system:masters"\n'.encode())
        port = int(self._folder.settings().get("api_port") or free_port())
        self._folder.remember(api_port=port)
        key = str(pki / "sa.key")
        server = ChildProcess(
            "kube-apiserver",
            (
                str(program),
                f"--etcd-servers=http://127.0.0.1:{etcd_port}",
                f"--secure-port={port}",
                *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"),
                f"--cert-dir={pki}",
                f"--tls-cert-file={pki / 'apiserver.crt'}",
                f"--tls-private-key-file={pki / 'apiserver.key'}",
                f"--client-ca-file={pki / 'ca-bundle.crt'}",
                f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
                f"--kubelet-client-key={pki / 'kubelet-client.key'}",
                "--kubelet-preferred-address-types=InternalIP",
                f"--token-auth-file={pki / 'tokens.csv'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                f"--service-cluster-ip-range={network}",
                *("--authorization-mode=RBAC", "--allow-privileged=true"),
            ),
            self._folder.root,
            self.failed,
        )
        self._closing.push_async_callback(server.stop)
        await server.start()
        url = f"https://127.0.0.1:{port}"
        access = Access(server=url, ssl_context=trust(authority.ca_pem), authorization=f"Bearer {token}")
        await self._wait_ready(access, server)
        write_kubeconfig(self.kubeconfig, url, authority.ca_pem, token)
        return access

    async def _wait_ready(self, access: Access, server: ChildProcess) -> None:
        async with Client(access) as client:
            try:
                async with asyncio.timeout(START_SECONDS):
                    while not self.failed.done():
                        with contextlib.suppress(ApiError):
                            await client.request("GET", "/readyz")
                            return
                        await asyncio.sleep(0.1)
                    raise self.failed.result()
            except TimeoutError as error:
                raise ClusterError(
                    f"kube-apiserver is not ready after {START_SECONDS:.0f} s; see {server.log}"
                ) from error
