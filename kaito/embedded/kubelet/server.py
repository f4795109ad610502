"""The kubelet's HTTPS server: logs, exec, attach and port-forward, as the API server asks for them."""

from __future__ import annotations

import logging
import ssl
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from kaito.embedded.addresses import HOST_ADDRESS
from kaito.embedded.kubelet.host import Host
from kaito.embedded.kubelet.logfile import LogOptions, read_log
from kaito.embedded.kubelet.pods.records import ContainerRecord
from kaito.embedded.kubelet.pods.worker import PodWorker
from kaito.embedded.kubelet.streaming.handlers import StreamHandlers
from kaito.embedded.pki import Certificate
from kaito.kube.objects import parse_time

logger = logging.getLogger(__name__)

FindWorker = Callable[[str, str], PodWorker | None]
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")


class KubeletServer:
    """Listens with TLS and lets in only clients whose certificate the cluster's authority signed."""

    def __init__(self, host: Host, serving: Certificate, client_ca_pem: bytes, find: FindWorker) -> None:
        self._host = host
        self._serving = serving
        self._client_ca = client_ca_pem
        self._find = find
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, address: str = HOST_ADDRESS, port: int = 0) -> None:
        """Listen; ``port`` 0 takes a free one, told by `port` afterwards."""
        app = web.Application()
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        streams = StreamHandlers(self._host.runner, self._record, self._worker)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/exec/{namespace}/{pod}/{container}", streams.exec)
            app.router.add_route(method, "/attach/{namespace}/{pod}/{container}", streams.attach)
            app.router.add_route(method, "/portForward/{namespace}/{pod}", streams.port_forward)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, address, port, ssl_context=self._tls())
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self._client_ca.decode())
        # The ssl module reads certificates from files only.
        with tempfile.TemporaryDirectory(prefix="kaito-kubelet-") as folder:
            certificate, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
            self._serving.write(certificate, key)
            context.load_cert_chain(certificate, key)
        return context

    def _worker(self, request: web.Request) -> PodWorker:
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        worker = self._find(namespace, name)
        if worker is None:
            raise web.HTTPNotFound(text=f'pod "{name}" in namespace "{namespace}" does not run on this kubelet')
        return worker

    def _record(self, request: web.Request) -> tuple[PodWorker, ContainerRecord]:
        worker = self._worker(request)
        name = request.match_info["container"]
        record = worker.record(name)
        if record is None:
            raise web.HTTPNotFound(text=f"container {name} not found in pod {worker.name}")
        return worker, record

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        worker, record = self._record(request)
        try:
            options = log_options(request.query, self._host)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        previous = _flag(request.query, "previous")
        number = record.restart_count - 1 if previous else record.restart_count
        path = worker.layout.container(record.name, number).log if number >= 0 else None
        live = record.run.log if record.run is not None and not previous else None
        if previous and (path is None or not path.exists()):
            missing = f'previous terminated container "{record.name}" in pod "{worker.name}" not found'
            raise web.HTTPBadRequest(text=missing)
        if not record.started_once:
            reason = record.waiting[0] if record.waiting else _default_reason(worker)
            waiting = "trying and failing to pull image" if reason in IMAGE_REASONS else reason
            start = f'container "{record.name}" in pod "{worker.name}" is waiting to start: {waiting}'
            raise web.HTTPBadRequest(text=start)
        assert path is not None
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            async for chunk in read_log(path, options, live):
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            logger.debug("a reader of the log of %s/%s went away", worker.name, record.name)
        return response


def _default_reason(worker: PodWorker) -> str:
    return "PodInitializing" if worker.pod["spec"].get("initContainers") else "ContainerCreating"


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "t", "true")


def log_options(query: Mapping[str, str], host: Host) -> LogOptions:
    """The options of a log request; ValueError with a sentence for a bad one."""

    def number(name: str) -> int | None:
        text = query.get(name)
        if text is None or text == "":
            return None
        if not text.lstrip("-").isdigit():
            raise ValueError(f"{name} must be a whole number, not {text!r}")
        value = int(text)
        if value < 0:
            raise ValueError(f"{name} must not be negative")
        return value

    since = None
    if (seconds := number("sinceSeconds")) is not None:
        since = host.clock.now() - timedelta(seconds=seconds)
    elif moment := query.get("sinceTime"):
        since = parse_time(moment)
    return LogOptions(
        follow=_flag(query, "follow"),
        tail_lines=number("tailLines"),
        since=since,
        timestamps=_flag(query, "timestamps"),
        limit_bytes=number("limitBytes"),
    )


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")
