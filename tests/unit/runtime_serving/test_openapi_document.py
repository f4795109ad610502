"""Whatever the OpenAPI document allows (and some of what it does not) gets an answer below 500."""

import asyncio

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from kaito_runtime.serving.app import create_app
from kaito_runtime.serving.fake import FakeEngine
from kaito_runtime.serving.serving_state import ServingState, SurfaceSettings


def make_app():  # type: ignore[no-untyped-def]
    state = ServingState(SurfaceSettings(served_model_name="phi-3", dynamic_adapters=True, body_limit=100_000))
    state.ready(FakeEngine(lambda text, request: "ok", context_length=500, adapters={"facts": 1.0}))
    return create_app(state)


APP = make_app()
schema = schemathesis.openapi.from_dict(APP.openapi())


@pytest.mark.filterwarnings("ignore")
@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_a_server_error(case: schemathesis.Case) -> None:
    arguments = case.as_transport_kwargs(base_url="http://test")
    arguments.pop("cookies", None)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(APP)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(**arguments)

    response = asyncio.run(send())
    assert response.status_code < 500, response.text


async def test_the_document_describes_every_route_and_body() -> None:
    document = APP.openapi()
    assert set(document["paths"]) == {
        "/",
        "/chat",
        "/health",
        "/healthz",
        "/metrics",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/load_lora_adapter",
        "/v1/unload_lora_adapter",
    }
    for path, methods in document["paths"].items():
        if "post" in methods:
            name = methods["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert name in document["components"]["schemas"], path
