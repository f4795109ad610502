"""The shapes of the stand-in models: one small configuration for each architecture that can be tuned.

Every dimension that a linear layer sees is a multiple of 64 (bitsandbytes' 4-bit kernels need in % 64 == 0 and
out % 32 == 0 outside training), and one head is 16 wide.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from kaito_runtime.errors import UsageFailure

CONTEXT: Final = 512
"""Tokens that a stand-in can see."""

_HIDDEN: Final = 64
_LAYERS: Final = 2
_HEADS: Final = 4


@dataclass(frozen=True)
class Architecture:
    """model_type: transformers' name; settings: keyword arguments of its configuration class."""

    name: str
    model_type: str
    settings: dict[str, Any] = field(default_factory=dict)


def _decoder(name: str, model_type: str | None = None, **settings: Any) -> Architecture:
    shape = {
        "hidden_size": _HIDDEN,
        "intermediate_size": 4 * _HIDDEN,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": _HEADS // 2,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": False,
    }
    return Architecture(name, model_type or name, shape | settings)


ARCHITECTURES: Final = {
    architecture.name: architecture
    for architecture in (
        _decoder("phi3", original_max_position_embeddings=CONTEXT),
        _decoder("llama"),
        _decoder("mistral", sliding_window=None),
        _decoder("qwen2"),
        _decoder("gemma", head_dim=_HIDDEN // _HEADS),
        Architecture(
            "falcon",
            "falcon",
            {
                "hidden_size": _HIDDEN,
                "ffn_hidden_size": 4 * _HIDDEN,
                "num_hidden_layers": _LAYERS,
                "num_attention_heads": _HEADS,
                "multi_query": True,
                "parallel_attn": True,
                "bias": False,
                "alibi": False,
                "max_position_embeddings": CONTEXT,
                "tie_word_embeddings": False,
            },
        ),
    )
}


def architecture(name: str) -> Architecture:
    """Return the stand-in's shape by name, or refuse with the names that exist."""
    try:
        return ARCHITECTURES[name.lower()]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise UsageFailure(f"no stand-in has the architecture {name!r}; choose one of {known}") from None
