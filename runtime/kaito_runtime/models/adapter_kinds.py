"""Which of the many kinds of LoRA adapters are served: sums of low-rank deltas over an unchanged base."""

from collections.abc import Mapping
from typing import Any, Final

_OTHER_KINDS: Final = {
    "use_dora": "DoRA",
    "lora_bias": "a bias on its low-rank layers",
    "use_qalora": "QA-LoRA",
    "modules_to_save": "whole modules saved beside the low-rank layers",
    "trainable_token_indices": "trained token embeddings",
    "layer_replication": "replicated layers",
    "target_parameters": "adapted parameters that are not modules",
    "use_bdlora": "block-diagonal LoRA",
    "arrow_config": "an Arrow router",
    "alora_invocation_tokens": "activated LoRA",
}
_BASE_KEPT: Final = (None, True, False, "true", "false", "gaussian", "eva", "orthogonal", "mica")
"""Values of `init_lora_weights` that leave the base weights as they are; PiSSA and others subtract from them."""


def why_not_served(config: Mapping[str, Any]) -> str | None:
    """Return what keeps an adapter with this `adapter_config.json` from being served, after "it"; None for nothing."""
    kind = str(config.get("peft_type") or "LORA").rpartition(".")[2].upper()
    if kind != "LORA":
        return f"is of the type {kind}, only LORA is served"
    for key, meaning in _OTHER_KINDS.items():
        if config.get(key):
            return f"uses {meaning} ({key}), which is not served"
    if config.get("bias", "none") != "none":
        return f"trained biases (bias: {config['bias']}), which is not served"
    start = config.get("init_lora_weights")
    if start not in _BASE_KEPT:
        return f"began with changed base weights (init_lora_weights: {start}), which is not served"
    return None
