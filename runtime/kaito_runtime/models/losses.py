"""Batches, and the loss over the tokens that are to be learnt; used by pretraining and by tuning."""

from collections.abc import Sequence
from typing import Any, Final

IGNORED: Final = -100
"""Label of a position that does not count in the loss."""

Row = tuple[list[int], list[int]]
"""Token ids and labels of one example, equally long."""


def collate(rows: Sequence[Row], pad: int, *, multiple: int = 1) -> dict[str, Any]:
    """Return right-padded tensors `input_ids`, `labels`, `attention_mask`: (batch, length) int64.

    length: the longest row, rounded up to a multiple of `multiple`.
    """
    import torch

    longest = max(len(ids) for ids, _ in rows)
    longest = -(-longest // multiple) * multiple
    ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [IGNORED] * (longest - len(labels)) for _, labels in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def answer_loss(model: Any, batch: dict[str, Any]) -> tuple[Any, int]:
    """Return the cross entropy summed over labelled positions, and how many those are.

    Divided by their number it is the model's own `loss`, but logits are computed only at positions where some row of
    the batch has a label: the output layer's work (most of it, for a small model with a large vocabulary) is not spent
    on prompts and padding. `labels` may stay on the CPU; then a GPU is never waited for.
    """
    import torch

    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"][:, 1:]
    positions = (labels != IGNORED).any(dim=0).nonzero().flatten()
    wanted = labels[:, positions]
    count = int((wanted != IGNORED).sum())
    device = batch["input_ids"].device
    logits = model(**inputs, use_cache=False, logits_to_keep=positions.to(device)).logits
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), wanted.flatten().to(device), ignore_index=IGNORED, reduction="sum"
    )
    return total, count
