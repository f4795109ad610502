"""The base model with fresh LoRA layers on it, ready to be trained."""

from pathlib import Path
from typing import Any

from kaito_runtime.errors import BadConfig, shorten
from kaito_runtime.models.adapter_kinds import why_not_served
from kaito_runtime.models.loading import load
from kaito_runtime.models.quantizing import keep_gradients
from kaito_runtime.reporting import log
from kaito_runtime.tuning.configuration import target_modules_from_environment
from kaito_runtime.tuning.training_config import TrainingConfig


def load_base(folder: Path, config: TrainingConfig, *, device: str | None) -> tuple[Any, Any]:
    """Return (model, tokenizer) of the base in `folder`, its weights quantised where the configuration says so."""
    settings = config.model
    return load(
        folder,
        dtype=settings.torch_dtype or "auto",
        quantization=config.base_quantization(),
        device=device,
        chat_template=_template(settings.chat_template),
        trust_remote_code=settings.trust_remote_code,
    )


def add_adapter(model: Any, config: TrainingConfig, *, seed: int, checkpointing: bool) -> Any:
    """Return the peft model: base frozen, adapter in float32 with its random part drawn from `seed`, in train mode."""
    import torch

    from kaito_runtime.models.libraries import import_peft

    peft = import_peft()

    if config.method == "qlora":
        model = peft.prepare_model_for_kbit_training(
            model,
            use_gradient_checkpointing=checkpointing,
            gradient_checkpointing_kwargs=config.training.gradient_checkpointing_kwargs or {"use_reentrant": False},
        )
    elif checkpointing:
        model.gradient_checkpointing_enable(config.training.gradient_checkpointing_kwargs or {"use_reentrant": False})
        model.enable_input_require_grads()
    torch.manual_seed(seed)
    try:
        settings = peft.LoraConfig(
            r=config.lora.r,
            lora_alpha=config.lora.lora_alpha,
            lora_dropout=config.lora.lora_dropout,
            target_modules=choose_targets(model, config),
            **({"task_type": "CAUSAL_LM"} | config.lora.further),
        )
        adapted = peft.get_peft_model(model, settings)
    except (ValueError, TypeError, NotImplementedError, AttributeError, KeyError) as error:
        raise BadConfig(f"LoraConfig: {shorten(str(error))}") from error
    why = why_not_served(adapted.peft_config["default"].to_dict())
    if why:
        log("adapter-not-served", level="warning", why=f"kaito-runtime serve will refuse this adapter: it {why}")
    adapted.config.use_cache = False
    keep_gradients(adapted)
    adapted.train()
    return adapted


def choose_targets(model: Any, config: TrainingConfig) -> str | list[str] | None:
    """Return the layers to adapt: as configured, as the operator's environment says, as peft knows, else all linear."""
    named = config.lora.target_modules or target_modules_from_environment()
    if named is not None:
        return named
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    return None if model.config.model_type in KNOWN else "all-linear"


def _template(setting: str | None) -> str | None:
    """Return the chat template that `setting` is, or that the file of this name holds."""
    if setting is None or "{" in setting or "\n" in setting:
        return setting
    from kaito_runtime.paths import locate

    path = locate(setting)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadConfig(f"ModelConfig.chat_template: the file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"ModelConfig.chat_template: the file {path} is not UTF-8 text") from error


def add_noise(model: Any, alpha: float) -> None:
    """Add uniform noise to the input embeddings while training (NEFTune), scaled by alpha / sqrt(length x width)."""
    import torch

    def noisy(module: Any, _: Any, output: Any) -> Any:
        if not module.training:
            return output
        bound = alpha / (output.shape[1] * output.shape[2]) ** 0.5
        return output + torch.empty_like(output).uniform_(-bound, bound)

    model.get_input_embeddings().register_forward_hook(noisy)
