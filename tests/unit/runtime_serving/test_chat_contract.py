"""`/chat`, `/`, `/health`, `/healthz` and `/metrics`: the contract of Kaito v0.3 to v0.8, and its named deviations."""

import httpx
import pytest
from kaito_runtime.serving.app import create_app
from kaito_runtime.serving.fake import ByteCodec, FakeEngine
from kaito_runtime.serving.generation import EngineFailed, Sampling, TimedOut
from kaito_runtime.serving.serving_state import ServingState, SurfaceSettings


async def test_a_prompt_is_answered_in_result(client: httpx.AsyncClient) -> None:
    response = await client.post("/chat", json={"prompt": "Hi"})
    assert response.status_code == 200
    assert response.json() == {"Result": "Hello, wörld."}


async def test_the_quick_start_line_without_a_json_content_type_works(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = await client.post("/chat", content=b'{"prompt":"Hi"}', headers=headers)
    assert response.json() == {"Result": "Hello, wörld."}


async def test_a_prompt_goes_through_the_chat_template(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    await client.post("/chat", json={"prompt": "Hi", "prefix": "Now: "})
    assert bytes(engine.requests[0].prompt) == b"<user>Now: Hi<assistant>"


async def test_without_a_chat_template_the_prompt_is_taken_as_it_is(surface_settings: SurfaceSettings) -> None:
    engine = FakeEngine(codec=ByteCodec(has_chat_template=False))
    state = ServingState(surface_settings)
    state.ready(engine)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://test") as client:
        assert (await client.post("/chat", json={"prompt": "Hi"})).status_code == 200
        refused = await client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "x"}]})
    assert bytes(engine.requests[0].prompt) == b"Hi"
    assert refused.status_code == 400


async def test_messages_are_answered_too(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    body = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}
    assert (await client.post("/chat", json=body)).json() == {"Result": "Hello, wörld."}
    assert bytes(engine.requests[0].prompt) == b"<system>Be brief.<user>Hi<assistant>"


async def test_the_prompt_comes_back_only_when_asked(client: httpx.AsyncClient) -> None:
    response = await client.post("/chat", json={"prompt": "Hi. ", "return_full_text": True})
    assert response.json() == {"Result": "Hi. Hello, wörld."}


async def test_unknown_fields_at_the_top_are_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.post("/chat", json={"prompt": "Hi", "foo": 1})).status_code == 200


