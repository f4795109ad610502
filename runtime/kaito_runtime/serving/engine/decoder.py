"""One forward pass of the model over some rows of the cache."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from . import attention
from .rows import RowCache


class UnsupportedModel(Exception):
    """The model's layers cannot be run row by row; the message says why."""


class Decoder:
    """Runs prefill chunks and decode steps of a causal language model over a `RowCache`.

    Not thread-safe: one thread uses it. The model is put into evaluation mode and, where it lets its attention
    function be chosen, onto `attention.IMPLEMENTATION`. Raises `UnsupportedModel` for alibi position biases and for
    layers that keep other state than keys and values.
    """

    def __init__(self, model: Any, *, max_rows: int, max_length: int) -> None:
        config = model.config.get_text_config(decoder=True)
        if getattr(config, "alibi", False):
            raise UnsupportedModel(
                f"{type(model).__name__} uses alibi position biases, which rows of unequal length cannot share"
            )
        kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
        if kinds:
            raise UnsupportedModel(
                f"{type(model).__name__} has {', '.join(sorted(kinds))} layers, which keep state of another kind"
            )
        attention.register()
        self._needs_mask = not type(model)._supports_attention_backend
        if not self._needs_mask:
            model.set_attn_implementation(attention.IMPLEMENTATION)
        self._window = getattr(config, "sliding_window", None) if self._needs_mask else None
        self._model = model.eval()
        parameters = inspect.signature(model.forward).parameters
        self._cache_argument = "cache" if "cache" in parameters else "past_key_values"
        self.cache = RowCache(config.num_hidden_layers, max_rows=max_rows, max_length=max_length)
        weight = model.get_output_embeddings().weight
        self.device = weight.device
        self.dtype = model.dtype

    def step(self, first: int, tokens: Sequence[Sequence[int]], starts: Sequence[int]) -> torch.Tensor:
        """Feeds each row its next tokens and returns the logits after its last one: (rows, vocabulary).

        Rows are `first`, `first + 1`, …; row i gets `tokens[i]` (never empty) from position `starts[i]` on. The
        caller has reserved room for `starts[i] + max(len)` tokens, because shorter rows are padded on the right.
        """
        width = max(map(len, tokens))
        if width == 1:
            ids = torch.tensor(tokens, device=self.device)
            positions = torch.tensor(starts, device=self.device)[:, None]
        else:
            ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in tokens], device=self.device)
            positions = torch.tensor(starts, device=self.device)[:, None] + torch.arange(width, device=self.device)
        reach = max(starts) + width
        masks = attention.StepMasks(positions, reach, dtype=self.dtype, shortest=min(starts) + width)
        self.cache.aim(first, positions, reach)
        attention.current.masks = masks
        arguments: dict[str, Any] = {
            "input_ids": ids,
            "position_ids": positions,
            "use_cache": True,
            self._cache_argument: self.cache,
        }
        if self._needs_mask:
            arguments["attention_mask"] = masks.mask(self._window, always=True)
        if width == 1:
            return self._logits(arguments)[:, -1]
        last = [len(row) - 1 for row in tokens]
        kept = sorted(set(last))
        logits = self._logits({**arguments, "logits_to_keep": torch.tensor(kept, device=self.device)})
        where = {index: place for place, index in enumerate(kept)}
        return logits[torch.arange(len(last)), [where[index] for index in last]]

    def _logits(self, arguments: dict[str, Any]) -> torch.Tensor:
        logits: torch.Tensor = self._model(**arguments).logits
        return logits
