"""What a tuning run is asked to do: the six sections of `training_config` together."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from kaito_runtime.models.loading import dtype_name
from kaito_runtime.models.quantizing import Quantization
from kaito_runtime.tuning import sections
from kaito_runtime.tuning.sections import SECTIONS

Method = Literal["lora", "qlora"]


@dataclass
class TrainingConfig:
    """The sections with all values. given: for each section, the keys that were written down."""

    model: sections.ModelConfig = field(default_factory=sections.ModelConfig)
    quantization: sections.QuantizationConfig = field(default_factory=sections.QuantizationConfig)
    lora: sections.LoraConfig = field(default_factory=sections.LoraConfig)
    training: sections.TrainingArguments = field(default_factory=sections.TrainingArguments)
    collator: sections.DataCollator = field(default_factory=sections.DataCollator)
    dataset: sections.DatasetConfig = field(default_factory=sections.DatasetConfig)
    given: dict[str, frozenset[str]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def method(self) -> Method:
        """`qlora` when the base weights are quantised."""
        return "qlora" if self.quantization.load_in_4bit or self.quantization.load_in_8bit else "lora"

    def base_quantization(self) -> Quantization | None:
        """How the base weights are quantised; None for plain ones."""
        settings = self.quantization
        if self.method == "lora":
            return None
        return Quantization(
            bits=4 if settings.load_in_4bit else 8,
            kind=settings.bnb_4bit_quant_type,
            compute_dtype=dtype_name(settings.bnb_4bit_compute_dtype, setting="bnb_4bit_compute_dtype"),
            double=settings.bnb_4bit_use_double_quant,
            threshold=settings.llm_int8_threshold,
            skip_modules=tuple(settings.llm_int8_skip_modules or ()) or None,
            cpu_offload=settings.llm_int8_enable_fp32_cpu_offload,
            fp16_weight=settings.llm_int8_has_fp16_weight,
        )

    def as_document(self) -> dict[str, Any]:
        """Return the sections with all values, ready for JSON."""
        parts: tuple[Any, ...] = (
            self.model,
            self.quantization,
            self.lora,
            self.training,
            self.collator,
            self.dataset,
        )
        return {name: dataclasses.asdict(part) for name, part in zip(SECTIONS, parts, strict=True)}
