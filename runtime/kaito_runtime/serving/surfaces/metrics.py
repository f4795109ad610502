"""`GET /metrics`: Kaito's JSON, or Prometheus text where the Accept header asks for it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import choose_encoder

from ..metering import Meters, describe_machine

_PROMETHEUS = ("text/plain", "application/openmetrics-text")


def routes(meters: Meters) -> APIRouter:
    router = APIRouter(tags=["metrics"])

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        """The machine's load as JSON by default; counters of requests and tokens for Prometheus."""
        accept = request.headers.get("accept", "")
        if any(kind in accept for kind in _PROMETHEUS):
            encode, content_type = choose_encoder(accept)
            return Response(encode(meters.registry), media_type=content_type)
        return JSONResponse(describe_machine())

    return router
