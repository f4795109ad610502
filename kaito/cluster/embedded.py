"""The default tier: our own API server in this process, everything else from the backplane."""

from __future__ import annotations

import logging

from kaito.cluster.base import ClusterError, Progress, Tier
from kaito.cluster.local import LocalCluster
from kaito.cluster.networks import claim_service_network
from kaito.embedded.apiserver.admission import AdmissionDecision, AdmissionRequest
from kaito.embedded.apiserver.database import StoreError
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.apiserver.server import ApiServer, ApiServerSettings
from kaito.embedded.apiserver.store import Store
from kaito.embedded.pki import Authority, PkiError, ServiceAccountKey
from kaito.kube.access import Access, trust
from kaito.operator.admission import Reviewer

logger = logging.getLogger(__name__)

GUARDED_GROUP = "kaito.sh"
"""The API group whose objects the operator's admission rules are asked about."""


class EmbeddedCluster(LocalCluster):
    """An API server of our own over a SQLite store."""

    tier: Tier = "embedded"
    _reviewer: Reviewer | None = None

    async def _start_api_server(self, authority: Authority, progress: Progress) -> Access:
        progress("API server")
        try:
            key = ServiceAccountKey.load_or_create(self._folder.pki)
            store = Store.open(str(self._folder.database))
        except (PkiError, StoreError, OSError) as error:
            raise ClusterError(str(error)) from error
        self._closing.callback(store.close)
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
        token = self._folder.secrets()["admin_token"]
        server.tokens.add(token, "admin", ("system:masters",))
        self._closing.push_async_callback(server.stop)
        url = await self._listen(server)
        write_kubeconfig(self.kubeconfig, url, authority.ca_pem, token)
        return Access(server=url, ssl_context=trust(authority.ca_pem), authorization=f"Bearer {token}")

    async def _guard(self, reviewer: Reviewer, authority: Authority) -> None:
        self._reviewer = reviewer

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
