"""`/v1/models`, `/v1/chat/completions` and `/v1/completions`, as OpenAI's reference and Kaito v0.12 have them."""

import gzip
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from kaito_runtime.serving.app import create_app
from kaito_runtime.serving.fake import FakeEngine
from kaito_runtime.serving.generation import EngineFailed, Sampling
from kaito_runtime.serving.serving_state import ServingState, SurfaceSettings

from .reading_events import read_events

USER: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


async def ask(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json={"messages": USER, **fields})


async def test_a_chat_completion_has_openais_shape(client: httpx.AsyncClient) -> None:
    response = await ask(client, model="facts")
    body = response.json()
    assert response.status_code == 200
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}", body.pop("id"))
    assert body.pop("created") > 1_700_000_000
    assert body == {
        "object": "chat.completion",
        "model": "facts",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello, wörld."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 19, "completion_tokens": 15, "total_tokens": 34},
    }


async def test_the_answers_model_is_the_served_name(client: httpx.AsyncClient) -> None:
    assert (await ask(client)).json()["model"] == "phi-3"
    assert (await ask(client, model="microsoft/Phi-3")).json()["model"] == "phi-3"


async def test_the_request_id_header_becomes_the_completions_id(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/chat/completions", json={"messages": USER}, headers={"x-request-id": "trace-1"})
    assert response.json()["id"] == "trace-1"
    assert response.headers["x-request-id"] == "trace-1"
    assert re.fullmatch("[0-9a-f]{32}", (await client.get("/health")).headers["x-request-id"])


async def test_max_tokens_ends_an_answer_with_length(client: httpx.AsyncClient) -> None:
    for field in ("max_tokens", "max_completion_tokens"):
        body = (await ask(client, **{field: 5})).json()
        assert body["choices"][0]["message"]["content"] == "Hello"
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("stop", [" w", [" w", "zzz"]])
async def test_stop_strings_end_an_answer_and_are_left_out(client: httpx.AsyncClient, stop: Any) -> None:
    choice = (await ask(client, stop=stop)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello,", "stop")


async def test_n_answers_have_their_own_index_and_share_the_prompts_count(client: httpx.AsyncClient) -> None:
    body = (await ask(client, n=3)).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert body["usage"] == {"prompt_tokens": 19, "completion_tokens": 45, "total_tokens": 64}


async def test_logprobs_name_every_token_and_its_alternatives(client: httpx.AsyncClient) -> None:
    content = (await ask(client, logprobs=True, top_logprobs=3, max_tokens=1)).json()["choices"][0]["logprobs"][
        "content"
    ]
    assert content == [
        {
            "token": "H",
            "logprob": -0.25,
            "bytes": [72],
            "top_logprobs": [
                {"token": "H", "logprob": -0.25, "bytes": [72]},
                {"token": "<end>", "logprob": -1.5, "bytes": [60, 101, 110, 100, 62]},
                {"token": "\0", "logprob": -9999.0, "bytes": [0]},
            ],
        }
    ]


async def test_text_parts_are_joined_by_a_space(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    await ask(client, messages=[{"role": "developer", "content": "c"}, {"role": "user", "content": parts}])
    assert bytes(engine.requests[0].prompt) == b"<system>c<user>a b<assistant>"


async def test_a_stream_is_a_role_then_deltas_then_a_reason_then_done(client: httpx.AsyncClient) -> None:
    response = await ask(client, stream=True, model="facts")
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = read_events(response.text)
    assert {(chunk["object"], chunk["model"], chunk["id"]) for chunk in chunks} == {
        ("chat.completion.chunk", "facts", chunks[0]["id"])
    }
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta["content"] for delta in deltas[1:-1]) == "Hello, wörld."
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert all("usage" not in chunk for chunk in chunks)


async def test_a_stream_ends_with_usage_when_asked(client: httpx.AsyncClient) -> None:
    chunks = read_events((await ask(client, stream=True, stream_options={"include_usage": True})).text)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 19, "completion_tokens": 15, "total_tokens": 34}
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/chat/completions", {"messages": USER}), ("/v1/completions", {"prompt": "x"})]
)
async def test_every_chunk_has_the_usage_so_far_when_asked(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    response = await client.post(path, json={**body, "stream": True, "stream_options": options})
    counts = [chunk["usage"]["completion_tokens"] for chunk in read_events(response.text)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, 15)


async def test_several_streamed_answers_are_told_apart_by_index(client: httpx.AsyncClient) -> None:
    chunks = read_events((await ask(client, stream=True, n=2)).text)
    for index in (0, 1):
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert "".join(choice["delta"].get("content", "") for choice in mine) == "Hello, wörld."
        assert mine[-1]["finish_reason"] == "stop"


async def test_a_refusal_before_the_first_token_is_a_status_not_an_event(surface_settings: SurfaceSettings) -> None:
    state = ServingState(surface_settings)
    state.ready(FakeEngine(capacity=0))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://test") as client:
        for path, body in (
            ("/v1/chat/completions", {"messages": USER}),
            ("/v1/completions", {"prompt": "x"}),
            ("/v1/responses", {"input": "x"}),
        ):
            response = await client.post(path, json={**body, "stream": True})
            assert (response.status_code, response.headers["retry-after"]) == (429, "2")


async def test_a_failure_in_the_middle_of_a_stream_is_an_error_event(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    for path, body in (("/v1/chat/completions", {"messages": USER}), ("/v1/completions", {"prompt": "x"})):
        engine.errors.append((3, EngineFailed("The model failed")))
        response = await client.post(path, json={**body, "stream": True})
        assert response.status_code == 200
        last = response.text.strip().split("\n\n")[-1]
        assert '"message":"The model failed"' in last
        assert "[DONE]" not in response.text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Sampling(max_tokens=1024)),
        ({"temperature": 0.7}, Sampling(max_tokens=1024, temperature=0.7)),
        ({"temperature": 0, "seed": 1}, Sampling(max_tokens=1024, seed=1)),
        ({"seed": 1}, Sampling(max_tokens=1024, seed=1, temperature=1.0)),
        ({"top_p": 0.9}, Sampling(max_tokens=1024, top_p=0.9, temperature=1.0)),
        ({"top_k": -1, "top_p": 1}, Sampling(max_tokens=1024)),
        (
            {"frequency_penalty": 1, "presence_penalty": -1},
            Sampling(max_tokens=1024, frequency_penalty=1.0, presence_penalty=-1.0),
        ),
        ({"logit_bias": {"65": -100}}, Sampling(max_tokens=1024, logit_bias={65: -100.0})),
        ({"logprobs": True}, Sampling(max_tokens=1024, logprobs=0)),
        ({"max_tokens": 3, "max_completion_tokens": 4}, Sampling(max_tokens=4)),
        (
            {"min_tokens": 2, "ignore_eos": True, "stop_token_ids": [7]},
            Sampling(max_tokens=1024, min_tokens=2, ignore_eos=True, stop_token_ids=(7,)),
        ),
        (
            {"user": "me", "metadata": {"a": 1}, "store": True, "service_tier": "auto", "temperature": None, "n": None},
            Sampling(max_tokens=1024),
        ),
    ],
)
async def test_parameters_reach_the_engine(
    client: httpx.AsyncClient, engine: FakeEngine, fields: dict[str, Any], expected: Sampling
) -> None:
    response = await ask(client, **fields)
    assert response.status_code == 200, response.text
    assert engine.requests[0].sampling == expected


