"""The attention function of the engine, and the masks it reads.

Models that take their attention function from transformers' registry get `ROWS`, which needs no mask from the model:
which keys a query may see follows from the rows' positions. Models with attention code of their own (falcon) get the
same mask as a 4D tensor.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

IMPLEMENTATION = "kaito_rows"


class StepMasks:
    """What the queries of one forward pass may see.

    `positions`: (rows, new tokens) int64, where each new token stands in its row; `reach`: keys per row. Masks are
    additive, of shape (rows, 1, new tokens, reach), made once per window size and pass.
    """

    def __init__(self, positions: torch.Tensor, reach: int, *, dtype: torch.dtype, shortest: int) -> None:
        self._positions = positions
        self._reach = reach
        self._dtype = dtype
        self._even = positions.shape[1] == 1 and shortest == reach
        self._masks: dict[int | None, torch.Tensor | None] = {}

    def mask(self, window: int | None = None, *, always: bool = False) -> torch.Tensor | None:
        """The mask for layers that look back `window` tokens (None: all). None: every query sees every key (never
        when `always`)."""
        if window is not None and window >= self._reach:
            window = None
        if window not in self._masks:
            self._masks[window] = None if self._even and window is None and not always else self._build(window)
        return self._masks[window]

    def _build(self, window: int | None) -> torch.Tensor:
        column = torch.arange(self._reach, device=self._positions.device)
        row = self._positions[:, None, :, None]
        hidden = column > row
        if window is not None:
            hidden = hidden | (column <= row - window)
        mask = torch.zeros(hidden.shape, dtype=self._dtype, device=hidden.device)
        return mask.masked_fill_(hidden, torch.finfo(self._dtype).min)


class _Current(threading.local):
    masks: StepMasks | None = None


current = _Current()
"""The pass that this thread is making; set by `decoder`."""


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of `query` (rows, heads, new tokens, size) over `key` and `value` (rows, key-value heads, reach,
    size).

    Query heads that share a key-value head are folded into the token dimension, so keys are never repeated. Returns
    (rows, new tokens, heads, size).
    """
    masks = current.masks
    assert masks is not None, "the attention function runs inside the decoder's forward pass only"
    mask = masks.mask(sliding_window)
    rows, heads, length, size = query.shape
    groups = heads // key.shape[1]
    folded = query.reshape(rows, key.shape[1], groups * length, size)
    if mask is not None and groups > 1 and length > 1:
        mask = mask.repeat(1, 1, groups, 1)
    if softcap is None and s_aux is None:
        out = scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scaling)
    else:
        scale = size**-0.5 if scaling is None else scaling
        scores = (folded @ key.transpose(2, 3)) * scale
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        if mask is not None:
            scores = scores + mask
        if s_aux is not None:
            sink = s_aux.view(1, key.shape[1], groups, 1, 1).expand(rows, -1, -1, length, 1)
            scores = torch.cat([scores, sink.reshape(rows, key.shape[1], groups * length, 1)], dim=-1)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        out = weights[..., : key.shape[2]] @ value
    return out.reshape(rows, heads, length, out.shape[-1]).transpose(1, 2).contiguous(), None


def register() -> None:
    """Makes `IMPLEMENTATION` known to transformers (idempotent). It has no mask function, so models build no masks
    for it."""
    from transformers import AttentionInterface

    AttentionInterface.register(IMPLEMENTATION, attend)
