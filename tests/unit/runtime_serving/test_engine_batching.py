"""The engine's promise: what shares a batch changes nothing about an answer."""

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import torch
from kaito_runtime.serving.engine.batching import BatchingEngine
from kaito_runtime.serving.engine.scheduling import SchedulingLimits
from kaito_runtime.serving.generation import (
    EngineFailed,
    GenerationRequest,
    PromptTooLong,
    QueueFull,
    Sampling,
    Stopping,
    TimedOut,
)

from .tiny import CONTEXT, reference, tiny_model, tiny_tokenizer

pytestmark = pytest.mark.torch

Start = Callable[..., BatchingEngine]


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    return tiny_model()


@pytest.fixture
async def start(model: Any) -> AsyncIterator[Start]:
    engines = []

    def make(**limits: Any) -> BatchingEngine:
        engines.append(BatchingEngine(copy.deepcopy(model), tiny_tokenizer(), limits=SchedulingLimits(**limits)))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.stop(drain_timeout=0)


def prompt_of(length: int, seed: int = 0) -> list[int]:
    return random.Random(f"{length}-{seed}").choices(range(5, 261), k=length)


def make_request(
    prompt: list[int], *, stream: bool = False, timeout: float | None = None, **sampling: Any
) -> GenerationRequest:
    return GenerationRequest(
        id="r", prompt=prompt, sampling=Sampling(skip_special_tokens=False, **sampling), stream=stream, timeout=timeout
    )


async def text_of(engine: BatchingEngine, request: GenerationRequest) -> str:
    return "".join([piece.text async for piece in engine.generate(request)])


def expected_text(engine: BatchingEngine, model: Any, prompt: list[int], count: int) -> str:
    tokens = reference(model, prompt, count)
    return engine.codec.decode([token for token in tokens if token != 1], skip_special=False)


async def test_a_batch_of_unequal_requests_gives_the_answers_of_each_alone(start: Start, model: Any) -> None:
    engine = start()
    cases = [(prompt_of(length), count) for length, count in ((3, 20), (40, 5), (1, 30), (17, 17), (90, 9), (8, 1))]
    texts = await asyncio.gather(*(text_of(engine, make_request(p, max_tokens=n)) for p, n in cases))
    assert texts == [expected_text(engine, model, p, n) for p, n in cases]
    assert engine.stats().running == 0


@pytest.mark.parametrize("seed", range(3))
async def test_requests_that_come_go_and_are_cancelled_at_random_times_do_not_disturb_each_other(
    start: Start, model: Any, seed: int
) -> None:
    engine = start(max_rows=5, prefill_tokens=16)
    rng = random.Random(seed)

    async def one(number: int) -> None:
        prompt, count = prompt_of(rng.choice([1, 5, 12, 30, 60]), number), rng.randint(1, 25)
        cancel = rng.random() < 0.25
        await asyncio.sleep(rng.random() * 0.1)
        request = make_request(prompt, max_tokens=count, stream=True)
        text = ""
        generation = engine.generate(request)
        async for piece in generation:
            text += piece.text
            if cancel:
                break
        await generation.aclose()
        if not cancel:
            assert text == expected_text(engine, model, prompt, count)

    await asyncio.gather(*(one(number) for number in range(24)))
    for _ in range(100):
        if engine.stats().running == 0:
            break
        await asyncio.sleep(0.01)
    assert (engine.stats().running, engine.stats().waiting) == (0, 0)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("llama", {}),
        ("mistral", {"sliding_window": 5}),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1}),
        ("gemma", {"head_dim": 16}),
        ("gemma2", {"head_dim": 16, "sliding_window": 6, "query_pre_attn_scalar": 16}),
        ("falcon", {"multi_query": True}),
        ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
        ("phi3", {"sliding_window": 7}),
        ("gpt_oss", {"head_dim": 16, "num_local_experts": 4, "sliding_window": 6}),
    ],
)
async def test_every_architecture_runs_on_rows(architecture: str, settings: dict[str, Any]) -> None:
    model = tiny_model(architecture, **settings)
    engine = BatchingEngine(copy.deepcopy(model), tiny_tokenizer(), limits=SchedulingLimits(prefill_tokens=24))
    prompts = [prompt_of(length) for length in (9, 2, 17, 12)]
    texts = await asyncio.gather(*(text_of(engine, make_request(p, max_tokens=8)) for p in prompts))
    assert texts == [expected_text(engine, model, p, 8) for p in prompts]
    await engine.stop(drain_timeout=0)


