"""`/v1/responses`: events in OpenAI's order, JSON when asked."""

from typing import Any

import httpx
import pytest
from kaito_runtime.serving.fake import FakeEngine

from .reading_events import read_events


async def respond(client: httpx.AsyncClient, accept: str = "*/*", **fields: Any) -> httpx.Response:
    return await client.post("/v1/responses", json={"input": "Hi", **fields}, headers={"accept": accept})


async def test_without_a_word_on_streaming_the_answer_is_a_stream(client: httpx.AsyncClient) -> None:
    events = read_events((await respond(client)).text)
    kinds = [event["type"] for event in events if event["type"] != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == "Hello, wörld."
    final = events[-1]["response"]
    assert final["id"].startswith("resp_")
    assert final["output"][0]["id"] == final["id"].replace("resp_", "msg_")


async def test_a_client_that_accepts_json_only_gets_json(client: httpx.AsyncClient) -> None:
    response = await respond(client, accept="application/json")
    assert response.headers["content-type"] == "application/json"
    assert response.json()["object"] == "response"


async def test_the_object_says_what_was_used_and_why_it_ended(client: httpx.AsyncClient) -> None:
    body = (await respond(client, stream=False, max_output_tokens=5, model="facts")).json()
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["model"] == "facts"
    (message,) = body["output"]
    assert message["content"] == [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]
    assert body["usage"]["input_tokens"] == 19
    assert body["usage"]["output_tokens"] == 5
    assert body["usage"]["total_tokens"] == 24


async def test_instructions_come_first_and_items_are_messages(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    items = [
        {"role": "user", "content": "a"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b", "annotations": []}]},
        {"role": "user", "content": [{"type": "input_text", "text": "c"}]},
    ]
    response = await respond(client, stream=False, instructions="Be brief.", input=items)
    assert response.status_code == 200, response.text
    assert bytes(engine.requests[0].prompt) == b"<system>Be brief.<user>a<assistant>b<user>c<assistant>"


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"input": 5}, 422, "input"),
        ({"input": None}, 422, "input"),
        ({"input": []}, 400, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, 400, "input"),
        ({"max_output_tokens": 0}, 400, "max_output_tokens"),
        ({"tools": [{"type": "web_search"}]}, 400, "tools"),
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id"),
        ({"background": True}, 400, "background"),
        ({"truncation": "auto"}, 400, "truncation"),
        ({"text": {"format": {"type": "json_schema"}}}, 400, "text"),
        ({"foo": 1}, 422, "foo"),
        ({"model": "nobody"}, 404, "model"),
    ],
)
async def test_what_is_not_served_is_refused_by_name(
    client: httpx.AsyncClient, fields: dict[str, Any], status: int, param: str
) -> None:
    response = await respond(client, **fields)
    assert response.status_code == status, response.text
    assert response.json()["error"]["param"].split(".")[0] == param
