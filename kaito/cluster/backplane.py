"""Everything that turns an API server into a cluster that tunes and serves: the same on the embedded and envtest tiers.

Controllers, scheduler, kubelet and service proxy; the registry; the GPU node provider; the operator. All of them are
API clients of one server, running on one event loop.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any

from kaito.cluster.base import ClusterError, ClusterOptions, Progress, RegistryAccess
from kaito.cluster.folders import ClusterFolder, cache_home
from kaito.cluster.mirrors import MirrorMap
from kaito.cluster.stand_ins import build_tiny_model, default_mirrors, tools_folder
from kaito.embedded.controllers import add_controllers
from kaito.embedded.kubelet.images import ImageTable, ImageTableError
from kaito.embedded.kubelet.manager import KubeletManager
from kaito.embedded.kubelet.settings import KubeletSettings
from kaito.embedded.pki import Authority
from kaito.embedded.proxy.service_proxy import ServiceProxy
from kaito.embedded.registry.server import Credentials, RegistryServer
from kaito.embedded.scheduler import add_scheduler
from kaito.kube.access import Access
from kaito.kube.client import Client
from kaito.kube.clock import SystemClock
from kaito.kube.errors import AlreadyExists
from kaito.kube.manager import Manager
from kaito.kube.resources import CONFIG_MAPS, SECRETS, SERVICES
from kaito.operator.inferenceset import add_inference_set_controller
from kaito.operator.install import install
from kaito.operator.nodeclaim import NodeClaimSettings, add_nodeclaim_controllers
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace import add_workspace_controller
from kaito.providers.interface import ProviderSettings
from kaito.providers.registry import ProviderLoadError, create_provider

logger = logging.getLogger(__name__)

REGISTRY_USER = "kaito"
REGISTRY_SECRET = "kaito-registry"  # noqa: S105 - the Secret's name, not its content
REGISTRY_GLOB = "*.azurecr.io"
CRASH_BACKOFF_SECONDS = 1.0
"""Seconds before a crashed container's first restart; a real kubelet waits 10, which teaches nobody on a laptop."""
PROVIDER_OPTIONS: Mapping[str, Mapping[str, Any]] = {"fake-gpu": {"substrate": "process", "provision_seconds": 0.5}}
"""What a provider is told beyond its client."""
NODE_CLAIM_SETTINGS = NodeClaimSettings(poll_seconds=1, drain_poll_seconds=0.3)
"""Nodes that are not real come and go in seconds, so they are asked about that often."""
PASSED_ON = ("LANG", "LC_ALL", "TZ", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "TMPDIR")
"""Variables of our own environment that containers get: none that could carry a secret."""


