"""Showing a run: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from kaito.scenario.evidence import StepRecord

BARS = "▁▂▃▄▅▆▇█"
SHOWN = ("cluster", "phase", "workspace", "node", "pod", "loss", "adapter", "service", "problem")
"""The subjects of the live view, in order."""


class PlainPresenter:
    """One line for everything that happens, with the seconds since the start."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write
        self._began = time.monotonic()
        self._last_loss = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def note(self, subject: str, text: str) -> None:
        self._line(f"{subject:<9} {text}")

    def loss(self, step: int, steps: int | None, loss: float) -> None:
        now = time.monotonic()
        if step == 1 or step == steps or now - self._last_loss >= 0.5:
            self._last_loss = now
            self._line(f"{'loss':<9} step {step}{f'/{steps}' if steps else ''}: {loss:.4f}")

    def step_began(self, title: str) -> None:
        self._line(f"{'step':<9} {title}")

    def step_ended(self, record: StepRecord) -> None:
        self._line(f"{record.outcome:<9} {record.title} ({record.seconds:.1f} s): {record.message}")

    def _line(self, text: str) -> None:
        self._write(f"[{time.monotonic() - self._began:6.1f}s] {text}")


class LivePresenter:
    """Steps with their state, and the latest word on each subject, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._steps: list[StepRecord] = []
        self._running: str | None = None
        self._running_since = 0.0
        self._latest: dict[str, str] = {}
        self._losses: list[float] = []
        self._spinner = Spinner("dots")
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def note(self, subject: str, text: str) -> None:
        self._latest[subject] = text

    def loss(self, step: int, steps: int | None, loss: float) -> None:
        self._losses.append(loss)
        shown = f"step {step}{f'/{steps}' if steps else ''}: {loss:.4f}"
        self._latest["loss"] = f"{shown}  {sparkline(self._losses)}"

    def step_began(self, title: str) -> None:
        self._running, self._running_since = title, time.monotonic()

    def step_ended(self, record: StepRecord) -> None:
        self._steps.append(record)
        self._running = None

    def _render(self) -> RenderableType:
        steps = Table.grid(padding=(0, 1))
        for record in self._steps:
            passed = record.outcome == "passed"
            mark = Text("✓", style="green") if passed else Text("✗", style="red")
            steps.add_row(mark, record.title, Text(f"{record.seconds:.1f} s", style="dim"))
        if self._running:
            elapsed = time.monotonic() - self._running_since
            steps.add_row(self._spinner, self._running, Text(f"{elapsed:.0f} s", style="dim"))
        facts = Table.grid(padding=(0, 2))
        for subject in SHOWN:
            if subject in self._latest:
                style = "red" if subject == "problem" else ""
                facts.add_row(Text(subject, style="dim"), Text(self._latest[subject], style=style, overflow="ellipsis"))
        return Group(steps, Text(""), facts)


def sparkline(values: list[float], width: int = 32) -> str:
    """A row of bars, one for each of `width` equal parts of the values, the largest value full height."""
    if not values:
        return ""
    size = max(1, -(-len(values) // width))
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    means = [sum(part) / len(part) for part in parts]
    top = max(means)
    if top <= 0:
        return BARS[0] * len(means)
    return "".join(BARS[min(len(BARS) - 1, int(mean / top * (len(BARS) - 1) + 0.5))] for mean in means)