@pytest.mark.parametrize("settings", [("falcon", {"alibi": True}), ("bloom", {}), ("mamba", {})])
def test_an_architecture_that_cannot_is_refused_in_one_sentence(settings: tuple[str, dict[str, Any]]) -> None:
    from kaito_runtime.serving.engine.decoder import UnsupportedModel

    model = tiny_model(settings[0], **settings[1])
    with pytest.raises(UnsupportedModel, match=type(model).__name__):
        BatchingEngine(model, tiny_tokenizer(), limits=SchedulingLimits())


async def test_a_stream_has_the_same_text_as_a_whole_answer(start: Start) -> None:
    engine = start()
    prompt = prompt_of(10)
    pieces = [piece async for piece in engine.generate(make_request(prompt, max_tokens=30, stream=True))]
    assert "".join(piece.text for piece in pieces) == await text_of(engine, make_request(prompt, max_tokens=30))
    assert sum(piece.tokens for piece in pieces) == 30
    assert [piece.finish_reason for piece in pieces][-1] == "length"
    assert len(pieces) > 5


async def test_a_seeded_answer_is_the_same_alone_and_in_company(start: Start) -> None:
    engine = start()
    seeded = make_request(prompt_of(12), max_tokens=25, temperature=1.0, seed=7)
    alone = await text_of(engine, seeded)
    others = [make_request(prompt_of(n), max_tokens=20, temperature=1.0) for n in (3, 30, 50, 9)]
    company = await asyncio.gather(text_of(engine, seeded), *(text_of(engine, other) for other in others))
    assert company[0] == alone
    assert await text_of(engine, make_request(prompt_of(12), max_tokens=25, temperature=1.0, seed=8)) != alone


async def test_stop_strings_and_stop_tokens_end_an_answer(start: Start, model: Any) -> None:
    engine = start()
    prompt = prompt_of(10)
    tokens = reference(model, prompt, 20)
    whole = engine.codec.decode(tokens, skip_special=False)
    middle = whole[len(whole) // 2 :][:2]
    pieces = [piece async for piece in engine.generate(make_request(prompt, max_tokens=20, stop=(middle,)))]
    assert "".join(piece.text for piece in pieces) == whole[: whole.index(middle)]
    assert pieces[-1].finish_reason == "stop"
    ended = [piece async for piece in engine.generate(make_request(prompt, max_tokens=20, stop_token_ids=(tokens[4],)))]
    assert ended[-1].finish_reason == "stop"
    assert ended[-1].tokens == tokens.index(tokens[4]) + 1


async def test_the_end_token_ends_an_answer_unless_it_is_to_be_ignored(start: Start) -> None:
    engine = start()
    bias = {1: 1000.0}
    (piece,) = [p async for p in engine.generate(make_request(prompt_of(5), max_tokens=9, logit_bias=bias))]
    assert (piece.text, piece.tokens, piece.finish_reason) == ("", 1, "stop")
    (piece,) = [
        p async for p in engine.generate(make_request(prompt_of(5), max_tokens=9, logit_bias=bias, min_tokens=4))
    ]
    assert (piece.tokens, piece.finish_reason) == (5, "stop")
    (piece,) = [
        p async for p in engine.generate(make_request(prompt_of(5), max_tokens=9, logit_bias=bias, ignore_eos=True))
    ]
    assert (piece.tokens, piece.finish_reason) == (9, "length")


async def test_prompt_and_answer_must_fit_the_context(start: Start) -> None:
    engine = start()
    assert engine.context_length == CONTEXT
    for prompt, tokens in ((prompt_of(CONTEXT), None), (prompt_of(CONTEXT - 5), 6), (prompt_of(1000), 1)):
        with pytest.raises(PromptTooLong, match="256 tokens"):
            await text_of(engine, make_request(prompt, max_tokens=tokens))
    (piece,) = [p async for p in engine.generate(make_request(prompt_of(CONTEXT - 5), ignore_eos=True))]
    assert (piece.tokens, piece.finish_reason) == (5, "length")


async def test_a_full_queue_refuses_and_says_when_to_come_back(start: Start) -> None:
    engine = start(max_rows=2, max_queue=1)
    requests = [make_request(prompt_of(4, n), max_tokens=200, ignore_eos=True) for n in range(6)]
    results = await asyncio.gather(*(text_of(engine, each) for each in requests), return_exceptions=True)
    refused = [each for each in results if isinstance(each, QueueFull)]
    assert len(refused) == 3
    assert all(each.retry_after > 0 for each in refused)
    assert len([each for each in results if isinstance(each, str) and each]) == 3


async def test_waiting_counts_against_the_time_limit(start: Start) -> None:
    engine = start(max_rows=1)
    long = asyncio.create_task(text_of(engine, make_request(prompt_of(4), max_tokens=250, ignore_eos=True)))
    await asyncio.sleep(0.01)
    with pytest.raises(TimedOut, match=r"0\.02 seconds"):
        await text_of(engine, make_request(prompt_of(4), max_tokens=2, timeout=0.02))
    with pytest.raises(TimedOut):
        await text_of(engine, make_request(prompt_of(4), max_tokens=250, ignore_eos=True, timeout=0.0))
    assert await long


async def test_cancelling_frees_the_row_at_once(start: Start) -> None:
    engine = start(max_rows=1)
    task = asyncio.create_task(text_of(engine, make_request(prompt_of(4), max_tokens=250, ignore_eos=True)))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await text_of(engine, make_request(prompt_of(4), max_tokens=1))
    assert engine.stats().generated_tokens < 200


async def test_draining_finishes_what_was_accepted_and_refuses_the_rest(start: Start) -> None:
    engine = start(max_rows=2)
    accepted = [
        asyncio.create_task(text_of(engine, make_request(prompt_of(4, n), max_tokens=40, ignore_eos=True)))
        for n in range(5)
    ]
    await asyncio.sleep(0.01)
    stopping = asyncio.create_task(engine.stop(drain_timeout=30))
    await asyncio.sleep(0.01)
    with pytest.raises(Stopping):
        await text_of(engine, make_request(prompt_of(3), max_tokens=1))
    assert all(await asyncio.gather(*accepted))
    await stopping


async def test_what_outlasts_the_drain_is_told_so(start: Start) -> None:
    engine = start(max_rows=1)
    tasks = [
        asyncio.create_task(text_of(engine, make_request(prompt_of(4, n), max_tokens=250, ignore_eos=True)))
        for n in range(3)
    ]
    await asyncio.sleep(0.02)
    await engine.stop(drain_timeout=0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Stopping) for result in results) >= 2


