"""What a run shows while it goes on: log lines, Prometheus metrics, and the history for the summary."""

import time
from dataclasses import dataclass, field
from typing import Any

from kaito_runtime.errors import UsageFailure
from kaito_runtime.reporting import log


@dataclass
class History:
    """What happened so far; part of every checkpoint, so that a resumed run has the whole curve.

    losses: mean loss of each step, in order. evaluations: (step, loss).
    """

    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)


class Metrics:
    """Prometheus gauges of one run, served on a port of their own. Raises UsageFailure when it cannot be had."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        import prometheus_client

        registry = prometheus_client.CollectorRegistry()

        def gauge(name: str, meaning: str) -> Any:
            return prometheus_client.Gauge(f"kaito_tuning_{name}", meaning, registry=registry)

        self.step = gauge("step", "Optimizer steps done.")
        self.steps = gauge("steps", "Optimizer steps to do.")
        self.loss = gauge("loss", "Mean loss over the learnt tokens of the last step.")
        self.eval_loss = gauge("eval_loss", "Mean loss over the evaluation set.")
        self.learning_rate = gauge("learning_rate", "Rate of the last step.")
        self.speed = gauge("tokens_per_second", "Tokens passed through the model per second, lately.")
        self.tokens = gauge("tokens", "Tokens passed through the model so far.")
        self.memory = gauge("memory_bytes", "Peak memory: of the GPU where there is one, else of the process.")
        try:
            self._server, self._thread = prometheus_client.start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise UsageFailure(f"cannot serve metrics on {host} port {port}: {error.strerror}") from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Progress:
    """Collects a run's numbers; only the first of several processes speaks."""

    def __init__(self, *, steps: int, every: int, first: bool, speaks: bool, metrics: Metrics | None) -> None:
        self.history = History()
        self.tokens = 0
        self._steps = steps
        self._every = max(1, every)
        self._first = first
        self._speaks = speaks
        self._metrics = metrics
        self._began = self._last = time.monotonic()
        self._recent = 0
        if metrics:
            metrics.steps.set(steps)

    def step(self, number: int, *, loss: float, rate: float, tokens: int) -> None:
        """Note that step `number` (from 1) was done with `tokens` tokens."""
        self.history.losses.append(loss)
        self.tokens += tokens
        self._recent += tokens
        due = number % self._every == 0 or number == self._steps or (self._first and number == 1)
        if self._metrics:
            self._metrics.step.set(number)
            self._metrics.loss.set(loss)
            self._metrics.learning_rate.set(rate)
            self._metrics.tokens.set(self.tokens)
        if due:
            now = time.monotonic()
            speed = self._recent / max(now - self._last, 1e-9)
            self._last, self._recent = now, 0
            if self._metrics:
                self._metrics.speed.set(speed)
                self._metrics.memory.set(peak_memory())
            if self._speaks:
                log(
                    "step",
                    step=number,
                    steps=self._steps,
                    loss=round(loss, 6),
                    learning_rate=rate,
                    tokens_per_second=round(speed),
                    memory_bytes=peak_memory(),
                )

    def evaluated(self, number: int, loss: float) -> None:
        """Note the loss on the evaluation set after step `number`."""
        self.history.evaluations.append((number, loss))
        if self._metrics:
            self._metrics.eval_loss.set(loss)
        if self._speaks:
            log("evaluation", step=number, eval_loss=round(loss, 6))


def peak_memory() -> int:
    """Return the most memory used so far in bytes: of the GPU where one is used, else of this process."""
    import resource
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
