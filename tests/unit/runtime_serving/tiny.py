"""A random tiny model, its byte-level tokenizer, and random adapters: made in milliseconds, nothing is trained."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
CONTEXT = 256


def tiny_tokenizer() -> Any:
    """Every byte is a token, so any text is encodable and decodable."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>")
    fast.chat_template = TEMPLATE
    return fast


def tiny_model(architecture: str = "phi3", *, vocabulary: int = 261, **settings: Any) -> Any:
    """Random weights, large enough that the most likely token is well ahead."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 1,
    }
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **{**sizes, **settings})).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def reference(model: Any, prompt: list[int], count: int) -> list[int]:
    """Greedy tokens without cache, batch or padding; none after the end token."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            if ids[-1] == 1:
                break
    return ids[len(prompt) :]


def make_adapter(folder: Path, model: Any, *, seed: int, **settings: Any) -> Path:
    """A random LoRA adapter in peft's layout, written without peft (whose import costs seconds)."""
    generator = torch.Generator().manual_seed(seed)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "bias": "none", **settings}
    layers = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    layers.pop("lm_head", None)
    targets = config.setdefault("target_modules", sorted({name.rpartition(".")[2] for name in layers}))
    tensors = {}
    for name, layer in layers.items():
        if name.rpartition(".")[2] not in targets:
            continue
        patterns = config.get("rank_pattern", {}).items()
        rank = next((r for pattern, r in patterns if re.match(rf"(.*\.)?({pattern})$", name)), config["r"])
        key = f"base_model.model.{name}"
        tensors[f"{key}.lora_A.weight"] = torch.randn(rank, layer.in_features, generator=generator) * 0.1
        tensors[f"{key}.lora_B.weight"] = torch.randn(layer.out_features, rank, generator=generator) * 0.1
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
