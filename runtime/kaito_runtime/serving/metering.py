"""Counts requests and describes the machine, for `/metrics`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .serving_state import ServingState

PREFIX = "kaito_runtime"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Meters:
    """The server's own registry: HTTP requests, and the engine's counters read when they are asked for."""

    def __init__(self, state: ServingState) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            f"{PREFIX}_http_requests", "Finished HTTP requests", ["method", "path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            f"{PREFIX}_http_request_seconds",
            "From the request's head to the last byte of its answer",
            ["path"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.first_byte = Histogram(
            f"{PREFIX}_http_first_byte_seconds",
            "From the request's head to the answer's head (with a stream: the first token)",
            ["path"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(f"{PREFIX}_http_in_progress", "HTTP requests being answered", registry=self.registry)
        self.registry.register(_EngineCollector(state))


class _EngineCollector(Collector):
    def __init__(self, state: ServingState) -> None:
        self._state = state

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        state = self._state
        yield GaugeMetricFamily(f"{PREFIX}_ready", "1 while requests are served", value=float(state.phase == "ready"))
        if not state.loaded:
            return
        stats = state.engine.stats()
        yield GaugeMetricFamily(f"{PREFIX}_requests_running", "Requests generating", value=stats.running)
        yield GaugeMetricFamily(f"{PREFIX}_requests_waiting", "Requests waiting", value=stats.waiting)
        yield CounterMetricFamily(f"{PREFIX}_prompt_tokens", "Prompt tokens processed", value=stats.prompt_tokens)
        yield CounterMetricFamily(f"{PREFIX}_generated_tokens", "Tokens generated", value=stats.generated_tokens)
        yield CounterMetricFamily(f"{PREFIX}_engine_steps", "Forward passes", value=stats.steps)
        yield GaugeMetricFamily(f"{PREFIX}_adapters_loaded", "Adapters loaded", value=len(state.engine.adapters))


class MeteringMiddleware:
    """Counts requests by route (never by raw path: clients must not be able to make label values)."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = "499"
        first: float | None = None

        async def counted(message: Message) -> None:
            nonlocal status, first
            if message["type"] == "http.response.start":
                status, first = str(message["status"]), time.perf_counter()
            await send(message)

        self._meters.in_progress.inc()
        try:
            await self._app(scope, receive, counted)
        finally:
            self._meters.in_progress.dec()
            path = getattr(scope.get("route"), "path", "other")
            self._meters.requests.labels(_method(scope), path, status).inc()
            self._meters.seconds.labels(path).observe(time.perf_counter() - begun)
            if first is not None:
                self._meters.first_byte.labels(path).observe(first - begun)


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH") else "OTHER"


def describe_machine() -> dict[str, Any]:
    """Kaito's `/metrics` body: GPUs where torch has some, otherwise the CPU; the other of the two is null."""
    gpus = _gpus()
    return {"gpu_info": gpus, "cpu_info": None if gpus else _cpu()}


def _cpu() -> dict[str, Any]:
    import psutil

    memory = psutil.virtual_memory()
    return {
        # Since the last call; Kaito blocks for a second here.
        "load_percentage": psutil.cpu_percent(interval=None),
        "physical_cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "total_cores": psutil.cpu_count() or 1,
        "memory": {"used": _gigabytes(memory.used), "total": _gigabytes(memory.total)},
    }


def _gpus() -> list[dict[str, Any]] | None:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_available():
        return None
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        load, temperature = _sensors(torch, index)
        found.append(
            {
                "id": str(index),
                "name": torch.cuda.get_device_name(index),
                "load": f"{load:.2f}%",
                "temperature": f"{temperature} C",
                "memory": {"used": _gigabytes(total - free), "total": _gigabytes(total)},
            }
        )
    return found


def _sensors(torch: Any, index: int) -> tuple[float, int]:
    """(load in percent, degrees Celsius); zeros where NVML cannot be asked."""
    try:
        return float(torch.cuda.utilization(index)), int(torch.cuda.temperature(index))
    except Exception:  # NVML's binding is optional and raises types of its own
        return 0.0, 0


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.2f} GB"
