"""What a run saw and measured: the content of `run.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped"]


@dataclass
class Interval:
    """When something began and ended; `seconds` is measured on a monotonic clock."""

    name: str
    began: str
    began_at: float
    ended: str | None = None
    seconds: float | None = None

    def end(self, now: datetime, monotonic: float) -> None:
        """Close the interval; closing it twice keeps the first end."""
        if self.ended is None:
            self.ended = now.isoformat(timespec="milliseconds")
            self.seconds = round(monotonic - self.began_at, 3)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "began": self.began, "ended": self.ended, "seconds": self.seconds}


@dataclass
class StepRecord:
    """How one step went."""

    title: str
    operation: str
    outcome: Outcome = "skipped"
    message: str = ""
    began: str | None = None
    ended: str | None = None
    seconds: float = 0.0


@dataclass
class Answer:
    """One question put to a service."""

    step: str
    service: str
    model: str
    """Empty: the service's own choice."""
    prompt: str
    expected: str
    answer: str


@dataclass
class Adapter:
    """An adapter image on its way; the digests are the manifest's as the registry and as the puller saw it."""

    reference: str = ""
    pushed_digest: str | None = None
    pulled_digests: list[str] = field(default_factory=list)


@dataclass
class Tuning:
    """What the tuner reported."""

    method: str | None = None
    quantized_layers: int | None = None
    """Linear layers that held 4-bit weights while tuning."""
    loss: list[tuple[int, float]] = field(default_factory=list)
    """Pairs of step and training loss."""


@dataclass
class Evidence:
    """What the run proves, filled in while it goes on."""

    answers: list[Answer] = field(default_factory=list)
    adapter: Adapter = field(default_factory=Adapter)
    tuning: Tuning = field(default_factory=Tuning)
    events: dict[str, int] = field(default_factory=dict)
    """How often each event was reported in a container's log, such as `step` or `push-retry`."""
    warnings: list[str] = field(default_factory=list)
    """Warning events, each once."""

    def as_json(self) -> dict[str, Any]:
        """Plain data; `base_answers` and `tuned_answers` sort the answers by what was asked."""
        data = asdict(self)
        data["tuning"]["loss"] = [list(pair) for pair in self.tuning.loss]  # JMESPath knows lists, not tuples.
        answers = data["answers"]
        data["base_answers"] = [answer for answer in answers if answer["model"]]
        data["tuned_answers"] = [answer for answer in answers if not answer["model"]]
        return data


@dataclass
class RunRecord:
    """A whole run."""

    scenario: str
    file: str
    tier: str
    environment: dict[str, str]
    outcome: Outcome = "failed"
    reason: str = ""
    """Why it failed, in one sentence."""
    began: str | None = None
    ended: str | None = None
    seconds: float = 0.0
    steps: list[StepRecord] = field(default_factory=list)
    phases: list[Interval] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)

    def as_json(self) -> dict[str, Any]:
        """The content of `run.json`."""
        data = {key: value for key, value in vars(self).items() if key not in ("steps", "phases", "evidence")}
        return {
            **data,
            "steps": [asdict(step) for step in self.steps],
            "phases": [phase.as_json() for phase in self.phases],
            "evidence": self.evidence.as_json(),
        }
