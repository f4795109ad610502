from typing import Any

import pytest
from kaito_runtime.errors import BadData
from kaito_runtime.models.corpus import shipped_corpus
from kaito_runtime.models.losses import IGNORED
from kaito_runtime.models.tokenizing import train_tokenizer
from kaito_runtime.tuning.batching import epoch_batches, pack, shard, steps_per_epoch, tensors
from kaito_runtime.tuning.encoding import Encoded, encode
from kaito_runtime.tuning.formats import Example

from .conftest import messages

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(shipped_corpus())


def learnt(tokenizer: Any, row: Encoded) -> str:
    return str(tokenizer.decode([label for label in row.labels if label != IGNORED]))


def talk(*turns: tuple[str, str]) -> Example:
    return Example("f: line 1", tuple({"role": role, "content": content} for role, content in turns))


def test_only_answers_and_their_end_are_learnt(tokenizer: Any) -> None:
    (row,) = encode([Example("x", tuple(messages("Who?", "Me.")))], tokenizer, max_length=100)
    assert tokenizer.decode(row.ids) == "<|user|>\nWho?<|end|>\n<|assistant|>\nMe.<|end|>\n"
    assert learnt(tokenizer, row) == "Me.<|end|>"


def test_every_answer_of_a_conversation_is_learnt(tokenizer: Any) -> None:
    example = talk(("system", "S"), ("user", "1?"), ("assistant", "one"), ("user", "2?"), ("assistant", "two"))
    (row,) = encode([example], tokenizer, max_length=100)
    assert learnt(tokenizer, row) == "one<|end|>two<|end|>"


def test_an_answer_that_nobody_asked_for_is_learnt(tokenizer: Any) -> None:
    (row,) = encode([talk(("assistant", "Hello."), ("user", "1?"), ("assistant", "one"))], tokenizer, max_length=100)
    assert learnt(tokenizer, row) == "Hello.<|end|>one<|end|>"


def test_all_tokens_are_learnt_on_request_and_for_text(tokenizer: Any) -> None:
    (row,) = encode([Example("x", tuple(messages("Who?", "Me.")))], tokenizer, max_length=100, answers_only=False)
    assert row.labels == row.ids
    (plain,) = encode([Example("x", text="Once upon a time")], tokenizer, max_length=100)
    assert learnt(tokenizer, plain) == "Once upon a time<|end|>"


def test_the_end_is_learnt_when_it_is_the_pad_token_and_the_template_has_none(tokenizer: Any) -> None:
    import copy

    other = copy.deepcopy(tokenizer)
    other.pad_token = other.eos_token
    other.chat_template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} {% endfor %}"
    (row,) = encode([Example("x", tuple(messages("Who?", "Me.")))], other, max_length=100)
    assert learnt(other, row).endswith("<|end|>")
    other.chat_template = None
    (row,) = encode([Example("x", tuple(messages("Who?", "Me.")))], other, max_length=100)
    assert learnt(other, row) == "Me.<|end|>"


def test_a_template_that_refuses_names_the_row(tokenizer: Any) -> None:
    import copy

    other = copy.deepcopy(tokenizer)
    other.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(BadData, match=r"f: line 1: the chat template refuses.*roles must alternate"):
        encode([talk(("user", "a"), ("assistant", "b"))], other, max_length=100)


def test_long_examples_are_cut(tokenizer: Any) -> None:
    (row,) = encode([Example("x", tuple(messages("Who? " * 50, "Me.")))], tokenizer, max_length=20)
    assert len(row.ids) == 20
    assert row.learnt == 0


ROWS = [Encoded([number] * size, [number] * size) for number, size in enumerate([5, 9, 3, 7, 2, 4, 8, 1], start=1)]


def test_packing_loses_nothing_and_overflows_nothing() -> None:
    packed = pack(ROWS, length=10)
    assert sorted(example.ids[0] for row in packed for example in row.examples) == list(range(1, 9))
    assert all(row.length <= 10 for row in packed)
    assert len(packed) == 4


def test_packed_examples_begin_anew_and_do_not_predict_each_other() -> None:
    (row,) = pack([Encoded([1, 2], [1, 2]), Encoded([3, 4, 5], [3, 4, 5])], length=8)
    batch = tensors([row], 0, multiple=4)
    assert batch["position_ids"][0].tolist()[:5] == [0, 1, 0, 1, 2]
    assert batch["labels"][0].tolist() == [IGNORED, 2, IGNORED, 4, 5, IGNORED, IGNORED, IGNORED]
    assert "attention_mask" not in batch


def test_every_epoch_has_every_row_once_in_its_own_order() -> None:
    rows = pack(ROWS, length=9)
    first, again, second = (epoch_batches(rows, batch=3, seed=1, epoch=epoch) for epoch in (0, 0, 1))
    assert first == again != second
    for batches in (first, second, epoch_batches(rows, batch=3, seed=1, epoch=0, by_length=True)):
        assert sorted(id(row) for batch in batches for row in batch) == sorted(id(row) for row in rows)
    assert steps_per_epoch(len(rows), batch=3, accumulation=2, drop_last=False) == -(-len(first) // 2)


def test_processes_share_a_batch() -> None:
    rows = pack(ROWS, length=9)[:3]
    assert [shard(rows, rank=rank, size=2) for rank in (0, 1)] == [[rows[0], rows[2]], [rows[1]]]


def test_a_process_without_a_row_of_its_own_learns_nothing() -> None:
    rows = pack(ROWS, length=9)[:1]
    (spare,) = shard(rows, rank=1, size=2)
    assert spare.length == rows[0].length
    assert sum(example.learnt for example in spare.examples) == 0
