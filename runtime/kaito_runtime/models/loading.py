"""Loading a model and its tokenizer from whatever a reference names."""

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kaito_runtime.errors import BadConfig, BadData, shorten
from kaito_runtime.models.quantizing import Quantization, keep_gradients, plain_linear_layers, quantized_layers
from kaito_runtime.models.resolving import resolve

_UNREADABLE: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError)
"""What transformers raises, beside libraries' own errors, for files that are not what they should be."""
_LONGEST_HEADER: Final = 100_000_000
"""Bytes; the format's own limit."""
DTYPES: Final = {"float32", "float16", "bfloat16"}


def load(
    reference: str | Path,
    *,
    dtype: str = "auto",
    quantization: Quantization | None = None,
    device: str | Mapping[str, int] | None = None,
    chat_template: str | None = None,
    trust_remote_code: bool = False,
    revision: str | None = None,
) -> tuple[Any, Any]:
    """Return (model, tokenizer) for a reference that `resolve` understands; the model is in eval mode.

    dtype: a torch dtype's name, or `auto` (`choose_dtype`). quantization: None for plain weights. device: `auto`,
    `cpu`, `cuda:0`, or a transformers device map; None chooses the GPU when there is one. The tokenizer always has a
    pad token. torch's number of threads is set to suit the model's size. Raises BadData for a folder that holds no
    usable model, BadConfig for a chat template or dtype that is none.
    """
    folder = resolve(reference, revision=revision)
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    from kaito_runtime.models.libraries import quiet_transformers

    transformers = quiet_transformers()
    from kaito_runtime.models.threads import choose_threads

    choose_threads(count_parameters(folder))
    where = default_device() if device is None else device
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code, "local_files_only": True}
    if quantization:
        options["quantization_config"] = quantization.as_transformers_config()
    if where != "cpu" or quantization:
        options["device_map"] = {"": where} if isinstance(where, str) and where != "auto" else where
    try:
        with plain_linear_layers() if quantization and _is_falcon(folder) else contextlib.nullcontext():
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=choose_dtype(dtype), output_loading_info=True, **options
            )
        tokenizer = load_tokenizer(folder, chat_template=chat_template, trust_remote_code=trust_remote_code)
    except (*_UNREADABLE, SafetensorError, StrictDataclassError) as error:
        raise BadData(f"{reference} holds no model that can be loaded: {shorten(str(error))}") from error
    except RuntimeError as error:
        if "mismatch" not in str(error):  # a device's trouble, not the model's
            raise
        raise BadData(f"{reference} holds weights of another shape than its config.json says") from error
    if report["missing_keys"]:
        # transformers would go on with random weights in their place.
        raise BadData(f"{reference} has no weights for {min(report['missing_keys'])}; its files are not complete")
    if quantization and not any(quantized_layers(model).values()):
        raise BadConfig(f"no layer of {reference} can be quantised ({type(model).__name__}); load it without")
    keep_gradients(model)
    model.eval()
    return model, tokenizer


def load_tokenizer(folder: Path, *, chat_template: str | None = None, trust_remote_code: bool = False) -> Any:
    """Return the tokenizer in `folder`, with a pad token (the end of text where it has none of its own)."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if chat_template is not None:
        tokenizer.chat_template = chat_template
        _check_template(tokenizer)
    return tokenizer


def _check_template(tokenizer: Any) -> None:
    """Raise BadConfig where the chat template is no Jinja template at all; it may refuse this or that conversation."""
    from jinja2 import TemplateSyntaxError

    try:
        tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    except TemplateSyntaxError as error:
        raise BadConfig(f"the chat template is not Jinja: line {error.lineno}: {error.message}") from error
    except Exception:
        return


def choose_dtype(name: str) -> Any:
    """Return the torch dtype called `name`; `auto` is bfloat16 or float16 on a GPU by what it can, float32 on a CPU."""
    import torch

    name = dtype_name(name, setting="the dtype")
    if name == "auto":
        if torch.cuda.is_available():
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.float32
    return getattr(torch, name)


def dtype_name(name: str, *, setting: str) -> str:
    """Return `auto` or torch's name of a dtype for weights. Raises BadConfig, naming `setting`, for anything else."""
    short = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}.get(name, name.removeprefix("torch."))
    if short not in DTYPES | {"auto"}:
        raise BadConfig(f"{setting} {name!r} is not known; use auto, {', '.join(sorted(DTYPES))}")
    return short


def default_device() -> str:
    """Return `cuda:0` where there is a GPU, else `cpu`."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def count_parameters(folder: Path) -> int:
    """Return how many weights the safetensors files in `folder` hold, from their headers; 0 when there are none.

    Raises BadData for a file that has no such header.
    """
    total = 0
    for path in folder.glob("*.safetensors"):
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(length, _LONGEST_HEADER)))
            total += sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadData(f"{path} is not a safetensors file, or only a part of one") from error
    return total


def _is_falcon(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"] == "falcon")
    except (OSError, ValueError, KeyError):
        return False
