"""How base weights are quantised (bitsandbytes), and the repair that makes tuning on them right on every CPU."""

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Quantization:
    """What bitsandbytes is asked for.

    bits: 4 or 8.
    kind: 4-bit data type, `nf4` or `fp4`.
    compute_dtype: name of the torch dtype that matrices are multiplied in, 4-bit only.
    double: quantise the scales as well, 4-bit only.
    threshold, skip_modules, cpu_offload, fp16_weight: 8-bit settings, as bitsandbytes names them.
    """

    bits: Literal[4, 8] = 4
    kind: str = "nf4"
    compute_dtype: str = "float32"
    double: bool = True
    threshold: float = 6.0
    skip_modules: tuple[str, ...] | None = None
    cpu_offload: bool = False
    fp16_weight: bool = False

    def as_transformers_config(self) -> Any:
        """Return the BitsAndBytesConfig that means this."""
        import torch

        from kaito_runtime.models.libraries import import_bitsandbytes, quiet_transformers

        import_bitsandbytes()
        return quiet_transformers().BitsAndBytesConfig(
            load_in_4bit=self.bits == 4,
            load_in_8bit=self.bits == 8,
            bnb_4bit_quant_type=self.kind,
            bnb_4bit_compute_dtype=getattr(torch, self.compute_dtype),
            bnb_4bit_use_double_quant=self.double,
            llm_int8_threshold=self.threshold,
            llm_int8_skip_modules=list(self.skip_modules) if self.skip_modules else None,
            llm_int8_enable_fp32_cpu_offload=self.cpu_offload,
            llm_int8_has_fp16_weight=self.fp16_weight,
        )


def quantized_layers(model: Any) -> dict[int, int]:
    """Return how many linear layers of `model` hold 4-bit and 8-bit weights: {4: n, 8: m}.

    For a model without adapters; peft gives its own layers the same class names.
    """
    names = [type(module).__name__ for module in model.modules()]
    return {4: names.count("Linear4bit"), 8: names.count("Linear8bitLt")}


@contextlib.contextmanager
def plain_linear_layers() -> Iterator[None]:
    """Have Falcon made of torch's own linear layers while a model is loaded.

    transformers quantises modules that are exactly `nn.Linear`; Falcon's are of a subclass that computes the same, and
    would silently stay as they are.
    """
    import torch

    falcon: Any = importlib.import_module("transformers.models.falcon.modeling_falcon")
    own = falcon.FalconLinear
    falcon.FalconLinear = torch.nn.Linear
    try:
        yield
    finally:
        falcon.FalconLinear = own


def keep_gradients(model: Any) -> None:
    """Keep 4-bit layers on the path that has a backward pass.

    On a CPU with AVX512-BF16 bitsandbytes repacks a layer's weights at its first forward in eval mode and from then on
    uses a kernel without autograd, also in train mode: gradients to earlier layers vanish without an error. One
    evaluation during training is enough. The switch below is the layer's own.
    """
    for module in model.modules():
        if type(module).__name__ == "Linear4bit":
            module.support_avx512bf16_for_cpu = False