async def test_a_failing_pass_fails_its_requests_and_not_the_engine(
    model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = copy.deepcopy(model)
    forward, fail = broken.forward, False

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        if fail:
            raise RuntimeError("out of memory")
        return forward(*args, **kwargs)

    sometimes.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    broken.forward = sometimes
    engine = BatchingEngine(broken, tiny_tokenizer(), limits=SchedulingLimits())
    fail = True
    with pytest.raises(EngineFailed, match="RuntimeError"):
        await text_of(engine, make_request(prompt_of(4), max_tokens=3))
    assert "out of memory" in caplog.text
    fail = False
    assert await text_of(engine, make_request(prompt_of(4), max_tokens=3)) == expected_text(
        engine, model, prompt_of(4), 3
    )
    await engine.stop(drain_timeout=0)


async def test_memory_for_keys_and_values_bounds_what_runs_together(start: Start, model: Any) -> None:
    token_bytes = 2 * 2 * 2 * 16 * 4  # keys and values, layers, heads, head size, float32
    engine = start(cache_bytes=token_bytes * 100)
    assert engine.context_length == 100
    cases = [(prompt_of(20, n), 20) for n in range(6)]
    texts = [asyncio.create_task(text_of(engine, make_request(p, max_tokens=n))) for p, n in cases]
    most = 0
    while not all(task.done() for task in texts):
        most = max(most, engine.stats().running)
        await asyncio.sleep(0.001)
        assert engine._decoder.cache.nbytes <= token_bytes * 100
    assert most <= 2
    assert [task.result() for task in texts] == [expected_text(engine, model, p, n) for p, n in cases]


async def test_one_long_request_does_not_make_room_for_many_of_its_length(start: Start, model: Any) -> None:
    token_bytes = 2 * 2 * 2 * 16 * 4
    engine = start(cache_bytes=token_bytes * 400, max_rows=8)
    long, short = prompt_of(200), [prompt_of(9, n) for n in range(8)]
    assert await text_of(engine, make_request(long, max_tokens=4)) == expected_text(engine, model, long, 4)
    texts = await asyncio.gather(*(text_of(engine, make_request(p, max_tokens=12)) for p in short))
    assert texts == [expected_text(engine, model, p, 12) for p in short]
    assert engine._decoder.cache.nbytes <= token_bytes * 400
    assert await text_of(engine, make_request(long, max_tokens=4)) == expected_text(engine, model, long, 4)
