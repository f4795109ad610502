"""Choosing tokens: the limits of a draw, penalties as transformers and OpenAI define them, seeds."""

from typing import Any

import pytest
import torch
from kaito_runtime.serving.engine.sampling import Sampler, choose_all
from kaito_runtime.serving.generation import Sampling

pytestmark = pytest.mark.torch

LOGITS = torch.tensor([2.0, 1.0, 0.5, -1.0, 3.0, 0.0])


def sampler(prompt: tuple[int, ...] = (), **settings: Any) -> Sampler:
    return Sampler(Sampling(**settings), prompt, eos=frozenset({5}))


def drawn(count: int = 1500, **settings: Any) -> list[float]:
    """Shares of the tokens over many draws."""
    one = sampler(temperature=settings.pop("temperature", 1.0), seed=1, **settings)
    counts = torch.zeros(len(LOGITS))
    for _ in range(count):
        counts[one.choose(LOGITS).token] += 1
    return (counts / count).tolist()


def test_without_a_temperature_the_most_likely_token_is_chosen() -> None:
    assert sampler().choose(LOGITS).token == 4
    assert sampler().plain
    assert choose_all(torch.stack([LOGITS, -LOGITS]), [sampler(), sampler()]) == [
        sampler().choose(LOGITS),
        sampler().choose(-LOGITS),
    ]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature: float) -> None:
    expected = torch.softmax(LOGITS / temperature, dim=-1).tolist()
    assert drawn(temperature=temperature) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "possible"),
    [
        ({"top_k": 2}, {0, 4}),
        ({"top_k": 1}, {4}),
        ({"top_k": 100}, {0, 1, 2, 3, 4, 5}),
        ({"top_p": 0.5}, {4}),
        ({"top_p": 0.8}, {0, 4}),
        ({"top_p": 1e-9}, {4}),
        ({"min_p": 0.3}, {0, 4}),
        ({"top_k": 3, "top_p": 0.9}, {0, 4}),
        ({"logit_bias": {4: -1000.0}}, {0, 1, 2, 3, 5}),
    ],
)
def test_limits_leave_only_the_likely_tokens(settings: dict[str, Any], possible: set[int]) -> None:
    shares = drawn(800, **settings)
    assert {token for token, share in enumerate(shares) if share > 0} <= possible
    kept = torch.softmax(LOGITS, -1).clone()
    if "logit_bias" in settings:
        kept[4] = 0
    kept[[token for token in range(6) if token not in possible]] = 0
    assert shares == pytest.approx((kept / kept.sum()).tolist(), abs=0.06)


def test_a_seed_repeats_the_draws_and_no_seed_does_not() -> None:
    def draws(seed: int | None) -> list[int]:
        one = sampler(temperature=2.0, seed=seed)
        return [one.choose(LOGITS).token for _ in range(50)]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)
    assert draws(None) != draws(None)


def test_repetition_penalty_is_transformers() -> None:
    from transformers import RepetitionPenaltyLogitsProcessor

    one = sampler((0, 3), repetition_penalty=1.7)
    one.accept(4)
    expected = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([[0, 3, 4]]), LOGITS[None].clone())[0]
    torch.testing.assert_close(one._adjusted(LOGITS), expected)


def test_frequency_counts_and_presence_does_not() -> None:
    one = sampler(frequency_penalty=0.5, presence_penalty=0.25)
    for token in (4, 4, 0):
        one.accept(token)
    expected = LOGITS - torch.tensor([0.75, 0, 0, 0, 1.25, 0])
    torch.testing.assert_close(one._adjusted(LOGITS), expected)
    torch.testing.assert_close(LOGITS, torch.tensor([2.0, 1.0, 0.5, -1.0, 3.0, 0.0]))


def test_the_end_waits_for_the_least_number_of_tokens() -> None:
    one = sampler(min_tokens=2, logit_bias={5: 50.0})
    chosen = []
    for _ in range(3):
        chosen.append(one.choose(LOGITS).token)
        one.accept(chosen[-1])
    assert chosen == [4, 4, 5]


def test_logprobs_are_of_the_models_own_distribution() -> None:
    choice = sampler(temperature=0.1, logit_bias={1: 100.0}, logprobs=2).choose(LOGITS)
    expected = torch.log_softmax(LOGITS, -1)
    assert choice.token == 1
    assert choice.logprob == pytest.approx(float(expected[1]))
    assert [token for token, _ in choice.top] == [4, 0]
    assert [value for _, value in choice.top] == pytest.approx([float(expected[4]), float(expected[0])])


def test_impossible_tokens_are_never_drawn() -> None:
    logits = torch.tensor([-float("inf"), 0.0, -float("inf"), 0.0, -float("inf"), -float("inf")])
    for settings in ({}, {"top_p": 0.99}, {"top_k": 3}):
        one = sampler(temperature=1.0, seed=0, **settings)
        assert {one.choose(logits).token for _ in range(300)} == {1, 3}


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1e-320},
        {"temperature": 1e-40, "top_p": 0.9},
        {"temperature": 1.0, "repetition_penalty": 1e-44},
        {"temperature": 1.0, "repetition_penalty": 1e300},
    ],
)
def test_extreme_settings_choose_a_token_too(settings: dict[str, Any]) -> None:
    choice = sampler((0, 4), **settings, logprobs=1).choose(LOGITS)
    assert 0 <= choice.token < len(LOGITS)
    if "repetition_penalty" not in settings:
        assert choice.token == 4


def test_scores_that_are_not_numbers_end_in_some_token_and_leave_the_other_rows_alone() -> None:
    choices = choose_all(torch.stack([LOGITS * float("nan"), LOGITS]), [sampler(temperature=1.0), sampler()])
    assert 0 <= choices[0].token < len(LOGITS)
    assert choices[1].token == 4
