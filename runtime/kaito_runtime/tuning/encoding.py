"""From examples to tokens with labels: what of an example is learnt, and that its end is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kaito_runtime.errors import BadData
from kaito_runtime.models.losses import IGNORED
from kaito_runtime.tuning.formats import Example

Span = tuple[int, int]
"""Begin and end, in characters of the rendered text."""


@dataclass(frozen=True)
class Encoded:
    """ids and labels: equally long; a label is its token's id or IGNORED."""

    ids: list[int]
    labels: list[int]

    @property
    def learnt(self) -> int:
        """Tokens that count in the loss (the first of a row is never predicted)."""
        return sum(label != IGNORED for label in self.labels[1:])


def encode(examples: Sequence[Example], tokenizer: Any, *, max_length: int, answers_only: bool = True) -> list[Encoded]:
    """Return the tokens of each example, at most `max_length` of them; in order.

    Conversations go through the chat template; where a tokenizer has none, turns are joined by empty lines. The end of
    sequence is always part of what is learnt, whatever the pad token is. Plain text is learnt as a whole. An example
    whose answer lies behind max_length has no labels left (`learnt == 0`). Raises BadData when the template refuses.
    """
    rendered = [_render(example, tokenizer) for example in examples]
    batch = tokenizer(
        [text for text, _ in rendered], add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    plain = [example.text is not None for example in examples]
    encoded = []
    for index, (text, spans) in enumerate(rendered):
        ids = list(batch["input_ids"][index])
        if plain[index] or not answers_only:
            labels = list(ids)
        else:
            labels = _labels(ids, batch["offset_mapping"][index], spans)
        if not text or (tokenizer.eos_token_id is not None and not _ends(ids, labels, tokenizer.eos_token_id)):
            ids.append(tokenizer.eos_token_id)
            labels.append(tokenizer.eos_token_id)
        if plain[index] and tokenizer.bos_token_id is not None and _wants_start(tokenizer, ids):
            ids.insert(0, tokenizer.bos_token_id)
            labels.insert(0, IGNORED)
        encoded.append(Encoded(ids[:max_length], labels[:max_length]))
    return encoded


def _render(example: Example, tokenizer: Any) -> tuple[str, list[Span]]:
    """Return the whole text of an example and the spans of its answers."""
    if example.text is not None:
        return example.text, [(0, len(example.text))]
    if not tokenizer.chat_template:
        return _join(example)
    turns = list(example.messages)
    try:
        whole: str = tokenizer.apply_chat_template(turns, tokenize=False)
        spans = []
        for index, turn in enumerate(turns):
            if turn["role"] == "assistant":
                before = _before(tokenizer, turns[:index], whole)
                last = index == len(turns) - 1
                after = whole if last else tokenizer.apply_chat_template(turns[: index + 1], tokenize=False)
                spans.append(_span(whole, before, after, example.place, tokenizer.eos_token))
    except BadData:
        raise
    except Exception as error:  # the template is somebody's program: jinja errors, raise_exception, KeyError …
        raise BadData(f"{example.place}: the chat template refuses this conversation: {error}") from error
    return whole, spans


def _before(tokenizer: Any, turns: list[dict[str, Any]], whole: str) -> str:
    """Return the text up to where the answer to `turns` begins.

    Templates cannot be asked about no turns at all; before an answer that comes first stands what comes after any
    question.
    """
    if turns:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    asked = [{"role": "user", "content": "?"}]
    plain, prompting = (
        str(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=flag)) for flag in (False, True)
    )
    prompt = prompting[len(plain) :] if prompting.startswith(plain) else ""
    at = whole.find(prompt)
    return whole[: at + len(prompt)] if at >= 0 else ""


def _span(whole: str, before: str, after: str, place: str, end_of_turn: str | None) -> Span:
    """Return where the answer stands that turns `before` into `after`; what follows its end token is not learnt."""
    if not whole.startswith(before) or not whole.startswith(after):
        raise BadData(
            f"{place}: the chat template rewrites earlier turns, so answers cannot be told apart;"
            " keep one answer per conversation or set TrainingArguments.completion_only_loss: false"
        )
    answer = after[len(before) :].rstrip()
    ends_itself = end_of_turn is not None and answer.endswith(end_of_turn)
    return len(before), len(before) + len(answer) if ends_itself else len(after)


def _join(example: Example) -> tuple[str, list[Span]]:
    text, spans = "", []
    for turn in example.messages:
        start = len(text)
        text += str(turn.get("content", ""))
        if turn["role"] == "assistant":
            spans.append((start, len(text)))
        text += "\n\n"
    return text.rstrip("\n"), spans


def _labels(ids: list[int], offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    labels = []
    for token, (begin, end) in zip(ids, offsets, strict=True):
        inside = any(start <= begin and end <= stop and begin < stop for start, stop in spans)
        labels.append(token if inside else IGNORED)
    return labels


def _ends(ids: list[int], labels: list[int], end: int) -> bool:
    """Whether the end of sequence is learnt after the last answer."""
    last = max((index for index, label in enumerate(labels) if label != IGNORED), default=-1)
    return last >= 0 and end in labels[max(0, last - 2) : last + 1]


def _wants_start(tokenizer: Any, ids: list[int]) -> bool:
    """Whether the tokenizer itself would begin a text with its beginning-of-sequence token, and it is missing."""
    plain = tokenizer("a")["input_ids"]
    start = tokenizer.bos_token_id
    return bool(plain) and plain[0] == start and (not ids or ids[0] != start)