async def test_seeds_of_several_answers_differ_and_can_be_repeated(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    await ask(client, n=3, seed=5)
    assert sorted(request.sampling.seed for request in engine.requests) == [5, 6, 7]  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ("", 422, "missing", None),
        ("{", 422, "json_invalid", None),
        ("[]", 422, "model_type", None),
        ("{}", 422, "missing", "messages"),
        ('{"messages": "hi"}', 422, "list_type", "messages"),
        ('{"messages": []}', 400, "too_short", "messages"),
        ('{"messages": [{"role": "user", "content": "x"}], "foo": 1}', 422, "unknown_parameter", "foo"),
        ('{"messages": [{"role": "user"}]}', 400, None, "messages"),
        ('{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', 400, None, "messages"),
        ('{"messages": [{"role": "bard", "content": "x"}]}', 422, "literal_error", "messages.0.role"),
        ('{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', 400, None, "messages"),
    ],
)
async def test_bad_bodies_are_openai_errors(
    client: httpx.AsyncClient, body: str, status: int, code: str | None, param: str | None
) -> None:
    response = await client.post("/v1/chat/completions", content=body)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": -5}, 400, "max_tokens"),
        ({"max_tokens": 1.5}, 422, "max_tokens"),
        ({"max_tokens": 5000}, 400, "messages"),
        ({"temperature": -1}, 400, "temperature"),
        ({"temperature": 3}, 400, "temperature"),
        ({"temperature": "hot"}, 422, "temperature"),
        ({"top_p": 0}, 400, "top_p"),
        ({"n": 0}, 400, "n"),
        ({"n": 100}, 400, "n"),
        ({"stop": 5}, 422, "stop"),
        ({"stop": ""}, 400, "stop"),
        ({"top_logprobs": 2}, 400, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 50}, 400, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"999": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"1" * 30: 1}}, 400, "logit_bias"),
        ({"logit_bias": {"5": 1000}}, 400, "logit_bias"),
        ({"stop_token_ids": [10**9]}, 400, "stop_token_ids"),
        ({"min_tokens": 9, "max_tokens": 8}, 400, "min_tokens"),
        ({"stream_options": {"include_usage": True}}, 400, "stream_options"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format"),
        ({"chat_template_kwargs": {"tokenize": True}}, 400, "chat_template_kwargs"),
        ({"tool_choice": "required"}, 422, "tool_choice"),
        ({"messages": [{"role": "user", "content": "x" * 2500}]}, 400, "messages"),
    ],
)
async def test_bad_values_are_refused_by_name(
    client: httpx.AsyncClient, fields: dict[str, Any], status: int, param: str
) -> None:
    response = await ask(client, **fields)
    assert response.status_code == status, response.text
    assert response.json()["error"]["param"].split(".")[0] == param


