"""A presenter for runs that nobody watches."""

from __future__ import annotations

from kaito.scenario.evidence import StepRecord


class SilentPresenter:
    """Shows nothing."""

    def note(self, subject: str, text: str) -> None: ...

    def loss(self, step: int, steps: int | None, loss: float) -> None: ...

    def step_began(self, title: str) -> None: ...

    def step_ended(self, record: StepRecord) -> None: ...
