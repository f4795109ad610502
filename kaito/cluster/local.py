"""What the tiers of this machine share: an API server of some kind, and the backplane behind it."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod

from kaito.cluster.backplane import Backplane
from kaito.cluster.base import ClusterError, ClusterOptions, Progress, RegistryAccess, Tier
from kaito.cluster.folders import ClusterFolder
from kaito.embedded.pki import Authority, PkiError
from kaito.kube.access import Access
from kaito.kube.client import Client
from kaito.operator.admission import Reviewer


class LocalCluster(ABC):
    """See `kaito.cluster.base.Cluster`. Starting again on the same folder goes on from the state in it."""

    tier: Tier

    def __init__(self, folder: ClusterFolder, options: ClusterOptions) -> None:
        self.kubeconfig = folder.kubeconfig
        self._folder = folder
        self._options = options
        self._closing = contextlib.AsyncExitStack()
        self._access: Access | None = None
        self._backplane: Backplane | None = None
        self.failed: asyncio.Future[ClusterError] = asyncio.get_running_loop().create_future()

    @abstractmethod
    async def _start_api_server(self, authority: Authority, progress: Progress) -> Access:
        """Start the API server and write the kubeconfig; what must be stopped goes onto `_closing`."""

    @abstractmethod
    async def _guard(self, reviewer: Reviewer, authority: Authority) -> None:
        """From here on the API server asks the reviewer about Workspaces."""

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
    def http_proxy(self) -> str | None:
        """See `Cluster.http_proxy`."""
        return self._running.http_proxy

    async def start(self, progress: Progress) -> None:
        """See `Cluster.start`."""
        self._folder.create()
        try:
            authority = Authority.load_or_create(self._folder.pki)
        except (PkiError, OSError) as error:
            raise ClusterError(str(error)) from error
        self._access = await self._start_api_server(authority, progress)
        self._backplane = Backplane(self._folder, authority, self._options, self.failed)
        self._closing.push_async_callback(self._backplane.stop)
        await self._backplane.start(self._access, progress)
        if self._options.operator == "kaito" and self._backplane.settings is not None:
            client = self.client("kaito-admission")
            self._closing.push_async_callback(client.close)
            await self._guard(Reviewer(client, self._backplane.settings), authority)

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
