"""`GET /v1/models`, `GET /v1/models/{id}`, and loading and unloading adapters while serving (vLLM's endpoints)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import Field

from ..bodies import RequestBody, read_body
from ..openapi import json_request
from ..problems import Problem
from ..serving_state import ServingState


class LoadAdapterRequest(RequestBody):
    lora_name: str = Field(min_length=1, max_length=253)
    lora_path: str = Field(min_length=1)
    strength: float = Field(1.0, ge=0, le=1)
    load_inplace: bool = Field(False, description="Replace an adapter of that name")


class UnloadAdapterRequest(RequestBody):
    lora_name: str = Field(min_length=1)
    lora_int_id: int | None = None


def routes(state: ServingState) -> APIRouter:
    router = APIRouter(tags=["models"])

    def base() -> dict[str, Any]:
        name = state.settings.served_model_name
        return {
            "id": name,
            "object": "model",
            "created": state.created,
            "owned_by": "kaito",
            "root": state.settings.aliases[0] if state.settings.aliases else name,
            "parent": None,
            "max_model_len": state.engine.context_length if state.loaded else None,
        }

    def adapters() -> list[dict[str, Any]]:
        if not state.loaded:
            return []
        return [
            {
                "id": name,
                "object": "model",
                "created": state.created,
                "owned_by": "kaito",
                "root": name,
                "parent": state.settings.served_model_name,
                "strength": strength,
            }
            for name, strength in state.engine.adapters.items()
        ]

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The base model first, then its adapters."""
        return {"object": "list", "data": [base(), *adapters()]}

    @router.get("/v1/models/{model:path}")
    async def model(model: str) -> dict[str, Any]:
        """One of them; without a name all."""
        if not model:
            return await models()
        names = (state.settings.served_model_name, *state.settings.aliases)
        for entry in adapters():
            if entry["id"] == model:
                return entry
        if model in names:
            return base()
        raise Problem(
            404, f"The model `{model}` does not exist.", type="not_found_error", param="model", code="model_not_found"
        )

    def require_dynamic() -> None:
        if not state.settings.dynamic_adapters:
            raise Problem(
                403,
                "Loading adapters while serving is off; start the server with --allow-adapter-loading",
                code="forbidden",
            )

    @router.post("/v1/load_lora_adapter", openapi_extra=json_request(LoadAdapterRequest))
    async def load_lora_adapter(request: Request) -> PlainTextResponse:
        """Loads an adapter from a folder on the server's file system."""
        require_dynamic()
        body = await read_body(request, LoadAdapterRequest, state.settings)
        engine = state.engine
        if body.lora_name in (state.settings.served_model_name, *state.settings.aliases):
            raise Problem(400, f"{body.lora_name} is the base model's name", param="lora_name")
        if body.lora_name in engine.adapters and not body.load_inplace:
            raise Problem(400, f"The lora adapter '{body.lora_name}' has already been loaded.", param="lora_name")
        await engine.load_adapter(body.lora_name, Path(body.lora_path), body.strength)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    @router.post("/v1/unload_lora_adapter", openapi_extra=json_request(UnloadAdapterRequest))
    async def unload_lora_adapter(request: Request) -> PlainTextResponse:
        """Forgets an adapter; requests that run on it finish with it."""
        require_dynamic()
        body = await read_body(request, UnloadAdapterRequest, state.settings)
        await state.engine.unload_adapter(body.lora_name)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")

    return router