async def test_several_sequences_are_put_together_without_a_separator(client: httpx.AsyncClient) -> None:
    body = {"prompt": "Hi", "generate_kwargs": {"num_return_sequences": 2, "do_sample": True}}
    assert (await client.post("/chat", json=body)).json() == {"Result": "Hello, wörld.Hello, wörld."}


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, Sampling(max_tokens=256, top_k=10)),
        ({"temperature": 0.5}, Sampling(max_tokens=256, top_k=10)),
        ({"do_sample": True}, Sampling(max_tokens=256, top_k=10, temperature=1.0)),
        (
            {"do_sample": True, "temperature": 0.5, "top_k": 0, "top_p": 0.9, "seed": 3},
            Sampling(max_tokens=256, temperature=0.5, top_p=0.9, seed=3),
        ),
        ({"max_new_tokens": 7}, Sampling(max_tokens=7, top_k=10)),
        ({"max_new_tokens": 100_000}, Sampling(max_tokens=1981, top_k=10)),
        ({"max_length": 29}, Sampling(max_tokens=10, top_k=10)),
        ({"min_length": 21, "max_length": 31}, Sampling(max_tokens=12, top_k=10, min_tokens=2)),
        ({"repetition_penalty": 1.2}, Sampling(max_tokens=256, top_k=10, repetition_penalty=1.2)),
        (
            {"stop_strings": ["x"], "eos_token_id": 65},
            Sampling(max_tokens=256, top_k=10, stop=("x",), stop_token_ids=(65,)),
        ),
        (
            {"num_beams": 1, "early_stopping": False, "typical_p": 1, "pad_token_id": 0},
            Sampling(max_tokens=256, top_k=10),
        ),
    ],
)
async def test_generate_kwargs_mean_what_transformers_means(
    client: httpx.AsyncClient, engine: FakeEngine, kwargs: dict[str, object], expected: Sampling
) -> None:
    # "<user>Hi<assistant>" is 19 tokens here.
    response = await client.post("/chat", json={"prompt": "Hi", "generate_kwargs": kwargs})
    assert response.status_code == 200, response.text
    assert engine.requests[0].sampling == expected


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{}", 400, "Text generation parameter prompt required"),
        (b'{"prompt": ""}', 400, "Text generation parameter prompt required"),
        (b'{"messages": []}', 400, "Conversational parameter messages required"),
        (b'{"prompt": 5}', 422, "string"),
        (b'{"prompt": ', 422, "json_invalid"),
        (b"hello", 422, "json_invalid"),
        (b"", 422, "missing"),
        (b"[]", 422, "body"),
        (b'"text"', 422, "body"),
        (b'{"messages": [{"role": "user"}]}', 422, "content"),
        (b'{"messages": "hi"}', 422, "list"),
        (b'{"prompt": "x", "return_full_text": "yes"}', 422, "boolean"),
        (b'{"prompt": "x", "generate_kwargs": 3}', 422, "generate_kwargs"),
        (b'{"prompt": "x", "generate_kwargs": {"temprature": 1}}', 400, "did you mean temperature?"),
        (b'{"prompt": "x", "generate_kwargs": {"temperature": -1}}', 400, "temperature"),
        (b'{"prompt": "x", "generate_kwargs": {"temperature": 0}}', 400, "temperature"),
        (b'{"prompt": "x", "generate_kwargs": {"temperature": "hot"}}', 422, "temperature"),
        (b'{"prompt": "x", "generate_kwargs": {"max_length": 3}}', 400, "max_length"),
        (b'{"prompt": "x", "generate_kwargs": {"num_beams": 4}}', 400, "num_beams"),
        (b'{"prompt": "x", "generate_kwargs": {"eos_token_id": 99999}}', 400, "eos_token_id"),
        (b'{"prompt": "x", "model": "nobody"}', 404, "nobody"),
        (b'{"prompt": "\\ud800"}', 422, "json"),
        (b'{"prompt": "\xff"}', 422, "json"),
        (b'{"prompt": "' + b"x" * 2100 + b'"}', 400, "context"),
        (b'{"prompt": "' + b"x" * 30_000 + b'"}', 413, "20000"),
    ],
)
async def test_bad_requests_get_their_status_and_one_sentence(
    client: httpx.AsyncClient, body: bytes, status: int, says: str
) -> None:
    response = await client.post("/chat", content=body, headers={"content-type": "application/json"})
    assert response.status_code == status, response.text
    assert says in response.text
    assert set(response.json()) == {"detail"}


async def test_validation_details_have_fastapis_shape(client: httpx.AsyncClient) -> None:
    response = await client.post("/chat", json={"prompt": 5})
    (detail,) = response.json()["detail"]
    assert detail == {
        "type": "string_type",
        "loc": ["body", "prompt"],
        "msg": "Input should be a valid string",
        "input": 5,
    }


@pytest.mark.parametrize(
    ("model", "kind", "name"),
    [
        (None, "merged", ""),
        ("", "merged", ""),
        ("phi-3", "base", ""),
        ("microsoft/Phi-3", "base", ""),
        ("facts", "adapter", "facts"),
    ],
)
async def test_the_model_chooses_base_adapter_or_all_adapters(
    client: httpx.AsyncClient, engine: FakeEngine, model: str | None, kind: str, name: str
) -> None:
    await client.post("/chat", json={"prompt": "Hi", "model": model})
    assert (engine.requests[0].adapter.kind, engine.requests[0].adapter.name) == (kind, name)


