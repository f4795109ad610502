"""`GET /health` and `GET /healthz`."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ..serving_state import ServingState


def routes(state: ServingState) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health")
    @router.get("/healthz")
    async def health() -> JSONResponse:
        """200 while requests are served, 503 while the model is being loaded and while the server drains."""
        if state.phase == "ready":
            return JSONResponse({"status": "Healthy"})
        reasons = {
            "loading": "Model not initialized",
            "draining": "The server is stopping",
            "failed": "The model could not be loaded",
        }
        return JSONResponse({"detail": reasons[state.phase]}, status_code=503)

    return router
