"""Keys and values of the rows that are being generated.

Row i of every tensor belongs to the scheduler's i-th active sequence. Active rows are always the first ones, so a
decode step reads a plain view and never gathers; when a row ends, another is moved into its place.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache

LENGTH_STEP = 64
"""Row lengths grow in multiples of this (tokens)."""


class RowCache(Cache):
    """A transformers cache of independent rows: keys and values (rows, key-value heads, length, head size) per layer.

    Before each forward pass the scheduler calls `aim`; the model's attention layers then call `update` with the new
    tokens' keys and values, which are written at each row's own positions, and get everything up to the longest aimed
    row back. What lies behind a row's end is garbage for the attention mask to hide.
    """

    def __init__(self, layers: int, *, max_rows: int, max_length: int) -> None:
        # Cache.__init__ is skipped on purpose: it builds per-layer objects that this class replaces.
        self.layers = []
        self._keys: list[torch.Tensor | None] = [None] * layers
        self._values: list[torch.Tensor | None] = [None] * layers
        self._max_rows = max_rows
        self._max_length = max_length
        self.budget = max_rows * max_length
        """Most tokens of all rows together that there may be memory for."""
        self._rows = 0
        self._length = 0
        self._first = 0
        self._count = 0
        self._reach = 0
        self._positions: torch.Tensor | None = None
        self._row_index: torch.Tensor | None = None

    def reserve(self, rows: int, length: int) -> None:
        """Makes room for `rows` rows of `length` tokens, the longest of all active rows; what is active stays stored.

        Grows by doubling, so that growing is rare; where that would pass `budget`, to exactly what is asked, which
        may be fewer rows or shorter ones than before.
        """
        if rows <= self._rows and length <= self._length:
            return
        grown_rows = self._rows if rows <= self._rows else min(self._max_rows, max(rows, 2 * self._rows))
        rounded = -(-length // LENGTH_STEP) * LENGTH_STEP
        grown_length = self._length if length <= self._length else min(self._max_length, max(rounded, 2 * self._length))
        if grown_rows * grown_length > self.budget:
            grown_rows, grown_length = rows, length
        self._rows, self._length = grown_rows, grown_length
        for stored in (self._keys, self._values):
            for layer, old in enumerate(stored):
                if old is not None:
                    fresh = old.new_zeros(self._rows, old.shape[1], self._length, old.shape[3])
                    kept_rows, kept_length = min(old.shape[0], self._rows), min(old.shape[2], self._length)
                    fresh[:kept_rows, :, :kept_length] = old[:kept_rows, :, :kept_length]
                    stored[layer] = fresh

    def release(self) -> None:
        """Forgets everything and frees the memory (called when no row is active)."""
        self._keys = [None] * len(self._keys)
        self._values = [None] * len(self._values)
        self._rows = self._length = 0

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for stored in (self._keys, self._values) for t in stored if t is not None)

    @property
    def capacity(self) -> tuple[int, int]:
        """(rows, length) there is memory for."""
        return self._rows, self._length

    def move(self, source: int, target: int, length: int) -> None:
        """Copies the first `length` tokens of row `source` over row `target`."""
        for stored in (self._keys, self._values):
            for tensor in stored:
                if tensor is not None:
                    tensor[target, :, :length] = tensor[source, :, :length]

    def aim(self, first: int, positions: torch.Tensor, reach: int) -> None:
        """Says where the coming forward pass writes: rows `first`…, `positions`: (rows, new tokens) int64, `reach`:
        longest row after it."""
        self._first, self._count, self._reach = first, positions.shape[0], reach
        self._positions = positions
        self._row_index = torch.arange(first, first + positions.shape[0], device=positions.device)[:, None]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores (rows, heads, new tokens, size) and returns views (rows, heads, reach, size) of all of them."""
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        if keys is None or values is None:
            shape = (self._rows, key_states.shape[1], self._length)
            keys = self._keys[layer_idx] = key_states.new_zeros(*shape, key_states.shape[3])
            values = self._values[layer_idx] = value_states.new_zeros(*shape, value_states.shape[3])
        # Advanced indices on both sides of a slice put the indexed dimensions first: (rows, new tokens, heads, size).
        keys[self._row_index, :, self._positions] = key_states.transpose(1, 2)
        values[self._row_index, :, self._positions] = value_states.transpose(1, 2)
        rows = slice(self._first, self._first + self._count)
        return keys[rows, :, : self._reach], values[rows, :, : self._reach]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self._reach

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        return self._reach, 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return self._reach - (0 if self._positions is None else self._positions.shape[1])
