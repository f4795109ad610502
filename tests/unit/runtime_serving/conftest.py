import importlib.util
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from kaito_runtime.serving.app import create_app
from kaito_runtime.serving.fake import FakeEngine
from kaito_runtime.serving.serving_state import ServingState, SurfaceSettings

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_engine_*.py"]


@pytest.fixture
def surface_settings() -> SurfaceSettings:
    return SurfaceSettings(served_model_name="phi-3", aliases=("microsoft/Phi-3",), body_limit=20_000, timeout=30.0)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(adapters={"facts": 0.5, "tone": 1.0})


@pytest.fixture
def state(surface_settings: SurfaceSettings, engine: FakeEngine) -> ServingState:
    state = ServingState(surface_settings)
    state.ready(engine)
    return state


@pytest.fixture
def app(state: ServingState) -> FastAPI:
    return create_app(state)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
