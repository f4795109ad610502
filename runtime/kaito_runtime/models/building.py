"""Building a stand-in: a tiny model of a real architecture, briefly pretrained here, the same each time."""

import dataclasses
import hashlib
import importlib.metadata
import inspect
import json
import time
from pathlib import Path
from typing import Final

from kaito_runtime.models import architectures, cache, corpus, losses, pretraining, tokenizing
from kaito_runtime.reporting import log

MARKER: Final = "kaito-stand-in.json"
"""File in a model's folder that says it is a stand-in, and of what."""

_LIBRARIES: Final = ("torch", "transformers", "tokenizers")


def stand_in_key(architecture: str, *, seed: int = 0) -> str:
    """Return the cache key: it changes with the corpus, the recipe's code, the seed and the library versions."""
    shape = architectures.architecture(architecture)
    ingredients = {
        "architecture": dataclasses.asdict(shape),
        "seed": seed,
        "corpus": corpus.shipped_corpus().digest,
        "recipe": [inspect.getsource(module) for module in (pretraining, tokenizing, losses)],
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }
    digest = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()
    return f"tiny-{shape.name}-{digest[:12]}"


def stand_in(architecture: str, *, seed: int = 0) -> Path:
    """Return the folder of the stand-in for `architecture`, building it first when the cache has none.

    Safe to call from several processes: one builds, the others wait.
    """
    shape = architectures.architecture(architecture)
    key = stand_in_key(architecture, seed=seed)
    return cache.cached_or_built(
        key,
        lambda folder: _build(shape, seed, folder),
        waiting=lambda: log("model-waiting", architecture=shape.name, why="another process is building it"),
    )


def _build(shape: architectures.Architecture, seed: int, folder: Path) -> None:
    log("model-building", architecture=shape.name, seed=seed)
    started = time.monotonic()
    from kaito_runtime.models.libraries import quiet_transformers

    transformers = quiet_transformers()
    import torch

    text = corpus.shipped_corpus()
    tokenizer = tokenizing.train_tokenizer(text)
    recipe = pretraining.Recipe()
    threads, random_state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(seed)
        config = transformers.AutoConfig.for_model(
            shape.model_type,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **shape.settings,
        )
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        loss = pretraining.pretrain(
            model,
            tokenizer,
            text,
            seed=seed,
            recipe=recipe,
            progress=lambda step, value: log("model-building", step=step, steps=recipe.steps, loss=round(value, 4)),
        )
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(random_state)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    about = {"architecture": shape.name, "seed": seed, "corpus": text.digest, "loss": round(loss, 6)}
    (folder / MARKER).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    log("model-built", architecture=shape.name, seconds=round(time.monotonic() - started, 1), loss=round(loss, 4))
