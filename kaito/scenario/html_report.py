"""The run as one self-contained HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

import jinja2

from kaito.scenario.evidence import RunRecord

WIDTH = 800
"""Width of the pictures' coordinate system."""
LEFT = 230
"""Where the phases' bars begin: room for their names."""
LABEL = 60
"""Room for the seconds behind a bar."""


@dataclass(frozen=True)
class Bar:
    """One phase as a bar, in picture coordinates."""

    name: str
    x: float
    width: float
    seconds: float
    label_x: float


@dataclass(frozen=True)
class Curve:
    """The loss by step, in picture coordinates."""

    points: str
    first: float
    last: float
    top: float
    steps: int


@dataclass(frozen=True)
class Question:
    """One prompt with what each model answered."""

    prompt: str
    expected: str
    answers: list[str]


def render(record: RunRecord) -> str:
    """The page; everything a log or a model said is escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(files("kaito.scenario").joinpath("report.html").read_text("utf-8"))
    columns, questions = _answers(record)
    return template.render(
        record=record, bars=_bars(record), curve=_curve(record), columns=columns, questions=questions
    )


def _bars(record: RunRecord) -> list[Bar]:
    ended = [phase for phase in record.phases if phase.seconds is not None]
    if not ended:
        return []
    starts = [datetime.fromisoformat(phase.began).timestamp() for phase in ended]
    origin = min(starts)
    span = max(start + (phase.seconds or 0) for start, phase in zip(starts, ended, strict=True)) - origin
    scale = (WIDTH - LEFT - LABEL) / max(span, 0.001)
    bars = []
    for start, phase in zip(starts, ended, strict=True):
        seconds = phase.seconds or 0.0
        x, width = LEFT + (start - origin) * scale, max(2.0, seconds * scale)
        bars.append(Bar(phase.name, round(x, 1), round(width, 1), seconds, round(x + width + 6, 1)))
    return bars


def _curve(record: RunRecord) -> Curve | None:
    loss = record.evidence.tuning.loss
    if len(loss) < 2:
        return None
    steps, top = loss[-1][0], max(value for _, value in loss) or 1.0
    first_step = loss[0][0]
    points = [
        f"{50 + (step - first_step) / max(1, steps - first_step) * 740:.1f},{160 - value / top * 150:.1f}"
        for step, value in loss
    ]
    return Curve(" ".join(points), loss[0][1], loss[-1][1], top, steps)


def _answers(record: RunRecord) -> tuple[list[str], list[Question]]:
    """Column titles, and a row for each prompt; a model asked twice shows its last answer."""
    asked = record.evidence.answers
    models = list(dict.fromkeys((answer.service, answer.model) for answer in asked))
    columns = [f"{model or 'the service itself'} ({service})" for service, model in models]
    said = {(answer.prompt, answer.service, answer.model): answer for answer in asked}
    questions = []
    for prompt in dict.fromkeys(answer.prompt for answer in asked):
        row = [said.get((prompt, service, model)) for service, model in models]
        expected = next(answer.expected for answer in asked if answer.prompt == prompt)
        questions.append(Question(prompt, expected, [answer.answer.strip() if answer else "" for answer in row]))
    return columns, questions