async def test_home_says_that_the_server_runs(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).json() == {"message": "Server is running"}


@pytest.mark.parametrize("path", ["/health", "/healthz"])
async def test_health_follows_the_phase(client: httpx.AsyncClient, state: ServingState, path: str) -> None:
    ready = await client.get(path)
    assert (ready.status_code, ready.json()) == (200, {"status": "Healthy"})
    for phase in ("loading", "draining", "failed"):
        state.phase = phase  # type: ignore[assignment]
        assert (await client.get(path)).status_code == 503


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions", "/v1/completions", "/v1/responses"])
async def test_before_the_model_is_loaded_requests_get_503_and_retry_after(
    surface_settings: SurfaceSettings, path: str
) -> None:
    body = {"prompt": "x", "messages": [{"role": "user", "content": "x"}], "input": "x"}
    wanted = {"/chat": ["prompt"], "/v1/chat/completions": ["messages"], "/v1/completions": ["prompt"]}.get(
        path, ["input"]
    )
    app = create_app(ServingState(surface_settings))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        response = await client.post(path, json={key: body[key] for key in wanted})
        assert (await client.get("/health")).json() == {"detail": "Model not initialized"}
        assert (await client.get("/v1/models")).status_code == 200
        assert (await client.get("/")).status_code == 200
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


async def test_a_full_queue_is_429_with_retry_after(surface_settings: SurfaceSettings) -> None:
    state = ServingState(surface_settings)
    state.ready(FakeEngine(capacity=0))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://test") as client:
        chat = await client.post("/chat", json={"prompt": "x"})
        openai = await client.post("/v1/completions", json={"prompt": "x"})
    assert (chat.status_code, chat.headers["retry-after"]) == (429, "2")
    assert openai.status_code == 429
    assert openai.json()["error"]["code"] == "rate_limit_exceeded"


async def test_failures_of_the_engine_are_one_sentence(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine.errors.append((0, EngineFailed("The model failed while generating (RuntimeError)")))
    engine.errors.append((3, TimedOut("The request took longer than its limit of 1 seconds")))
    failed = await client.post("/chat", json={"prompt": "x"})
    late = await client.post("/chat", json={"prompt": "x"})
    assert (failed.status_code, failed.json()) == (500, {"detail": "The model failed while generating (RuntimeError)"})
    assert late.status_code == 408


async def test_a_defect_is_a_500_without_a_traceback(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine._reply = lambda text, request: 1 / 0  # type: ignore[assignment, return-value]
    response = await client.post("/chat", json={"prompt": "x"})
    assert (response.status_code, response.json()) == (500, {"detail": "Internal Server Error"})


async def test_unknown_paths_and_methods_keep_fastapis_bodies(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nothing")
    wrong = await client.get("/chat")
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})


async def test_metrics_are_kaitos_json_by_default(client: httpx.AsyncClient) -> None:
    body = (await client.get("/metrics")).json()
    assert body["gpu_info"] is None
    cpu = body["cpu_info"]
    assert cpu["total_cores"] >= cpu["physical_cores"] >= 1
    assert 0 <= cpu["load_percentage"] <= 100
    assert cpu["memory"]["used"].endswith(" GB")
    assert cpu["memory"]["total"].endswith(" GB")


async def test_metrics_are_prometheus_text_when_accepted(client: httpx.AsyncClient) -> None:
    await client.post("/chat", json={"prompt": "x"})
    await client.get("/not/a/route")
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    for header in (accept, "text/plain"):
        response = await client.get("/metrics", headers={"accept": header})
        assert response.headers["content-type"].split(";")[0] in header
        assert 'kaito_runtime_http_requests_total{method="POST",path="/chat",status="200"} 1.0' in response.text
        assert 'path="other",status="404"' in response.text
        assert "kaito_runtime_generated_tokens_total 15.0" in response.text
        assert "kaito_runtime_ready 1.0" in response.text
