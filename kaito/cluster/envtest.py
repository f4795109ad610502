"""The envtest tier: the real kube-apiserver and etcd, our controllers, process kubelet and operator."""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import IPv4Network
from pathlib import Path

from kaito.cluster.backplane import Backplane
from kaito.cluster.base import ClusterError, ClusterOptions, Progress, RegistryAccess, Tier
from kaito.cluster.binaries import ChildProcess, assets, free_port
from kaito.cluster.folders import ClusterFolder
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


class EnvtestCluster:
    """See `kaito.cluster.base.Cluster`."""

    tier: Tier = "envtest"

    def __init__(self, folder: ClusterFolder, options: ClusterOptions) -> None:
        self.kubeconfig = folder.kubeconfig
        self._folder = folder
        self._options = options
        self._closing = contextlib.AsyncExitStack()
        self._access: Access | None = None
        self._backplane: Backplane | None = None

    @property
    def access(self) -> Access:
        """How to reach the API server as its administrator."""
        assert self._access is not None, "the cluster has not been started"
        return self._access

    @property
    def _running(self) -> Backplane:
        assert self._backplane is not None, "the cluster has not been started"
        return self._backplane

    @property
    def registry(self) -> RegistryAccess:
        """The registry standing in for outside ones."""
        return self._running.registry

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Done when a part of the cluster died on its own."""
        return self._running.failed

    async def start(self, progress: Progress) -> None:
        """See `Cluster.start`."""
        programs = assets()
        self._folder.create()
        try:
            authority = Authority.load_or_create(self._folder.pki)
            ServiceAccountKey.load_or_create(self._folder.pki)
        except (PkiError, OSError) as error:
            raise ClusterError(str(error)) from error
        progress("etcd")
        etcd_port = await self._start_etcd(programs["etcd"])
        progress("kube-apiserver")
        self._access = await self._start_api_server(programs["kube-apiserver"], authority, etcd_port)
        self._backplane = Backplane(self._folder, authority, self._options)
        self._closing.push_async_callback(self._backplane.stop)
        await self._backplane.start(self._access, progress)
        if self._options.operator == "kaito" and self._backplane.settings is not None:
            progress("admission webhook")
            await self._start_webhook(authority)

    async def stop(self) -> None:
        """See `Cluster.stop`."""
        await self._closing.aclose()

    def client(self, user_agent: str) -> Client:
        """See `Cluster.client`."""
        return Client(self.access, user_agent=user_agent)

    async def service_url(self, name: str, namespace: str, port: int) -> tuple[str, str | None]:
        """See `Cluster.service_url`."""
        return await self._running.service_url(name, namespace, port)

    async def set_registry_running(self, running: bool) -> None:
        """See `Cluster.set_registry_running`."""
        await self._running.set_registry_running(running)

    async def kill_container(self, namespace: str, pod: str, container: str) -> bool:
        """See `Cluster.kill_container`."""
        return await self._running.kill_container(namespace, pod, container)

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
        )
        self._closing.push_async_callback(etcd.stop)
        await etcd.start()
        return client_port

    async def _start_api_server(self, program: Path, authority: Authority, etcd_port: int) -> Access:
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
                    while True:
                        if server.ended:
                            raise ClusterError(f"kube-apiserver ended: {server.last_words()}; see {server.log}")
                        with contextlib.suppress(ApiError):
                            await client.request("GET", "/readyz")
                            return
                        await asyncio.sleep(0.1)
            except TimeoutError as error:
                raise ClusterError(
                    f"kube-apiserver is not ready after {START_SECONDS:.0f} s; see {server.log}"
                ) from error

    async def _start_webhook(self, authority: Authority) -> None:
        assert self._running.settings is not None
        client = self.client("kaito-admission")
        self._closing.push_async_callback(client.close)
        settings = self._running.settings
        certificate = authority.issue("kaito-webhook", hosts=("127.0.0.1", "localhost"))
        webhook = WebhookServer(Reviewer(client, settings), certificate)
        self._closing.push_async_callback(webhook.stop)
        configuration = webhook_configuration(await webhook.start(), authority.ca_pem)
        name = configuration["metadata"]["name"]
        await client.patch(
            VALIDATING_WEBHOOKS, name, configuration, kind="apply", field_manager="kaito-testbed", force=True
        )
