"""One server process: listen first, load in a thread, serve, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any, TypeVar

import uvicorn

from kaito_runtime.errors import RuntimeFailure, UsageFailure

from .app import create_app
from .generation import AdapterRefused, Engine
from .loading import build_engine
from .serving_state import ServingState
from .settings import ServerSettings, ServeSettings

log = logging.getLogger(__name__)
T = TypeVar("T")

LAST_REQUESTS = 1.0
"""Most seconds, after the port was closed, for connected clients to send their request. uvicorn alone would cut them
off, and they could not know whether the request had been taken."""
LAST_ANSWERS = 1
"""Seconds for sending the last answers after the drain, before connections are cut."""
LOG_FORMAT = "%(levelname)s %(asctime)s %(filename)s:%(lineno)d] %(message)s"
"""Kaito's format; its end-to-end tests look for two of the lines."""


def run(settings: ServeSettings) -> None:
    """Serves until SIGTERM or SIGINT, then ends the process. Raises a `RuntimeFailure` when the model, an adapter or
    the address cannot be used."""
    _set_up_logging()
    listener = listen(settings.server)
    state = ServingState(settings.surfaces)
    failure = asyncio.run(_serve(settings, state, listener))
    if failure is not None:
        raise failure
    # Everything accepted is answered and the engine has stopped, or loading was interrupted and its thread would be
    # waited for. Either way there is nothing left to do, and the interpreter takes seconds to take torch apart.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _serve(settings: ServeSettings, state: ServingState, listener: socket.socket) -> RuntimeFailure | None:
    config = uvicorn.Config(
        create_app(state),
        log_config=None,
        access_log=settings.server.access_log,
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=math.ceil(settings.server.drain_timeout) + LAST_ANSWERS,
        server_header=False,
    )
    server = _Server(config, state, settings.server.drain_timeout)
    host, port = listener.getsockname()[:2]
    log.info("Listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    loading = asyncio.create_task(_load(settings, state))

    def loaded(task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        state.phase, state.problem = "failed", str(task.exception())
        server.should_exit = True

    loading.add_done_callback(loaded)
    await server.serve(sockets=[listener])
    if not loading.done():
        loading.cancel()
    if state.loaded:
        await state.engine.stop(drain_timeout=0.0)
    if loading.done() and not loading.cancelled():
        error = loading.exception()
        if isinstance(error, RuntimeFailure):
            return error
        if error is not None:
            raise error
    return None


async def _load(settings: ServeSettings, state: ServingState) -> None:
    log.info("Loading %s", settings.engine.model)
    engine: Engine = await _in_daemon_thread(lambda: build_engine(settings.engine))
    for source in settings.engine.adapters:
        try:
            await engine.load_adapter(source.name, source.folder, source.strength)
        except AdapterRefused as error:
            raise AdapterFailure(error.message) from error
        log.info("Adapter added: %s", source.name)
        log.debug("Adapter %s has the strength %g", source.name, source.strength)
    state.ready(engine)
    log.info("Model loaded successfully")


class AdapterFailure(RuntimeFailure):
    """An adapter given at the start cannot be used."""

    code = 65
    reason = "BadData"


async def _in_daemon_thread(action: Any) -> Any:
    """Like `asyncio.to_thread`, in a thread that does not keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def work() -> None:
        result, failed = None, None
        try:
            result = action()
        except BaseException as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=work, name="loading", daemon=True).start()
    return await future


class _Server(uvicorn.Server):
    """uvicorn, with a drain that the surfaces know of: the first signal makes /health 503 and lets accepted requests
    finish."""

    def __init__(self, config: uvicorn.Config, state: ServingState, drain_timeout: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain_timeout = drain_timeout
        self._signal: signal.Signals | None = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes what has connected, stops listening, waits for requests on their way, then does what uvicorn does."""
        if self._signal is not None:
            log.info("%s: finishing accepted requests", self._signal.name)
        for listener in sockets or []:
            listener.listen(0)
        for _ in range(3):
            # Each turn of the loop accepts what waits in the kernel; closing the port would reset it.
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while not self.force_exit and loop.time() < begun + LAST_REQUESTS:
            await asyncio.sleep(0.05)
            if all(getattr(connection, "cycle", None) is not None for connection in self.server_state.connections):
                break
        ending = asyncio.create_task(self._end_the_rest())
        await super().shutdown(sockets)
        ending.cancel()

    async def _end_the_rest(self) -> None:
        """Fails, when their time is over, the requests that still generate: each is told so, streams too."""
        await asyncio.sleep(self._drain_timeout)
        if self._state.loaded:
            await self._state.engine.stop(drain_timeout=0.0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Logs nothing: while a line is being written, writing another fails, and the signal would be lost."""
        if self.should_exit:
            self.force_exit = True
            return
        self._signal = signal.Signals(sig)
        if self._state.phase in ("loading", "ready"):
            self._state.phase = "draining"
        self.should_exit = True


def listen(settings: ServerSettings) -> socket.socket:
    """A listening socket that does not block. Raises `UsageFailure` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off for sockets that name their protocol only; on, each answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageFailure(f"cannot listen on {settings.host} port {settings.port}: {reason}") from error
    listener.setblocking(False)
    return listener


def _set_up_logging() -> None:
    """One handler on stderr in Kaito's format; DEBUG_MODE=true turns on debug lines, as there."""
    level = logging.DEBUG if os.environ.get("DEBUG_MODE", "").lower() == "true" else logging.INFO
    logging.basicConfig(level=level, format=LOG_FORMAT, datefmt="%m-%d %H:%M:%S", stream=sys.stderr, force=True)
    for noisy in ("urllib3", "filelock", "httpx", "asyncio", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
