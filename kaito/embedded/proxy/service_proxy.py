"""Services that really listen: a user-space proxy in the place of kube-proxy."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any

from kaito.embedded.addresses import SERVICE_NETWORK
from kaito.embedded.proxy.http_forwarding import HttpForwarder
from kaito.embedded.proxy.piping import PipeEnd, reset
from kaito.embedded.proxy.routes import Address, Balancer, ServicePort, backends, dns_name, service_of, service_ports
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.events import EventRecorder
from kaito.kube.informer import Change, Informer
from kaito.kube.resources import ENDPOINT_SLICES, SERVICES

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
RETRY_SECONDS = 2.0
LOWEST_FREE_PORT = 1024


class ServiceProxy:
    """Listens on every ClusterIP and node port, and passes connections to ready endpoints in turn.

    Where this process may not listen on low ports, `http_proxy_url` is the address of an HTTP forward proxy that
    reaches services by address and by name; otherwise it is None. It is known once `start` has returned.
    """

    def __init__(self, client: KubeClient, *, clock: Clock | None = None, force_http_proxy: bool = False) -> None:
        self._clock: Clock = clock or SystemClock()
        self._events = EventRecorder(client, "service-proxy", self._clock)
        self._services = Informer(client, SERVICES, clock=self._clock)
        self._slices = Informer(client, ENDPOINT_SLICES, clock=self._clock)
        self._slices.add_index("service", lambda item: ["/".join(key)] if (key := service_of(item)) else [])
        self._force_http_proxy = force_http_proxy
        self._forwarder: HttpForwarder | None = None
        self._balancers: dict[tuple[str, str, str, int], Balancer] = {}
        self._listeners: dict[Address, _Listener] = {}
        self._dirty = asyncio.Event()
        self._reported: set[tuple[str, str]] = set()
        self._started = False
        self.http_proxy_url: str | None = None
        self.ready = asyncio.Event()
        """Set once every service known at the start is listened for."""

    async def start(self) -> None:
        """Find out whether low ports may be listened on, and start the HTTP forward proxy where they may not."""
        if self._started:
            return
        self._started = True
        if self._force_http_proxy or not may_listen_on_low_ports():
            self._forwarder = HttpForwarder(self.find)
            self.http_proxy_url = await self._forwarder.start()

    async def run(self) -> None:
        """Work until cancelled; every port is closed when it returns."""
        try:
            await self.start()
            self._services.add_handler(self._changed)
            self._slices.add_handler(self._changed)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._services.run())
                tasks.create_task(self._slices.run())
                await asyncio.gather(self._services.synced.wait(), self._slices.synced.wait())
                while True:
                    self._dirty.clear()
                    again = await self._reconcile()
                    self.ready.set()
                    try:
                        await asyncio.wait_for(self._dirty.wait(), RETRY_SECONDS if again else None)
                    except TimeoutError:
                        continue
        finally:
            for listener in self._listeners.values():
                listener.close()
            self._listeners.clear()
            if self._forwarder is not None:
                await self._forwarder.stop()

    def _changed(self, change: Change) -> None:
        self._dirty.set()

    def listening(self) -> set[Address]:
        """The addresses that are listened on now."""
        return set(self._listeners)

    def find(self, host: str, port: int) -> list[Address] | None:
        """The backends of a service by ClusterIP or name, in the order to try; None when it is no service of ours."""
        listener = self._listeners.get((host, port))
        if listener is not None:
            return listener.order("proxy")
        named = dns_name(host)
        for service in self._services.list():
            metadata, spec = service["metadata"], service["spec"]
            is_named = named == (metadata.get("namespace", ""), metadata["name"])
            if not is_named and spec.get("clusterIP") != host:
                continue
            for entry in service_ports(service):
                if entry.port == port:
                    return self._balancer(entry).order("proxy", sticky_seconds=None, now=0.0)
            if spec.get("clusterIP") == "None":
                return self._headless(service, port)
            return []
        return None

    def _headless(self, service: Mapping[str, Any], port: int) -> list[Address]:
        metadata = service["metadata"]
        slices = self._slices.by_index("service", f"{metadata.get('namespace', '')}/{metadata['name']}")
        for entry in service["spec"].get("ports") or ():
            if int(entry["port"]) == port:
                return list(backends(entry.get("name") or "", slices))
        return []

    def _balancer(self, entry: ServicePort) -> Balancer:
        return self._balancers.setdefault((entry.namespace, entry.service, entry.name, entry.port), Balancer())

    async def _reconcile(self) -> bool:
        """Listen on what should be listened on; whether something must be tried again."""
        wanted: dict[Address, ServicePort] = {}
        for service in self._services.list():
            for entry in service_ports(service):
                if entry.protocol != "TCP":
                    self._complain(
                        service,
                        f"{entry.protocol} {entry.port}",
                        "UnsupportedProtocol",
                        f"port {entry.port}/{entry.protocol} is not served: the service proxy passes on TCP only",
                    )
                    continue
                for address in entry.listen:
                    wanted.setdefault(address, entry)
        self._update_balancers(wanted)
        for address in [address for address, listener in self._listeners.items() if address not in wanted]:
            self._listeners.pop(address).close()
        again = False
        for address, entry in wanted.items():
            known = self._listeners.get(address)
            if known is not None:
                known.entry, known.balancer = entry, self._balancer(entry)
                continue
            again = not await self._listen(address, entry) or again
        return again

    def _update_balancers(self, wanted: Mapping[Address, ServicePort]) -> None:
        live = set()
        for entry in wanted.values():
            balancer = self._balancer(entry)
            live.add((entry.namespace, entry.service, entry.name, entry.port))
            slices = self._slices.by_index("service", f"{entry.namespace}/{entry.service}")
            balancer.backends = backends(entry.name, slices)
        for key in [key for key in self._balancers if key not in live]:
            del self._balancers[key]

    async def _listen(self, address: Address, entry: ServicePort) -> bool:
        """Open a port; False when it should be tried again."""
        listener = _Listener(entry, self._balancer(entry), self._clock)
        try:
            await listener.open(address)
        except OSError as error:
            service = self._services.get(entry.service, entry.namespace)
            where = f"{address[0]}:{address[1]}"
            if error.errno in (errno.EACCES, errno.EPERM):
                logger.info("no right to listen on %s; pods reach it through http_proxy", where)
                return True  # the HTTP forward proxy serves it
            reason = os.strerror(error.errno or 0).lower()
            text = f"cannot listen on {where} for port {entry.name or entry.port}: {reason}; trying again"
            if service is not None:
                self._complain(service, where, "PortUnavailable", text)
            return False
        self._listeners[address] = listener
        return True

    def _complain(self, service: Mapping[str, Any], what: str, reason: str, message: str) -> None:
        """A Warning event, once for each thing."""
        key = (str(service["metadata"].get("uid")), what)
        if key not in self._reported:
            self._reported.add(key)
            metadata = service["metadata"]
            logger.info("service %s/%s: %s", metadata.get("namespace", ""), metadata["name"], message)
            self._events.event(service, "Warning", reason, message)


class _Listener:
    """One listening address."""

    def __init__(self, entry: ServicePort, balancer: Balancer, clock: Clock) -> None:
        self.entry = entry
        self.balancer = balancer
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[PipeEnd] = set()

    def order(self, client: str) -> list[Address]:
        """The backends to try for a client."""
        return self.balancer.order(client, sticky_seconds=self.entry.sticky_seconds, now=self._clock.monotonic())

    async def open(self, address: Address) -> None:
        """Listen. OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Accepted(self), address[0], address[1], backlog=256)

    def close(self) -> None:
        """Stop listening and end the connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for end in tuple(self._ends):
            if end.transport is not None:
                end.transport.abort()

    def accept(self, end: PipeEnd) -> None:
        """Find a backend for a new connection."""
        self._ends.add(end)
        task = asyncio.get_running_loop().create_task(self._connect(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lost(self, end: PipeEnd) -> None:
        """A connection has ended."""
        self._ends.discard(end)

    async def _connect(self, end: PipeEnd) -> None:
        assert end.transport is not None
        peer = end.transport.get_extra_info("peername")
        outer = await connect_to(self.order(peer[0] if peer else ""))
        if outer is None or end.transport.is_closing():
            reset(end.transport)
            if outer is not None and outer.transport is not None:
                outer.transport.abort()
            return
        end.join(outer)
        end.transport.resume_reading()


class _Accepted(PipeEnd):
    """A client's connection: it is not read before its backend is there."""

    def __init__(self, listener: _Listener) -> None:
        super().__init__()
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._listener.accept(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.lost(self)
        super().connection_lost(exc)


async def connect_to(addresses: list[Address]) -> PipeEnd | None:
    """A connection to the first address that takes one; None when none does."""
    loop = asyncio.get_running_loop()
    for host, port in addresses:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, end = await loop.create_connection(PipeEnd, host, port)
        except (OSError, TimeoutError):
            continue
        return end
    return None


def may_listen_on_low_ports() -> bool:
    """Whether this process may listen on ports below 1024 of ClusterIPs."""
    address = str(SERVICE_NETWORK[-2])
    for port in range(LOWEST_FREE_PORT - 1, LOWEST_FREE_PORT - 9, -1):
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EPERM):
                    return False
                continue
            return True
    return True
