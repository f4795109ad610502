"""The next token of every row of a batch.

Draws are by inverse transform from one uniform number of the request's own generator, so a seeded request gives the
same answer whatever shares its batch (up to what batch size changes in the last bits of the logits).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..generation import Sampling

_LARGEST = 1e30
"""Scores are kept within this when a penalty multiplies them."""


@dataclass(frozen=True)
class Choice:
    """A chosen token; `logprob` and `top` (token, log probability; most likely first) only where asked for."""

    token: int
    logprob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()


class Sampler:
    """The sampling state of one request: its random generator, what it has said so far, its biases."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], *, eos: frozenset[int]) -> None:
        self.sampling = sampling
        self._random = random.Random(sampling.seed)
        self._counts: dict[int, int] = {}
        self._prompt = frozenset(prompt) if sampling.repetition_penalty != 1.0 else frozenset()
        self._eos = eos
        self._chosen = 0
        s = sampling
        self.plain = not (
            s.temperature > 0
            or s.frequency_penalty
            or s.presence_penalty
            or s.repetition_penalty != 1.0
            or s.logit_bias
            or s.min_tokens
            or s.logprobs is not None
        )
        """True: the most likely token is all that is asked, so the batch's arg max will do."""
        self._penalised = bool(s.frequency_penalty or s.presence_penalty or s.repetition_penalty != 1.0)

    def accept(self, token: int) -> None:
        """Records a chosen token."""
        self._chosen += 1
        if self._penalised:
            self._counts[token] = self._counts.get(token, 0) + 1

    def choose(self, logits: torch.Tensor) -> Choice:
        """Chooses from one row's logits (vocabulary,), which are not changed."""
        raw = logits.float()
        scores = self._adjusted(raw)
        if self.sampling.temperature > 0:
            token = self._draw(scores)
        else:
            token = int(scores.argmax())
        if self.sampling.logprobs is None:
            return Choice(token)
        logprobs = torch.log_softmax(raw, dim=-1)
        top: tuple[tuple[int, float], ...] = ()
        if self.sampling.logprobs:
            values, indices = logprobs.topk(min(self.sampling.logprobs, logprobs.shape[0]))
            top = tuple(zip(indices.tolist(), values.tolist(), strict=True))
        return Choice(token, float(logprobs[token]), top)

    def _adjusted(self, raw: torch.Tensor) -> torch.Tensor:
        s = self.sampling
        scores = raw.clone() if (self._penalised or s.logit_bias or s.min_tokens) else raw
        if s.repetition_penalty != 1.0:
            seen = torch.tensor(sorted(self._prompt | self._counts.keys()), device=scores.device)
            values = scores[seen]
            values = torch.where(values < 0, values * s.repetition_penalty, values / s.repetition_penalty)
            scores[seen] = values.clamp(-_LARGEST, _LARGEST)
        if self._counts and (s.frequency_penalty or s.presence_penalty):
            said = torch.tensor(list(self._counts), device=scores.device)
            counts = torch.tensor(list(self._counts.values()), dtype=scores.dtype, device=scores.device)
            scores[said] -= counts * s.frequency_penalty + s.presence_penalty
        if s.logit_bias:
            _add_bias(scores, s.logit_bias)
        if self._chosen < s.min_tokens and self._eos:
            scores[list(self._eos)] = -math.inf
        return scores

    def _draw(self, scores: torch.Tensor) -> int:
        s = self.sampling
        u = self._random.random()
        # The largest score counts as 0, so that dividing by a tiny temperature cannot make it infinite.
        scores = scores.double()
        probabilities = torch.softmax((scores - scores.max()) / s.temperature, dim=-1)
        limited = 0 < s.top_k < probabilities.shape[0] or s.top_p < 1.0 or s.min_p > 0
        if not limited:
            return _invert(probabilities.cumsum(0), u)
        if 0 < s.top_k < probabilities.shape[0]:
            ordered, tokens = probabilities.topk(s.top_k)
        else:
            ordered, tokens = probabilities.sort(descending=True, stable=True)
        keep = torch.ones_like(ordered, dtype=torch.bool)
        if s.top_p < 1.0:
            # As transformers does, top-p counts what top-k has left as the whole.
            shares = ordered / ordered.sum()
            keep &= shares.cumsum(0) - shares < s.top_p
        if s.min_p > 0:
            keep &= ordered >= s.min_p * ordered[0]
        keep[0] = True
        return int(tokens[_invert((ordered * keep).cumsum(0), u)])


def _invert(cumulative: torch.Tensor, u: float) -> int:
    """The first index whose cumulative weight exceeds the share `u` of the total."""
    index = int(torch.searchsorted(cumulative, cumulative[-1:] * u, right=True))
    last = int(torch.searchsorted(cumulative, cumulative[-1:]))
    # Where the model's own scores are not numbers, neither is found: any token will do, the other rows must go on.
    return min(index, last, cumulative.shape[0] - 1)


def _add_bias(scores: torch.Tensor, bias: Mapping[int, float]) -> None:
    scores[torch.tensor(list(bias), device=scores.device)] += torch.tensor(
        list(bias.values()), dtype=scores.dtype, device=scores.device
    )


def choose_all(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[Choice]:
    """A choice for each row of `logits` (rows, vocabulary); rows that want the most likely token share one arg max."""
    best = logits.argmax(dim=-1).tolist()
    return [Choice(best[row]) if sampler.plain else sampler.choose(logits[row]) for row, sampler in enumerate(samplers)]
