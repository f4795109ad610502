"""The default tier: our own API server in this process, everything else from the backplane."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from kaito.cluster.backplane import Backplane
from kaito.cluster.base import ClusterError, ClusterOptions, Progress, RegistryAccess, Tier
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.networks import claim_service_network
from kaito.embedded.apiserver.admission import AdmissionDecision, AdmissionRequest
from kaito.embedded.apiserver.database import StoreError
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, PkiError, ServiceAccountKey
from kaito.kube.access import Access, trust
from kaito.kube.client import Client
from kaito.operator.admission import Reviewer

logger = logging.getLogger(__name__)

GUARDED_GROUP = "kaito.sh"
"""The API group whose objects the operator's admission rules are asked about."""


class EmbeddedCluster:
    """See `kaito.cluster.base.Cluster`. Starting again on the same folder goes on from the state in it."""

    tier: Tier = "embedded"

    def __init__(self, folder: ClusterFolder, options: ClusterOptions) -> None:
        self.kubeconfig = folder.kubeconfig
        self._folder = folder
        self._options = options
        self._closing = contextlib.AsyncExitStack()
        self._access: Access | None = None
        self._backplane: Backplane | None = None
        self._reviewer: Reviewer | None = None

    @property
    def access(self) -> Access:
        """How to reach the API server as its administrator."""
        assert self._access is not None, "the cluster has not been started"
        return self._access

    @property
    def registry(self) -> RegistryAccess:
        """The registry standing in for outside ones."""
        assert self._backplane is not None, "the cluster has not been started"
        return self._backplane.registry

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Done when a part of the cluster died on its own."""
        assert self._backplane is not None, "the cluster has not been started"
        return self._backplane.failed

    async def start(self, progress: Progress) -> None:
        """See `Cluster.start`."""
        self._folder.create()
        try:
            authority = Authority.load_or_create(self._folder.pki)
            key = ServiceAccountKey.load_or_create(self._folder.pki)
            store = Store.open(str(self._folder.database))
        except (PkiError, StoreError, OSError) as error:
            raise ClusterError(str(error)) from error
        self._closing.callback(store.close)
        progress("API server")
        token = self._folder.secrets()["admin_token"]
        server = ApiServer(
            store=store,
            authority=authority,
            service_account_key=key,
            settings=ApiServerSettings(
                service_network=claim_service_network(self._folder),
                service_account_admission=self._options.controllers == "all",
            ),
            admission=self._review if self._options.operator == "kaito" else None,
            kubelet_client=authority.issue(
                "kube-apiserver-kubelet-client", organizations=("system:masters",), usage="client"
            ),
        )
        server.tokens.add(token, "admin", ("system:masters",))
        self._closing.push_async_callback(server.stop)
        url = await self._listen(server)
        self._access = Access(server=url, ssl_context=trust(authority.ca_pem), authorization=f"Bearer {token}")
        write_kubeconfig(self.kubeconfig, url, authority.ca_pem, token)
        self._backplane = Backplane(self._folder, authority, self._options)
        self._closing.push_async_callback(self._backplane.stop)
        await self._backplane.start(self._access, progress)
        if self._backplane.settings is not None:
            client = self.client("kaito-admission")
            self._closing.push_async_callback(client.close)
            self._reviewer = Reviewer(client, self._backplane.settings)

    async def stop(self) -> None:
        """See `Cluster.stop`."""
        await self._closing.aclose()

    def client(self, user_agent: str) -> Client:
        """See `Cluster.client`."""
        return Client(self.access, user_agent=user_agent)

    async def service_url(self, name: str, namespace: str, port: int) -> tuple[str, str | None]:
        """See `Cluster.service_url`."""
        assert self._backplane is not None
        return await self._backplane.service_url(name, namespace, port)

    async def set_registry_running(self, running: bool) -> None:
        """See `Cluster.set_registry_running`."""
        assert self._backplane is not None
        await self._backplane.set_registry_running(running)

    async def kill_container(self, namespace: str, pod: str, container: str) -> bool:
        """See `Cluster.kill_container`."""
        assert self._backplane is not None
        return await self._backplane.kill_container(namespace, pod, container)

    async def _listen(self, server: ApiServer) -> str:
        """Listen on the port used before, so that kubeconfigs stay good; on another one when it is taken."""
        port = int(self._folder.settings().get("api_port", 0))
        try:
            url = await server.start(port=port)
        except OSError as error:
            if not port:
                raise ClusterError(f"the API server cannot listen on 127.0.0.1: {error.strerror}") from error
            logger.warning("API server port %d is taken; another one is used", port)
            url = await server.start()
        self._folder.remember(api_port=int(url.rpartition(":")[2]))
        return url

    async def _review(self, request: AdmissionRequest) -> AdmissionDecision:
        if self._reviewer is None or request.group != GUARDED_GROUP or request.operation == "DELETE":
            return AdmissionDecision(allowed=True)
        review = await self._reviewer.review(
            request.operation,
            (request.group, request.version, request.resource),
            request.old_object,
            request.object,
            subresource=request.subresource,
        )
        return AdmissionDecision(
            allowed=review.allowed, message=review.message, code=review.code, warnings=list(review.warnings)
        )