class Backplane:
    """Starts and stops the parts in order; `failed` is set with the error when one dies on its own."""

    def __init__(
        self,
        folder: ClusterFolder,
        authority: Authority,
        options: ClusterOptions,
        failed: asyncio.Future[ClusterError],
    ) -> None:
        self._failed = failed
        self.settings: OperatorSettings | None = None
        self._folder = folder
        self._authority = authority
        self._options = options
        self._credentials = Credentials(REGISTRY_USER, folder.secrets()["registry_password"])
        self._registry = RegistryServer(folder.registry, self._credentials)
        self._client: Client | None = None
        self._proxy: ServiceProxy | None = None
        self._kubelet: KubeletManager | None = None
        self._closing = contextlib.AsyncExitStack()

    @property
    def registry(self) -> RegistryAccess:
        """The registry's address and account."""
        assert self._registry.url is not None
        return RegistryAccess(self._registry.url, self._credentials.username, self._credentials.password)

    @property
    def http_proxy(self) -> str | None:
        """The HTTP proxy to reach services through, where they cannot listen on their own ports."""
        return self._proxy.http_proxy_url if self._proxy else None

    @property
    def mirrors(self) -> MirrorMap:
        """The whole mirror map of this cluster."""
        return default_mirrors(self.registry.url).merged_with(self._options.mirrors)

    async def start(self, access: Access, progress: Progress) -> None:
        """Start everything against the API server at `access`."""
        # Building the stand-in takes a core for 20 s on a machine's first start: everything else starts meanwhile.
        building = asyncio.create_task(build_tiny_model(progress))
        try:
            await self._start_parts(access, progress)
            await building
        finally:
            building.cancel()
            await asyncio.gather(building, return_exceptions=True)

    async def _start_parts(self, access: Access, progress: Progress) -> None:
        progress("registry")
        await self._start_registry()
        self._client = Client(access, user_agent="kaito-testbed")
        self._closing.push_async_callback(self._client.close)
        progress("controllers, scheduler and kubelet")
        await self._start_nodes(self._client)
        progress("operator")
        await self._start_operator(self._client)

    async def stop(self) -> None:
        """Stop everything, last started first; every container's process has ended when this returns."""
        await self._closing.aclose()
        await self._registry.stop()

    async def service_url(self, name: str, namespace: str, port: int) -> tuple[str, str | None]:
        """See `Cluster.service_url`."""
        assert self._client is not None
        service = await self._client.get(SERVICES, name, namespace)
        return f"http://{service['spec']['clusterIP']}:{port}", self.http_proxy

    async def set_registry_running(self, running: bool) -> None:
        """See `Cluster.set_registry_running`."""
        if running:
            await self._start_registry()
        else:
            await self._registry.stop()

    async def kill_container(self, namespace: str, pod: str, container: str) -> bool:
        """See `Cluster.kill_container`."""
        assert self._kubelet is not None
        return await self._kubelet.kill_container(namespace, pod, container)

    async def _start_registry(self) -> None:
        port = int(self._folder.settings().get("registry_port", 0))
        try:
            url = await self._registry.start(port=port)
        except OSError as error:
            if not port:
                raise ClusterError(f"the registry cannot listen on 127.0.0.1: {error.strerror}") from error
            logger.warning("registry port %d is taken; another one is used", port)
            url = await self._registry.start()
        self._folder.remember(registry_port=int(url.rpartition(":")[2]))

    async def _start_nodes(self, client: Client) -> None:
        if self._options.controllers == "all":
            manager = Manager(client)
            add_controllers(
                manager, service_account_ca=self._authority.ca_pem, volumes_root=self._folder.volumes.absolute()
            )
            add_scheduler(manager)
            self._spawn(manager.run(), "controllers")
        self._proxy = ServiceProxy(client)
        await self._proxy.start()
        self._spawn(self._proxy.run(), "service proxy")
        try:
            images = ImageTable.load(*((self._options.images,) if self._options.images else ()))
        except ImageTableError as error:
            raise ClusterError(f"--images: {error}") from error
        kubelet = self._kubelet = KubeletManager(
            client,
            root=self._folder.kubelet.absolute(),
            images=images,
            serving=self._authority.issue("kubelet", hosts=("127.0.0.1", "localhost")),
            client_ca_pem=self._authority.ca_pem,
            clock=SystemClock(),
            environment=self._container_environment(),
            settings=KubeletSettings(http_proxy=self._proxy.http_proxy_url, crash_backoff=CRASH_BACKOFF_SECONDS),
        )
        self._spawn(kubelet.run(), "kubelet")
        self._closing.push_async_callback(kubelet.stop)
        await self._settled(kubelet.ready.wait(), "kubelet")

    async def _start_operator(self, client: Client) -> None:
        try:
            told = ProviderSettings(client=client, options=PROVIDER_OPTIONS.get(self._options.provider, {}))
            provider = create_provider(self._options.provider, told)
        except ProviderLoadError as error:
            raise ClusterError(f"--provider: {error}") from error
        await provider.start()
        self._closing.push_async_callback(provider.aclose)
        self.settings = OperatorSettings(model_flavor=provider.info.capabilities.model_flavor)
        await install(client, self.settings)
        await self._publish_mirrors(client, self.settings.release_namespace)
        await create_registry_secret(client, self.registry, "default")
        manager = Manager(client)
        add_nodeclaim_controllers(manager, provider, NODE_CLAIM_SETTINGS)
        if self._options.operator == "kaito":
            add_workspace_controller(manager, self.settings)
            add_inference_set_controller(manager, self.settings)
        self._spawn(manager.run(), "operator")
        await self._settled(manager.ready.wait(), "operator")

    async def _publish_mirrors(self, client: Client, namespace: str) -> None:
        config_map = self.mirrors.config_map(namespace)
        name = config_map["metadata"]["name"]
        await client.patch(
            CONFIG_MAPS, name, config_map, namespace, kind="apply", field_manager="kaito-testbed", force=True
        )

    def _container_environment(self) -> dict[str, str]:
        path = os.pathsep.join((str(tools_folder()), os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")))
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # Containers have a home of their own; without this each would build the user's cached stand-ins again.
        return {"PATH": path, "XDG_CACHE_HOME": str(cache_home()), **passed}

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                logger.error("%s failed", name, exc_info=error)
                if not self._failed.done():
                    said = ClusterError(f"the {name} failed: {describe(error)}; see {self._folder.log}")
                    self._failed.set_result(said)

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(ended)

        async def cancel() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._closing.push_async_callback(cancel)

    async def _settled(self, waiting: Awaitable[Any], name: str, seconds: float = 60) -> None:
        """Wait for a part to be ready, or for any part to fail."""
        ready = asyncio.ensure_future(waiting)
        done, _ = await asyncio.wait((ready, self._failed), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if ready not in done:
            ready.cancel()
            if self._failed.done():
                raise self._failed.result()
            raise ClusterError(f"the {name} is not ready after {seconds:.0f} s; see {self._folder.log}")


def describe(error: BaseException) -> str:
    """An error in one line; of a group of errors the first that is none."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


async def create_registry_secret(client: Client, registry: RegistryAccess, namespace: str) -> None:
    """Make the Secret that the registry standing in for every `*.azurecr.io` accepts, or bring it up to date."""
    encoded = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    account = {"username": registry.username, "password": registry.password, "auth": encoded}
    config = json.dumps({"auths": {REGISTRY_GLOB: account}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": REGISTRY_SECRET, "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()},
    }
    try:
        await client.create(SECRETS, secret)
    except AlreadyExists:
        await client.patch(SECRETS, REGISTRY_SECRET, {"data": secret["data"]}, namespace)
