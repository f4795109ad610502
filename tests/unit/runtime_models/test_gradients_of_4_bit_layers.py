"""On CPUs with AVX512-BF16 a stock 4-bit layer has no backward pass from its first evaluation on; ours keeps it."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from kaito_runtime.models import load
from kaito_runtime.models.libraries import import_bitsandbytes
from kaito_runtime.models.quantizing import Quantization, keep_gradients

from ..runtime_serving.tiny import tiny_model, tiny_tokenizer

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]


def four_bit_layers(model: Any) -> list[Any]:
    return [module for module in model.modules() if type(module).__name__ == "Linear4bit"]


def test_no_layer_of_a_loaded_model_is_repacked_by_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a CPU with the instructions: bitsandbytes is told that they are there, and its repacking is watched."""
    import bitsandbytes.nn.modules as modules
    import torch

    tiny_model("llama", num_hidden_layers=1).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    repacked = []

    def watch(data: Any, state: Any) -> tuple[Any, Any]:
        repacked.append(data.shape)
        return data, state

    monkeypatch.setattr(modules, "has_avx512bf16", lambda: True)
    monkeypatch.setattr(modules, "_convert_weight_packed_for_cpu", watch)
    model, _ = load(tmp_path, quantization=Quantization())
    assert len(four_bit_layers(model)) == 7
    with torch.no_grad():
        model(input_ids=torch.tensor([[5, 6, 7]]))
    assert repacked == []


def gradient(layer: Any, values: Any) -> Any:
    """What reaches the layer's input in training; None when nothing does."""
    given = values.clone().requires_grad_()
    output = layer.train()(given)
    if not output.requires_grad:
        return None
    output.float().sum().backward()
    return given.grad


def test_an_evaluated_layer_still_passes_gradients_on() -> None:
    import torch

    bitsandbytes = import_bitsandbytes()
    from bitsandbytes.functional import has_avx512bf16

    if not has_avx512bf16():
        pytest.skip("this CPU has no AVX512-BF16: bitsandbytes takes the path with autograd here anyway")
    torch.manual_seed(0)
    values = torch.randn(4, 64, dtype=torch.bfloat16)

    def evaluated(*, repaired: bool) -> tuple[Any, Any]:
        layer = bitsandbytes.nn.Linear4bit(64, 64, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4").to("cpu")
        if repaired:
            keep_gradients(torch.nn.Sequential(layer))
        before = gradient(layer, values)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer.eval()(values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return before, gradient(layer, values)

    before, after = evaluated(repaired=False)
    assert after is None or not torch.allclose(before, after), "bitsandbytes no longer needs the repair: drop it"
    before, after = evaluated(repaired=True)
    assert torch.equal(before, after)
