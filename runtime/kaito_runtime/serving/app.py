"""The FastAPI application: every surface over one `ServingState`."""

from __future__ import annotations

from fastapi import FastAPI

from .. import __version__
from . import openapi, problems
from .serving_state import ServingState
from .surfaces import chat, chat_completions, health, listing

DESCRIPTION = "Serves one language model with its adapters: Kaito's /chat and OpenAI's API on one port."


def create_app(state: ServingState) -> FastAPI:
    """The application. It answers at once; endpoints that need the model are 503 until `state.ready` was called."""
    app = FastAPI(title="kaito-runtime", version=__version__, description=DESCRIPTION)
    problems.install(app)
    for surface in (health, chat, listing, chat_completions):
        app.include_router(surface.routes(state))
    openapi.install(app)
    return app