async def test_an_unknown_model_is_404(client: httpx.AsyncClient) -> None:
    response = await ask(client, model="nobody")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "The model `nobody` does not exist."


async def test_a_mistyped_parameter_is_refused_with_the_nearest(client: httpx.AsyncClient) -> None:
    error = (await ask(client, max_token=5)).json()["error"]
    assert error["message"] == "Unknown parameter: max_token; did you mean max_tokens?"
    error = (await ask(client, logit_bias={"x": 1})).json()["error"]
    assert error["message"] == "logit_bias: 'x' is not a token id"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": USER, "n": 3}),
        ("/v1/completions", {"prompt": ["a", "b", "c"]}),
        ("/chat", {"prompt": "a", "generate_kwargs": {"num_return_sequences": 3}}),
    ],
)
async def test_more_answers_than_can_ever_be_taken_at_once_are_not_worth_another_try(
    path: str, body: dict[str, Any]
) -> None:
    state = ServingState(SurfaceSettings(served_model_name="phi-3", most_answers=2))
    state.ready(FakeEngine(capacity=2))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://test") as client:
        response = await client.post(path, json=body)
    assert response.status_code == 400
    assert "asks for 3 answers; this server takes 2 at once at most" in response.text


async def test_a_compressed_body_is_415(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/chat/completions", content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}
    )
    assert response.status_code == 415
    assert response.json()["error"]["message"] == "Content-Encoding 'gzip' is not supported; send the body as it is"


async def test_a_large_body_is_413(client: httpx.AsyncClient) -> None:
    response = await ask(client, messages=[{"role": "user", "content": "x" * 30_000}])
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


async def test_models_are_the_base_and_its_adapters(client: httpx.AsyncClient, state: ServingState) -> None:
    body = (await client.get("/v1/models")).json()
    assert body["object"] == "list"
    assert [(entry["id"], entry["parent"], entry["object"], entry["owned_by"]) for entry in body["data"]] == [
        ("phi-3", None, "model", "kaito"),
        ("facts", "phi-3", "model", "kaito"),
        ("tone", "phi-3", "model", "kaito"),
    ]
    assert {entry["created"] for entry in body["data"]} == {state.created}
    for entry in body["data"]:
        assert (await client.get(f"/v1/models/{entry['id']}")).json() == entry
    assert (await client.get("/v1/models/microsoft/Phi-3")).json()["id"] == "phi-3"
    assert (await client.get("/v1/models/")).json() == body
    missing = await client.get("/v1/models/nobody")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_completions_continue_a_prompt_as_it_is(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    body = (await client.post("/v1/completions", json={"prompt": "Once"})).json()
    assert bytes(engine.requests[0].prompt) == b"Once"
    assert body["id"].startswith("cmpl-")
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "text": "Hello, wörld.", "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 15, "total_tokens": 19}
    assert engine.requests[0].sampling.max_tokens == 16


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        (["a", "bc"], [b"a", b"bc"]),
        ([72, 105], [b"Hi"]),
        ([[72], [105, 33]], [b"H", b"i!"]),
    ],
)
async def test_completions_take_lists_of_texts_and_tokens(
    client: httpx.AsyncClient, engine: FakeEngine, prompt: Any, prompts: list[bytes]
) -> None:
    response = await client.post("/v1/completions", json={"prompt": prompt, "n": 2, "temperature": 0, "echo": True})
    assert [bytes(request.prompt) for request in engine.requests[::2]] == prompts
    texts = [choice["text"] for choice in response.json()["choices"]]
    assert texts == [f"{each.decode()}Hello, wörld." for each in prompts for _ in range(2)]
    assert response.json()["usage"]["prompt_tokens"] == sum(map(len, prompts))


