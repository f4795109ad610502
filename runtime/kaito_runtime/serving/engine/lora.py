"""Low-rank adapters, chosen per row of a batch.

An adapter's layers are kept as (down, up) pairs with the scaling and the strength folded into `up`; several adapters
merged are the pairs laid side by side, which is the exact weighted sum for any ranks and target modules (peft's
`cat`). The base weights are never touched, so the base model stays available, a quantised base stays as it is, and
loading or unloading costs no arithmetic on it.

While all rows run on one variant, float32 layers on a CPU use copies of their weights with the delta added, as long as
there is memory for the copies: a small model's step is mostly the overhead of its operators, and this has none more
than the base. Half precision would lose a small delta in the sum, so it is never added there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import linear

MERGED_BYTES: Final = 512 * 2**20
"""Most memory for copies of weights with a delta added, all variants together."""


class LowRank(NamedTuple):
    """A layer's delta `up @ down`: `down` (rank, inputs), `up` (outputs, rank)."""

    down: torch.Tensor
    up: torch.Tensor


@dataclass(frozen=True, eq=False)
class Variant:
    """The base model with these deltas, by module path. Compared by identity."""

    name: str
    deltas: Mapping[str, LowRank]


BASE_VARIANT = Variant("", {})


def weighted_sum(name: str, parts: Sequence[tuple[Variant, float]]) -> Variant:
    """The variant whose delta is the sum of weight x delta, exactly. Parts of weight 0 contribute nothing."""
    parts = [(variant, weight) for variant, weight in parts if weight != 0.0]
    if len(parts) == 1 and parts[0][1] == 1.0:
        return Variant(name, parts[0][0].deltas)
    deltas = {}
    for path in dict.fromkeys(path for variant, _ in parts for path in variant.deltas):
        pairs = [(variant.deltas[path], weight) for variant, weight in parts if path in variant.deltas]
        deltas[path] = LowRank(
            torch.cat([pair.down for pair, _ in pairs]), torch.cat([pair.up * weight for pair, weight in pairs], dim=1)
        )
    return Variant(name, deltas)


class _Layer:
    """One adapted module: its own forward, then the deltas that the current batch asks for."""

    def __init__(self, module: Any) -> None:
        self._forward = module.forward
        self._bias = module.bias
        plain = type(module) is torch.nn.Linear or type(module).__name__ == "FalconLinear"
        weight = module.weight
        self.weight: torch.Tensor | None = (
            weight.detach() if plain and weight.dtype == torch.float32 and weight.device.type == "cpu" else None
        )
        """The layer's own weight where copies of it may be used."""
        self.merged: torch.Tensor | None = None
        self.uniform: LowRank | None = None
        self.groups: tuple[tuple[torch.Tensor, LowRank], ...] = ()

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.merged is not None:
            return linear(inputs, self.merged, self._bias)
        outputs: torch.Tensor = self._forward(inputs)
        if self.uniform is not None:
            outputs += linear(linear(inputs, self.uniform.down), self.uniform.up)
        else:
            for rows, delta in self.groups:
                outputs.index_add_(0, rows, linear(linear(inputs[rows], delta.down), delta.up))
        return outputs


class AdaptedLayers:
    """The model's layers that any adapter changes. Not thread-safe: the thread that runs the model uses it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._layers: dict[str, _Layer] = {}
        self._aimed: tuple[Variant, ...] = ()
        self._merged: WeakKeyDictionary[Variant, dict[str, torch.Tensor]] = WeakKeyDictionary()

    def prepare(self, variant: Variant) -> None:
        """Makes the variant's layers adaptable (idempotent); their modules must exist."""
        for path in variant.deltas:
            if path not in self._layers:
                module = self._model.get_submodule(path)
                layer = _Layer(module)
                module.forward = layer
                self._layers[path] = layer
        self._aimed = ()

    def aim(self, rows: Sequence[Variant]) -> None:
        """Says which variant each row of the coming forward pass runs on."""
        key = tuple(rows)
        if key == self._aimed or not self._layers:
            return
        self._aimed = key
        distinct = list(dict.fromkeys(key))
        if len(distinct) == 1:
            merged = self._merged_weights(distinct[0])
            for path, layer in self._layers.items():
                layer.merged = merged.get(path)
                layer.uniform, layer.groups = distinct[0].deltas.get(path), ()
            return
        members = [(v, torch.tensor([i for i, row in enumerate(key) if row is v])) for v in distinct]
        for path, layer in self._layers.items():
            layer.uniform = layer.merged = None
            layer.groups = tuple(
                (rows.to(v.deltas[path].down.device), v.deltas[path]) for v, rows in members if path in v.deltas
            )

    def _merged_weights(self, variant: Variant) -> Mapping[str, torch.Tensor]:
        """The variant's weights by path, made at its first use; none as long as they would take too much memory.

        They are freed with the variant: when its adapter is unloaded and the last request that uses it has ended.
        """
        if variant not in self._merged:
            weights = {path: self._layers[path].weight for path in variant.deltas}
            plain = {path: weight for path, weight in weights.items() if weight is not None}
            held = sum(copy.nbytes for copies in self._merged.values() for copy in copies.values())
            if held + sum(weight.nbytes for weight in plain.values()) > MERGED_BYTES:
                return {}
            self._merged[variant] = {
                path: torch.addmm(weight, variant.deltas[path].up, variant.deltas[path].down)
                for path, weight in plain.items()
            }
        return self._merged[variant]
