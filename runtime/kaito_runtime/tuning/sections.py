"""The six sections of `training_config`: names and defaults are upstream's (Kaito 0.12 with trl's SFTConfig).

`known_keys.yaml` lists the other keys that upstream knows: those that change nothing here, and those that are refused.
"""

import functools
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final


@dataclass
class ModelConfig:
    pretrained_model_name_or_path: str = "/workspace/weights"
    """Folder, repository or `tiny:<architecture>`."""
    torch_dtype: str | None = None
    """Type of the base weights; None and `auto`: bfloat16 or float16 on a GPU, float32 on a CPU."""
    local_files_only: bool = False
    """Do not ask the hub, only its cache."""
    device_map: str | dict[str, Any] | None = "auto"
    chat_template: str | None = None
    """File with a Jinja template, or the template itself, in place of the tokenizer's."""
    trust_remote_code: bool = False
    revision: str = "main"


@dataclass
class QuantizationConfig:
    quant_method: str = "bitsandbytes"
    load_in_8bit: bool = False
    load_in_4bit: bool = False
    llm_int8_threshold: float = 6.0
    llm_int8_skip_modules: list[str] | None = None
    llm_int8_enable_fp32_cpu_offload: bool = False
    llm_int8_has_fp16_weight: bool = False
    bnb_4bit_compute_dtype: str = "float32"
    bnb_4bit_quant_type: str = "fp4"
    bnb_4bit_use_double_quant: bool = False


@dataclass
class LoraConfig:
    r: int = 8
    """Rank of the update."""
    lora_alpha: int = 8
    """The update is scaled by lora_alpha / r."""
    lora_dropout: float = 0.0
    target_modules: str | list[str] | None = None
    """Layers to adapt; None: `DEFAULT_TARGET_MODULES` (comma-separated), else peft's list for the architecture, else
    every linear layer (`all-linear`)."""
    further: dict[str, Any] = field(default_factory=dict)
    """The other fields of peft.LoraConfig, as given."""


@dataclass
class TrainingArguments:
    output_dir: str = "/mnt/results"
    num_train_epochs: float = 3.0
    max_steps: int = -1
    """Optimizer steps; -1: as many as the epochs need."""
    per_device_train_batch_size: int = 8
    per_device_eval_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    learning_rate: float = 2e-5
    lr_scheduler_type: str = "linear"
    lr_scheduler_kwargs: dict[str, Any] | None = None
    warmup_steps: float = 0
    """Steps, or below 1 the share of all steps."""
    warmup_ratio: float = 0.0
    optim: str = "adamw_torch_fused"
    weight_decay: float = 0.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    bf16: bool | None = None
    """Autocast to bfloat16; None: only where the weights are bfloat16 on a GPU."""
    fp16: bool | None = None
    """Autocast to float16 with loss scaling; None: only where the weights are float16 on a GPU."""
    use_cpu: bool = False
    gradient_checkpointing: bool | None = None
    """Recompute activations in the backward pass; the result is the same. None: on a GPU, from a billion weights on."""
    gradient_checkpointing_kwargs: dict[str, Any] | None = None
    max_length: int | None = 1024
    """Tokens of an example that are kept; None: all that the model can see."""
    packing: bool = False
    """Put several examples into one row of max_length; they do not see each other."""
    completion_only_loss: bool | None = None
    """False: learn all tokens. None, True: only answers (and their end)."""
    assistant_only_loss: bool | None = None
    """As completion_only_loss, for conversations."""
    logging_steps: float = 10
    """Steps between log lines; below 1 the share of all steps."""
    logging_first_step: bool = False
    eval_strategy: str | None = None
    """no, steps or epoch; None: once at the end when there is an evaluation set."""
    eval_steps: float | None = None
    """Steps between evaluations; None: logging_steps; below 1 the share of all steps."""
    save_strategy: str = "no"
    """no, steps or epoch: when to keep a checkpoint to resume from."""
    save_steps: float = 500
    save_total_limit: int | None = None
    """Checkpoints that are kept; the newest always is."""
    resume_from_checkpoint: bool | str | None = None
    """None, True: from the newest complete checkpoint of this same run in output_dir; False: never; text: from that
    folder."""
    seed: int = 42
    data_seed: int | None = None
    """Seed of the data order; None: `seed`."""
    group_by_length: bool = False
    """Make batches of examples of like length."""
    dataloader_drop_last: bool = False
    neftune_noise_alpha: float | None = None
    """Noise on the input embeddings while training."""
    ddp_find_unused_parameters: bool | None = None


@dataclass
class DataCollator:
    mlm: bool = True
    """Upstream's default; like there it means nothing for a tokenizer without a mask token."""
    pad_to_multiple_of: int | None = None


@dataclass
class DatasetConfig:
    dataset_path: str | None = None
    """File or folder; relative to /mnt. None: every data file beneath `DATASET_FOLDER_PATH` (/mnt/data)."""
    dataset_extension: str | None = None
    """csv, json, parquet or arrow, where the file's name does not say it."""
    shuffle_dataset: bool = True
    shuffle_seed: int = 42
    train_test_split: float = 0.8
    """Share of the rows that is learnt, in (0, 1]; 1: no evaluation set."""
    context_column: str | None = None
    """Column with what is asked."""
    response_column: str = "text"
    """Column with the answer, or with plain text when context_column is not given."""
    messages_column: str | None = None
    """Column with a list of {role, content}."""


SECTIONS: Final = {
    "ModelConfig": ModelConfig,
    "QuantizationConfig": QuantizationConfig,
    "LoraConfig": LoraConfig,
    "TrainingArguments": TrainingArguments,
    "DataCollator": DataCollator,
    "DatasetConfig": DatasetConfig,
}


@dataclass(frozen=True)
class KnownKeys:
    """The keys in `known_keys.yaml`, by section."""

    peft: frozenset[str]
    accepted: dict[str, frozenset[str]]
    unsupported: dict[str, frozenset[str]]


@functools.cache
def known_keys() -> KnownKeys:
    """Return the keys that are valid upstream beside the fields above."""
    import yaml

    document = yaml.safe_load(resources.files(__package__).joinpath("known_keys.yaml").read_text(encoding="utf-8"))
    accepted = {section: frozenset(keys) for section, keys in document["accepted"].items()}
    unsupported = {section: frozenset(keys) for section, keys in document["unsupported"].items()}
    return KnownKeys(frozenset(document["peft"]), accepted, unsupported)