async def test_completion_logprobs_are_parallel_lists(client: httpx.AsyncClient) -> None:
    body = (await client.post("/v1/completions", json={"prompt": "x", "logprobs": 2, "max_tokens": 2})).json()
    assert body["choices"][0]["logprobs"] == {
        "tokens": ["H", "e"],
        "token_logprobs": [-0.25, -0.25],
        "top_logprobs": [{"H": -0.25, "<end>": -1.5}, {"e": -0.25, "<end>": -1.5}],
        "text_offset": [0, 1],
    }


async def test_completions_stream(client: httpx.AsyncClient) -> None:
    body = {"prompt": "x", "stream": True, "echo": True, "stream_options": {"include_usage": True}}
    chunks = read_events((await client.post("/v1/completions", json=body)).text)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks[:-1]) == "xHello, wörld."
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == 15


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": [300]}, 400, "prompt"),
        ({"prompt": []}, 400, "prompt"),
        ({"prompt": [-1]}, 400, "prompt"),
        ({"prompt": None}, 422, "prompt"),
        ({"prompt": ["x"] * 100}, 400, "prompt"),
        ({"prompt": "x", "suffix": "y"}, 400, "suffix"),
        ({"prompt": "x", "best_of": 3}, 400, "best_of"),
        ({"prompt": "x", "echo": True, "logprobs": 1}, 400, "echo"),
    ],
)
async def test_bad_completion_requests_are_refused(
    client: httpx.AsyncClient, fields: dict[str, Any], status: int, param: str
) -> None:
    response = await client.post("/v1/completions", json=fields)
    assert response.status_code == status, response.text
    assert response.json()["error"]["param"].split(".")[0] == param


async def test_adapters_are_loaded_only_where_that_is_allowed(client: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"lora_name": "new", "lora_path": str(tmp_path)}
    for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter"):
        response = await client.post(path, json=body)
        assert response.status_code == 403
        assert "--allow-adapter-loading" in response.json()["error"]["message"]


async def test_adapters_are_loaded_and_unloaded_while_serving(tmp_path: Path) -> None:
    state = ServingState(SurfaceSettings(served_model_name="phi-3", dynamic_adapters=True))
    engine = FakeEngine(adapters={"old": 1.0})
    state.ready(engine)
    (tmp_path / "adapter_config.json").write_text("{}")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://test") as client:

        async def load(**fields: Any) -> tuple[int, str]:
            body = {"lora_name": "new", "lora_path": str(tmp_path), **fields}
            response = await client.post("/v1/load_lora_adapter", json=body)
            return response.status_code, response.text

        assert (await load(strength=0.5)) == (200, "Success: LoRA adapter 'new' added successfully.")
        assert engine.adapters == {"old": 1.0, "new": 0.5}
        assert (await ask(client, model="new")).status_code == 200
        assert (await load())[0] == 400
        assert (await load(load_inplace=True))[0] == 200
        assert (await load(lora_name="phi-3"))[0] == 400
        assert (await load(lora_name="worse", lora_path=str(tmp_path / "nowhere")))[0] == 400
        gone = await client.post("/v1/unload_lora_adapter", json={"lora_name": "new"})
        assert gone.text == "Success: LoRA adapter 'new' removed successfully."
        assert (await ask(client, model="new")).status_code == 404
        assert (await client.post("/v1/unload_lora_adapter", json={"lora_name": "new"})).status_code == 404


async def test_unknown_paths_below_v1_are_openai_errors(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/embeddings")
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")
    assert (await client.get("/v1/chat/completions")).status_code == 405
