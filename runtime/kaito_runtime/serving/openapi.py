"""The OpenAPI document: request bodies are validated by `bodies`, so their schemas are added here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REFERENCE = "#/components/schemas/{model}"
_known: dict[str, type[BaseModel]] = {}


def json_request(kind: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `kind` with `bodies.read_body`."""
    _known[kind.__name__] = kind
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model=kind.__name__)}}},
        }
    }


def install(app: FastAPI) -> None:
    """Makes `app.openapi()` include the schemas of all bodies."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, bodies = models_json_schema([(kind, "validation") for kind in _known.values()], ref_template=_REFERENCE)
            schema.setdefault("components", {}).setdefault("schemas", {}).update(bodies.get("$defs", {}))
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
