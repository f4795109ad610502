"""What is known about one base model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TuningFacts:
    """What fine-tuning a preset needs."""

    disk: str
    """Node disk to ask for, a quantity."""
    memory: str = ""
    """GPU memory that Kaito reckons with, a quantity; empty where it names none."""
    tag: str = ""
    """Tag of Kaito's OCI artifact with the weights."""


@dataclass(frozen=True)
class Preset:
    """A base model: the name under which it is served, its Hugging Face id, its sizes and launch parameters.

    `name` is the lower-case last part of the id. `weights` is the size of the safetensors files as a quantity
    (`7.12Gi`); empty: unknown, then nothing is checked against it. `bytes_per_token` is the key-value cache of one
    token over all layers.
    """

    name: str
    model_id: str
    architecture: str
    family: str
    """Tiny stand-in: phi3, llama, mistral, qwen2, falcon or gemma."""
    weights: str
    disk: str
    bytes_per_token: int
    token_limit: int
    attention: str = "GQA"
    quant_method: str = ""
    quant_bits: int = 0
    vllm: Mapping[str, str] = field(default_factory=dict)
    """Launch parameters of vLLM; an empty value is a bare flag."""
    transformers: Mapping[str, str] | None = None
    """Launch parameters of the transformers runtime; None: not supported there."""
    tuning: TuningFacts | None = None
    """None: cannot be fine-tuned."""
    supports_distributed: bool = True
    disallow_lora: bool = False
    download_at_runtime: bool = True
    download_auth_required: bool = False

    @property
    def tunable(self) -> bool:
        """Whether the preset can be fine-tuned."""
        return self.tuning is not None
