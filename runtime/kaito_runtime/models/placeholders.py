"""Models are first made on torch's meta device, without values; drawing random ones for them is skipped."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class NoValues(TorchFunctionMode):
    """For models that will live on the CPU: within it nothing random is drawn for tensors on the meta device, and
    ranges (of which rotary frequencies are made) are made on the CPU at once.

    torch runs both, and all arithmetic on the meta device, by Python references that import sympy and torch's compiler:
    two seconds for values that are not there. transformers sets the frequencies again when the weights are loaded.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func is torch.nn.init.normal_:
            tensor = args[0] if args else named["tensor"]
            if tensor.is_meta:
                return tensor
        if func is torch.arange and torch.device(named.get("device") or "cpu").type == "meta":
            return torch.arange(*args, **{**named, "device": "cpu"})
        return func(*args, **named)
