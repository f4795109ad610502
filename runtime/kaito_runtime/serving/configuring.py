"""From the command line, Kaito's config file and the environment to `ServeSettings`. Imports no torch."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from kaito_runtime.errors import BadConfig, NotFound, UsageFailure
from kaito_runtime.paths import locate
from kaito_runtime.yamlfiles import parse_yaml

from . import adapters as adapter_sources
from .serving_state import SurfaceSettings
from .settings import EngineName, EngineSettings, ServerSettings, ServeSettings

log = logging.getLogger(__name__)

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
ENGINES = ("auto", "transformers", "vllm")


def build_settings(
    *,
    model: str,
    adapters: Sequence[str],
    adapters_dir: str,
    host: str,
    port: int,
    served_model_name: str | None,
    engine: str,
    dtype: str,
    device: str,
    bits: Literal[4, 8] | None,
    chat_template: str | None,
    revision: str | None,
    trust_remote_code: bool,
    max_model_len: str | None,
    max_num_seqs: int,
    max_queue: int,
    timeout: float,
    drain_timeout: float,
    default_max_tokens: int,
    max_body_mib: float,
    kv_cache_gib: float | None,
    gpu_memory_utilization: float | None,
    allow_adapter_loading: bool,
    access_log: bool,
    config_file: Path | None,
    pipeline: str,
    combination_type: str,
    environment: Mapping[str, str] = os.environ,
) -> ServeSettings:
    """Checks and combines. A value in the config file's `vllm` section wins over the flag, as in Kaito.

    Raises `UsageFailure`, `BadConfig` and `NotFound` with one sentence.
    """
    if engine not in ENGINES:
        raise UsageFailure(f"--engine {engine}: it is one of {', '.join(ENGINES)}")
    if not _DEVICE.fullmatch(device):
        raise UsageFailure(f"--device {device}: it is auto, cpu, cuda or cuda:N")
    if pipeline not in ("text-generation", "conversational"):
        raise UsageFailure(f"Unsupported pipeline: {pipeline}")
    if combination_type != "cat":
        # Kaito's default, svd, truncates ranks and linear mixes adapters; the exact sum is what either of them stands
        # for.
        log.warning("--combination-type %s: adapters are always merged exactly (cat)", combination_type)
    file = _read_config(config_file)
    if "max-model-len" in file:
        length = _context_length(file["max-model-len"], f"{config_file}: max-model-len")
    else:
        length = _context_length(max_model_len, "--max-model-len")
    rows = file.get("max-num-seqs", max_num_seqs)
    if not isinstance(rows, int) or not 1 <= rows <= 1024:
        raise BadConfig(f"{config_file}: max-num-seqs must be a whole number from 1 to 1024")
    sources = adapter_sources.gather(adapters, locate(adapters_dir), environment)
    name = served_model_name or model
    taken = [source.name for source in sources if source.name == name]
    if taken:
        raise UsageFailure(f"the adapter {taken[0]} has the served model's name; give another --served-model-name")
    return ServeSettings(
        engine=EngineSettings(
            model=model,
            revision=revision,
            engine=cast(EngineName, engine),
            adapters=tuple(sources),
            dtype=str(file.get("dtype", dtype)),
            device=None if device == "auto" else device,
            bits=bits,
            chat_template=_chat_template(chat_template),
            trust_remote_code=trust_remote_code,
            context_length=length,
            max_rows=rows,
            max_queue=max_queue,
            cache_gib=kv_cache_gib,
            gpu_memory_utilization=file.get("gpu-memory-utilization", gpu_memory_utilization),
        ),
        server=ServerSettings(host=host, port=port, drain_timeout=drain_timeout, access_log=access_log),
        surfaces=SurfaceSettings(
            served_model_name=name,
            aliases=tuple(alias for alias in (model,) if alias != name),
            default_max_tokens=default_max_tokens,
            timeout=timeout or None,
            most_answers=rows + max_queue,
            body_limit=int(max_body_mib * 2**20),
            dynamic_adapters=allow_adapter_loading,
        ),
    )


def _read_config(place: Path | None) -> dict[str, Any]:
    """The `vllm` section of Kaito's inference config; settings that mean nothing here are logged and left out."""
    if place is None:
        return {}
    file = locate(place)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"--config-file {file} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"--config-file {file} cannot be read: {error}") from error
    content = parse_yaml(text, source=f"--config-file {file}") or {}
    section = content.get("vllm") or {} if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise BadConfig(f"--config-file {file} must be a map with a section vllm")
    known = {"max-model-len", "max-num-seqs", "dtype", "gpu-memory-utilization"}
    for key in section.keys() - known:
        log.info("%s: vllm.%s is not used by this server", file, key)
    return {key: value for key, value in section.items() if key in known}


def _context_length(value: object, what: str) -> int | None:
    if value in (None, "auto", -1, "-1"):
        return None
    try:
        length = int(str(value))
    except ValueError:
        length = 0
    if length < 1:
        raise UsageFailure(f"{what} {value!r}: it is a number of tokens, or auto")
    return length


def _chat_template(value: str | None) -> str | None:
    """Kaito's rule: a value with a brace or a line break is the template itself, otherwise a file."""
    if not value:
        return None
    if "{" in value or "\n" in value:
        return value
    file = locate(value)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"--chat-template {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadConfig(f"--chat-template {file} is not UTF-8 text") from None
