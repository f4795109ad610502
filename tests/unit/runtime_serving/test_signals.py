"""Signals that come at a bad moment."""

import logging
import signal
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from kaito_runtime.serving import lifecycle
from kaito_runtime.serving.serving_state import ServingState, SurfaceSettings


class MidLine(logging.Handler):
    """What the interpreter does when a signal's handler writes into a line that is being written."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")


@pytest.fixture
def in_the_middle_of_a_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handler = MidLine()
    monkeypatch.setattr(lifecycle.log, "level", logging.INFO)
    lifecycle.log.addHandler(handler)
    yield
    lifecycle.log.removeHandler(handler)


@pytest.mark.usefixtures("in_the_middle_of_a_line")
def test_a_signal_in_the_middle_of_a_log_line_is_not_lost() -> None:
    server = lifecycle._Server(
        uvicorn.Config(FastAPI()), ServingState(SurfaceSettings(served_model_name="tiny")), drain_timeout=1.0
    )
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
