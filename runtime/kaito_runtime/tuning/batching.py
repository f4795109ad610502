"""Which examples form which step: a seeded order for each epoch, packing, and the shards of several processes."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kaito_runtime.models.losses import IGNORED, Row, collate
from kaito_runtime.tuning.encoding import Encoded


@dataclass(frozen=True)
class Pack:
    """Examples that share one row. A row of its own for each example is a pack of one."""

    examples: tuple[Encoded, ...]

    @property
    def length(self) -> int:
        """Tokens in the row."""
        return sum(len(example.ids) for example in self.examples)


def pack(examples: Sequence[Encoded], *, length: int) -> list[Pack]:
    """Return rows of at most `length` tokens: best fit, longest first, so that little is left empty."""
    order = sorted(range(len(examples)), key=lambda index: (-len(examples[index].ids), index))
    rows: list[list[int]] = []
    room: list[int] = []
    by_room: dict[int, list[int]] = {}
    for index in order:
        size = len(examples[index].ids)
        fitting = min((left for left in by_room if left >= size and by_room[left]), default=None)
        if fitting is None:
            rows.append([index])
            room.append(length - size)
            place = len(rows) - 1
        else:
            place = by_room[fitting].pop(0)
            rows[place].append(index)
            room[place] -= size
        by_room.setdefault(room[place], []).append(place)
    return [Pack(tuple(examples[index] for index in sorted(row))) for row in rows]


def epoch_batches(
    rows: Sequence[Pack], *, batch: int, seed: int, epoch: int, by_length: bool = False, drop_last: bool = False
) -> list[list[Pack]]:
    """Return the batches of `epoch`; the same seed and epoch give the same batches on every machine."""
    generator = random.Random(f"{seed}-{epoch}")
    order = generator.sample(range(len(rows)), len(rows))
    if by_length:
        window = 50 * batch
        order = [
            index
            for start in range(0, len(order), window)
            for index in sorted(order[start : start + window], key=lambda index: -rows[index].length)
        ]
    batches = [[rows[index] for index in order[start : start + batch]] for start in range(0, len(order), batch)]
    if drop_last and len(batches) > 1 and len(batches[-1]) < batch:
        batches.pop()
    if by_length:
        generator.shuffle(batches)
    return batches


def steps_per_epoch(rows: int, *, batch: int, accumulation: int, drop_last: bool) -> int:
    """Return how many optimizer steps one pass over `rows` rows makes."""
    batches = rows // batch if drop_last and rows >= batch else -(-rows // batch)
    return max(1, -(-batches // accumulation))


def steps_of(batches: Sequence[list[Pack]], accumulation: int) -> Iterator[list[list[Pack]]]:
    """Yield the batches of each optimizer step."""
    for start in range(0, len(batches), accumulation):
        yield list(batches[start : start + accumulation])


def shard(batch: Sequence[Pack], *, rank: int, size: int) -> list[Pack]:
    """Return the rows of `batch` that process `rank` of `size` takes.

    Never none, so that all processes keep step: where there are fewer rows than processes, one that learns nothing.
    """
    if size == 1:
        return list(batch)
    return list(batch[rank::size]) or [Pack(tuple(_unlearnt(example) for example in batch[0].examples))]


def _unlearnt(example: Encoded) -> Encoded:
    return Encoded(example.ids, [IGNORED] * len(example.ids))


def tensors(batch: Sequence[Pack], pad: int, *, multiple: int = 1) -> dict[str, Any]:
    """Return what the model is given: `input_ids`, `labels`, for plain rows `attention_mask`; (rows, length) int64.

    Packed rows carry `position_ids` that start again with each example instead of a mask; transformers keeps examples
    apart by them.
    """
    if all(len(row.examples) == 1 for row in batch):
        return collate([(row.examples[0].ids, row.examples[0].labels) for row in batch], pad, multiple=multiple)
    import torch

    packed: list[Row] = []
    positions: list[list[int]] = []
    for row in batch:
        ids: list[int] = []
        labels: list[int] = []
        for example in row.examples:
            ids += example.ids
            labels += [IGNORED, *example.labels[1:]]
        packed.append((ids, labels))
        positions.append([place for example in row.examples for place in range(len(example.ids))])
    batch_tensors = collate(packed, pad, multiple=multiple)
    length = batch_tensors["input_ids"].shape[1]
    batch_tensors["position_ids"] = torch.tensor([row + list(range(length - len(row))) for row in positions])
    del batch_tensors["attention_mask"]
    return batch_tensors
