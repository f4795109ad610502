"""What every cluster mirrors without being told: tiny models for the catalog, sample data for the quick start."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.resources import files
from pathlib import Path

from kaito.catalog import presets
from kaito.cluster.base import ClusterError, Progress
from kaito.cluster.loglines import parse_event
from kaito.cluster.mirrors import MirrorMap, model_mirrors

QUICK_START_DATASET = (
    "https://huggingface.co/datasets/philschmid/dolly-15k-oai-style/resolve/main/data/"
    "train-00000-of-00001-54e3756291ca09c6.parquet"
)
"""The dataset of Kaito's own tuning example."""
PREBUILT = "phi3"
"""The stand-in built when a cluster starts; other architectures are built by the first pod that needs them."""


def default_mirrors(registry_url: str) -> MirrorMap:
    """The mirrors of a cluster whose GPU nodes are not real."""
    dataset = Path(str(files("kaito.cluster") / "data" / "dolly-sample.parquet"))
    catalog = [(preset.model_id, preset.family) for preset in presets.load().by_id.values()]
    return MirrorMap(
        urls={QUICK_START_DATASET: str(dataset), **model_mirrors(catalog)},
        registries={"*.azurecr.io": f"{registry_url}/{{host}}"},
    )


def tools_folder() -> Path:
    """Where `kaito-runtime` of this Python environment lies; ClusterError when it is not installed."""
    folder = Path(sys.executable).parent
    if not (folder / "kaito-runtime").exists():
        raise ClusterError(
            f"kaito-runtime is not installed beside {sys.executable}; install it with: pip install ./runtime"
        )
    return folder


def building_progress(line: str, architecture: str) -> str | None:
    """What to show of a line that the builder printed; None for one that is not about progress."""
    event = parse_event(line)
    if event is None or event["event"] != "model-building":
        return None
    at = f": step {event['step']} of {event['steps']}" if event.get("step") else ", once on this machine"
    return f"building the tiny {architecture} model{at}"


async def build_tiny_model(progress: Progress, architecture: str = PREBUILT) -> None:
    """Build the tiny base model into the cache; a second call finds it there and takes no time.

    Raises ClusterError with the builder's last line when it fails.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        str(tools_folder() / "kaito-runtime"),
        *("models", "build", "--architecture", architecture),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    assert process.stdout is not None
    last = ""
    try:
        async for line in process.stdout:
            text = line.decode(errors="replace").strip()
            if text:
                last = text
            if told := building_progress(text, architecture):
                progress(told)
        code = await process.wait()
    except BaseException:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
    if code != 0:
        raise ClusterError(f"building the tiny {architecture} model failed (exit code {code}): {last}")
