"""OpenAI's own client against the application."""

from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from fastapi import FastAPI


@pytest.fixture
async def official(app: FastAPI) -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    async with openai.AsyncOpenAI(base_url="http://test/v1", api_key="none", http_client=http, max_retries=0) as client:
        yield client


async def test_chat_completions(official: openai.AsyncOpenAI) -> None:
    answer = await official.chat.completions.create(
        model="facts", messages=[{"role": "user", "content": "Hi"}], logprobs=True, top_logprobs=2, seed=1
    )
    assert answer.choices[0].message.content == "Hello, wörld."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 34
    assert answer._request_id
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.content is not None
    assert len(answer.choices[0].logprobs.content) == 14


async def test_streamed_chat_completions(official: openai.AsyncOpenAI) -> None:
    text = ""
    usage = None
    stream = await official.chat.completions.create(
        model="phi-3",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert text == "Hello, wörld."
    assert usage is not None
    assert usage.completion_tokens == 15


async def test_completions(official: openai.AsyncOpenAI) -> None:
    whole = await official.completions.create(model="phi-3", prompt=["a", "b"], max_tokens=20)
    assert [choice.text for choice in whole.choices] == ["Hello, wörld."] * 2
    stream = await official.completions.create(model="phi-3", prompt="a", stream=True, max_tokens=20)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello, wörld."


async def test_responses(official: openai.AsyncOpenAI) -> None:
    answer = await official.responses.create(model="phi-3", input="Hi", instructions="Be brief.")
    assert answer.output_text == "Hello, wörld."
    assert answer.status == "completed"
    stream = await official.responses.create(model="phi-3", input="Hi", stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "Hello, wörld."


async def test_models(official: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in official.models.list()] == ["phi-3", "facts", "tone"]
    assert (await official.models.retrieve("facts")).id == "facts"


async def test_errors_become_the_clients_exceptions(official: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        await official.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="context"):
        await official.chat.completions.create(model="phi-3", messages=[{"role": "user", "content": "x" * 3000}])
    with pytest.raises(openai.UnprocessableEntityError, match="Unknown parameter: foo"):
        await official.completions.create(model="phi-3", prompt="x", extra_body={"foo": 1})
