"""The FastAPI application: every surface over one `ServingState`."""

from __future__ import annotations

from fastapi import FastAPI

from .. import __version__
from . import openapi, problems
from .draining import LastAnswerMiddleware
from .metering import MeteringMiddleware, Meters
from .request_ids import RequestIdMiddleware
from .serving_state import ServingState
from .surfaces import chat, chat_completions, completions, health, listing, metrics, responses

DESCRIPTION = "Serves one language model with its adapters: Kaito's /chat and OpenAI's API on one port."


def create_app(state: ServingState) -> FastAPI:
    """The application. It answers at once; endpoints that need the model are 503 until `state.ready` was called."""
    app = FastAPI(title="kaito-runtime", version=__version__, description=DESCRIPTION)
    meters = Meters(state)
    app.add_middleware(MeteringMiddleware, meters=meters)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(LastAnswerMiddleware, state=state)
    problems.install(app)
    for surface in (health, chat, listing, chat_completions, completions, responses):
        app.include_router(surface.routes(state))
    app.include_router(metrics.routes(meters))
    openapi.install(app)
    return app
