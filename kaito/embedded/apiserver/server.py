"""The embedded API server: puts the parts together and answers HTTPS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from kaito.embedded.apiserver.access import impersonated
from kaito.embedded.apiserver.accounts import Accounts, uid_lookup
from kaito.embedded.apiserver.admission import AdmissionHook
from kaito.embedded.apiserver.allocating import ServiceAddresses
from kaito.embedded.apiserver.answering import plain_response, status_response
from kaito.embedded.apiserver.authenticating import Authenticator, StaticTokens
from kaito.embedded.apiserver.authorizing import Authorizer
from kaito.embedded.apiserver.bootstrap import bootstrap
from kaito.embedded.apiserver.builtin_resources import builtin_resources
from kaito.embedded.apiserver.connecting import Connecting
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.database import StoreError
from kaito.embedded.apiserver.definitions import Definitions
from kaito.embedded.apiserver.deleting import Deleter
from kaito.embedded.apiserver.discovery import Discovery
from kaito.embedded.apiserver.dispatching import Dispatcher
from kaito.embedded.apiserver.disrupting import Budgets
from kaito.embedded.apiserver.errors import PlainError, StatusError, internal
from kaito.embedded.apiserver.health import Health
from kaito.embedded.apiserver.http import call_of
from kaito.embedded.apiserver.kubelet_proxy import KubeletProxy
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.metrics import Metrics
from kaito.embedded.apiserver.openapi import OpenApi
from kaito.embedded.apiserver.plugins import Plugins
from kaito.embedded.apiserver.pods import Pods
from kaito.embedded.apiserver.removing import Removing
from kaito.embedded.apiserver.resources import Registry
from kaito.embedded.apiserver.reviews import Reviews
from kaito.embedded.apiserver.scaling import Scaling
from kaito.embedded.apiserver.store import Store
from kaito.embedded.apiserver.subresources import Subresources
from kaito.embedded.apiserver.tokens import TokenIssuer
from kaito.embedded.apiserver.watching import Watcher
from kaito.embedded.apiserver.writes import Writes
from kaito.embedded.apiserver.writing import Writer, timestamp
from kaito.embedded.pki import Authority, Certificate, ServiceAccountKey
from kaito.kube.clock import Clock, SystemClock

_log = logging.getLogger(__name__)
_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class ApiServerSettings:
    """What can be chosen about the server."""

    service_network: str = "127.96.0.0/16"
    """Where Services get their cluster IPs from (CIDR); the first host is the `kubernetes` Service."""
    service_account_admission: bool = True
    """Pods get their service account, its pull secrets and its token volume. Needs the controllers that make the
    `default` accounts; off when the server runs alone."""
    extra_hosts: tuple[str, ...] = ()
    """Further names and addresses in the serving certificate."""


class ApiServer:
    """One API server over one store. `tokens` takes static bearer tokens; start() returns the URL."""

    def __init__(
        self,
        *,
        store: Store,
        authority: Authority,
        service_account_key: ServiceAccountKey,
        settings: ApiServerSettings | None = None,
        admission: AdmissionHook | None = None,
        kubelet_client: Certificate | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.store = store
        self.settings = settings or ApiServerSettings()
        self.tokens = StaticTokens()
        self._authority = authority
        self._clock = clock or SystemClock()
        self._runner: web.ServerRunner | None = None
        self._failed = False
        self.registry = Registry(builtin_resources())
        self._addresses = ServiceAddresses(self.settings.service_network)
        clock = self._clock
        plugins = Plugins(store, self._addresses, service_accounts=self.settings.service_account_admission)
        self._issuer = TokenIssuer(service_account_key, uid_lookup(store), lambda: clock.now().timestamp())
        self._authenticator = Authenticator(self.tokens, self._issuer)
        self._authorizer = Authorizer(store)
        reader = Reader(store, clock)
        self._watcher = Watcher(store, clock)
        writer = Writer(store, plugins, admission, clock)
        deleter = Deleter(store, writer, plugins, clock)
        self._definitions = Definitions(store, self.registry, clock, self._watcher.end_all)
        self._kubelets = KubeletProxy(store, reader, authority.ca_pem, kubelet_client)
        self._metrics = Metrics(lambda: {c.name: len(c) for c in store.collections()})
        subresources = Subresources()
        pods = Pods(self.registry, reader, writer, deleter, Budgets(store, clock), clock)
        subresources.add("*", "scale", Scaling(reader, writer, clock).answer)
        subresources.add("pods", "binding", pods.bind)
        subresources.add("bindings", "", pods.bind)
        subresources.add("pods", "eviction", pods.evict)
        subresources.add("serviceaccounts", "token", Accounts(store, reader, self._issuer).token)
        for name in ("log", "exec", "attach", "portforward"):
            subresources.add("pods", name, self._kubelets.answer)
        self._connecting = Connecting(store, self._kubelets)
        for plural in ("pods", "services", "nodes"):
            subresources.add(plural, "proxy", self._connecting.answer)
        writes = Writes(store, reader, writer, clock)
        subresources.add("namespaces", "finalize", writes.finalize)
        self._dispatcher = Dispatcher(
            registry=self.registry,
            authorizer=self._authorizer,
            reader=reader,
            watcher=self._watcher,
            writes=writes,
            removing=Removing(reader, deleter),
            subresources=subresources,
            reviews=Reviews(reader, self._authorizer, self._authenticator, self._issuer, clock),
            discovery=Discovery(self.registry),
            openapi=OpenApi(self.registry),
            health=Health(lambda: not self._failed),
            metrics=self._metrics,
            issuer=self._issuer,
        )

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listens and serves; port 0 picks a free one. Returns the https URL. Raises OSError for a port in use."""
        self._definitions.start()
        # aiohttp would log a traceback for every request that is no HTTP.
        quiet = logging.getLogger(f"{__name__}.http")
        quiet.setLevel(logging.CRITICAL)
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=3600,
            logger=quiet,
            auto_decompress=False,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._ssl_context(host), backlog=1024).start()
        except BaseException:
            await self.stop()
            raise
        bound = self._runner.addresses[0]
        bootstrap(
            self.store,
            now=timestamp(self._clock.now()),
            service_address=self._addresses.api_server,
            host=host,
            port=bound[1],
        )
        return f"https://{host}:{bound[1]}"

    async def stop(self) -> None:
        """Ends watches and connections. The store stays open: it is its opener's to close."""
        self._definitions.stop()
        self._watcher.end_all()
        await asyncio.sleep(0)
        await self._kubelets.close()
        await self._connecting.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _ssl_context(self, host: str) -> ssl.SSLContext:
        hosts = {"127.0.0.1", host, self._addresses.api_server, *_NAMES, *self.settings.extra_hosts} - {"0.0.0.0"}  # noqa: S104
        certificate = self._authority.issue("kube-apiserver", hosts=sorted(hosts))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # the ssl module reads certificates from files only
            cert, key = Path(folder) / "crt", Path(folder) / "key"
            certificate.write(cert, key)
            context.load_cert_chain(cert, key)
        context.load_verify_locations(cadata=self._authority.ca_pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            call = call_of(request)
        except PlainError as problem:
            return plain_response(problem)
        response = await self._answer(call, request)
        info = call.info
        self._metrics.count(info.verb, info.group, info.resource, response.status)
        return response

    async def _answer(self, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        """Every failure becomes an answer; only a client that went away ends a handler early."""
        try:
            transport = request.transport
            peer = transport.get_extra_info("peercert") if transport is not None else None
            user = self._authenticator.authenticate(request.headers, peer)
            call.user = impersonated(user, request.headers, self._authorizer, request.raw_path)
            return await self._dispatcher.answer(call)
        except StatusError as problem:
            return status_response(problem, call)
        except PlainError as problem:
            return plain_response(problem)
        except StoreError as problem:
            self._failed = True
            _log.error("%s", problem)
            return status_response(internal(str(problem)), call)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as problem:
            _log.exception("%s %s failed", call.info.verb, call.info.path)
            with contextlib.suppress(Exception):
                await call.read_body()
            return status_response(internal(f"{type(problem).__name__} while handling the request"), call)
