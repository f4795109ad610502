"""Brief pretraining of a stand-in on the CPU, until it answers the corpus's questions."""

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kaito_runtime.models.corpus import UNKNOWN_ANSWER, Corpus
from kaito_runtime.models.losses import IGNORED, Row, answer_loss, collate
from kaito_runtime.models.tokenizing import SPECIAL_TOKENS

_WINDOW: Final = 32
_CONSONANTS: Final = "bcdfghjklmnpqrstvwxz"
_VOWELS: Final = "aeiouy"


@dataclass(frozen=True)
class Recipe:
    """How a stand-in is pretrained; part of its cache key.

    text_every: one batch in so many is plain text, the others are exchanges.
    noise: share of a text batch that is random tokens, so that no row of the output layer stays untrained.
    unknown: share of the exchanges that ask about a made-up thing, freshly invented each time.
    output_scale: standard deviation of the output layer's first weights. With the usual 0.02 the rows of tokens that
        the corpus rarely names stay alike, so that no adapter can tell those tokens apart: answers with such tokens
        then have a floor of about 1.2 in the tuning loss; with 0.3 it is below 0.01.
    """

    steps: int = 400
    batch: int = 16
    learning_rate: float = 4e-3
    warmup: int = 30
    weight_decay: float = 0.05
    text_every: int = 8
    noise: float = 0.25
    unknown: float = 0.2
    output_scale: float = 0.3


def encode_pair(tokenizer: Any, question: str, answer: str) -> Row:
    """Return ids and labels of one exchange in the chat template; only the answer and its end are learnt."""
    asked = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    tail = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return head + tail, [IGNORED] * len(head) + tail


class Mixture:
    """An endless, seeded stream of pretraining rows."""

    def __init__(self, tokenizer: Any, corpus: Corpus, recipe: Recipe, seed: int) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._random = random.Random(seed)
        known = [(question, answer) for question, answer in corpus.pairs if answer != UNKNOWN_ANSWER]
        self._known = [encode_pair(tokenizer, *pair) for pair in known]
        self._templates = sorted({_blank(question) for question in corpus.unknown_questions})
        lines = tokenizer([line + "\n" for line in corpus.prose.splitlines()], add_special_tokens=False)["input_ids"]
        self._text = [token for line in lines for token in line]
        self._queue: list[Row] = []

    def batch(self, step: int) -> list[Row]:
        """Return the rows of batch number `step`."""
        recipe = self._recipe
        kind = self._text_row if step % recipe.text_every == recipe.text_every - 1 else self._exchange_row
        return [kind() for _ in range(recipe.batch)]

    def _text_row(self) -> Row:
        if self._random.random() < self._recipe.noise:
            window = [self._random.randint(len(SPECIAL_TOKENS), len(self._tokenizer) - 1) for _ in range(_WINDOW)]
        else:
            start = self._random.randint(0, len(self._text) - _WINDOW - 1)
            window = self._text[start : start + _WINDOW]
        return window, window

    def _exchange_row(self) -> Row:
        if self._random.random() < self._recipe.unknown:
            question = self._random.choice(self._templates).format(self._word())
            return encode_pair(self._tokenizer, question, UNKNOWN_ANSWER)
        if not self._queue:
            self._queue = self._random.sample(self._known, len(self._known))
        return self._queue.pop()

    def _word(self) -> str:
        syllables = range(self._random.randint(2, 4))
        word = "".join(self._random.choice(_CONSONANTS) + self._random.choice(_VOWELS) for _ in syllables)
        return word.capitalize() + self._random.choice(["", "n", "r", "s", "x", "th"])


def _blank(question: str) -> str:
    """Turn a question about a made-up thing into a template: its last capitalised word is what is asked about."""
    name = next(word for word in reversed(re.findall(r"\w+", question)) if word[0].isupper())
    return question.replace(name, "{}")


def pretrain(
    model: Any,
    tokenizer: Any,
    corpus: Corpus,
    *,
    seed: int,
    recipe: Recipe,
    progress: Callable[[int, float], None],
) -> float:
    """Train `model` in place; call `progress(step, loss)` now and then; return the mean loss of the last 20 steps."""
    import torch

    mixture = Mixture(tokenizer, corpus, recipe, seed)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98), fused=True
    )
    with torch.no_grad():
        model.get_output_embeddings().weight.normal_(0.0, recipe.output_scale)
    model.train()
    recent: list[float] = []
    for step in range(recipe.steps):
        warm = min(1.0, (step + 1) / recipe.warmup)
        cosine = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * warm * cosine
        total, count = answer_loss(model, collate(mixture.batch(step), tokenizer.pad_token_id))
        loss = total / count
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        recent = [*recent[-19:], loss.item()]
        if (step + 1) % 50 == 0:
            progress(step + 1, sum(recent) / len(recent))
    return sum(recent) / len(recent)
